"""Finds the workers that cannot read this client's doorbells, because they run another version of digitmill."""

from collections.abc import Sequence

from worker.contract.doorbell import DOORBELL_VERSION
from worker.contract.ledger import WorkerStatus

_NAMED = 3
"""Maximum number of workers that are named."""


def unreached_workers(workers: Sequence[WorkerStatus]) -> str:
    """Return a sentence that names the workers that do not hear this client, or "" if all do.

    Args:
        workers: Workers that are alive.
    """
    unreached = [worker for worker in workers if worker.doorbell != DOORBELL_VERSION]
    if not unreached:
        return ""
    names = ", ".join(worker.name for worker in unreached[:_NAMED]) + (", …" if len(unreached) > _NAMED else "")
    formats = ", ".join(map(str, sorted({worker.doorbell for worker in unreached})))
    return (
        f"{len(unreached)} of {len(workers)} workers ({names}) read doorbells of format {formats}, and this client "
        f"sends format {DOORBELL_VERSION}, so they do not work for it. Run the same version of digitmill everywhere."
    )
