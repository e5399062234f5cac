"""Why a call has no answer."""

from typing import TYPE_CHECKING

from worker.contract.errors import LaneFull, NoLane, NoWorkers
from worker.contract.lane import LANE_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from worker.contract.ledger import WorkerStatus


FULL = "The lane is full, because clients send more images than the workers classify. Start more workers."
"""Problem of a call for which the lane has no room."""


def workers_of(client: "redis.Redis") -> "Sequence[WorkerStatus]":
    """Return the workers that are alive.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
        WireError: Somebody wrote over their list.
    """
    from worker.contract.ledger import Ledger  # here, because few clients ever ask

    return Ledger(client).workers()


def check_lane(workers: "Sequence[WorkerStatus]") -> None:
    """Check that workers answer calls, if any are alive.

    Raises:
        NoLane: None of them does.
    """
    if workers and not any(worker.lane == LANE_VERSION for worker in workers):
        raise NoLane(
            f"None of the workers ({len(workers)}) answers single images, because they run another version of "
            "digitmill. Run the same version everywhere, or use `digitmill submit`."
        )


def no_answer(workers: "Sequence[WorkerStatus]", problem: str, seconds: float) -> NoWorkers:
    """Return the error of a call without an answer.

    Args:
        workers: Workers that are alive.
        problem: Why there was no answer the last time, or "".
        seconds: Time for which the client has waited.
    """
    waited = f"No worker answered within {seconds:.3g} s"
    if not workers:
        return NoWorkers(f"{waited}, because none is running. Start workers with `digitmill up`.")
    if problem:
        kind = LaneFull if problem == FULL else NoWorkers
        return kind(f"{waited}, because of this problem: {problem}")
    return NoWorkers(
        f"{waited}, although workers are alive ({len(workers)}). `digitmill status` and the logs of the workers say "
        "more. Send fewer images at a time, or wait longer with `timeout`."
    )
