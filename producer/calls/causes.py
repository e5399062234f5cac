"""Why a call has no answer."""

from typing import TYPE_CHECKING

from model.errors import DigitmillError
from worker.contract.errors import NoWorkers
from worker.contract.lane import LANE_VERSION
from worker.contract.ledger import Ledger, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis


def workers_of(client: "redis.Redis") -> "Sequence[WorkerStatus]":
    """Return the workers that are alive.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
        WireError: Somebody wrote over their list.
    """
    return Ledger(client).workers()


def without_lane(workers: "Sequence[WorkerStatus]") -> str:
    """Return a sentence if no worker answers calls, although some are alive, or "" if one does or none is alive."""
    if not workers or any(worker.lane == LANE_VERSION for worker in workers):
        return ""
    return (
        f"None of the workers ({len(workers)}) answers single images, because they run another version of digitmill. "
        "Run the same version everywhere, or use `digitmill submit`."
    )


def no_answer(workers: "Sequence[WorkerStatus]", problem: str, seconds: float) -> DigitmillError:
    """Return the error of a call without an answer.

    Args:
        workers: Workers that are alive.
        problem: Why there was no answer the last time, or "".
        seconds: Time for which the client has waited.
    """
    waited = f"No worker answered within {seconds:.3g} s"
    if not workers:
        return NoWorkers(f"{waited}, because none is running. Start workers with `digitmill up`.")
    if sentence := without_lane(workers):
        return NoWorkers(sentence)
    if problem:
        return NoWorkers(f"{waited}, because of this problem: {problem}")
    return NoWorkers(
        f"{waited}, although workers are alive ({len(workers)}). `digitmill status` and the logs of the workers say "
        "more. Send fewer images at a time, or wait longer with `timeout`."
    )
