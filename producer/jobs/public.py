"""Jobs as the JSON that commands print and the HTTP server sends.

The keys are public, because scripts rely on them. They stay the same when an attribute gets another name.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.jobs.recovery import Loss
    from producer.mill.connection import Connection
    from worker.contract.ledger import JobStatus
    from worker.contract.validation.reading import DamagedRecord
    from worker.settings import Settings


def job(status: "JobStatus") -> dict[str, Any]:
    """Return a job as `jobs`, `show`, `wait`, `cancel` and `status` print it."""
    return {"unread" if name == "unacknowledged" else name: value for name, value in asdict(status).items()}


def damaged_job(record: "DamagedRecord") -> dict[str, Any]:
    """Return a job whose record cannot be read, as `jobs` prints it."""
    return {"identifier": record.name, "state": "damaged", "problem": record.problem}


def shown_job(status: "JobStatus", loss: "Loss | None") -> dict[str, Any]:
    """Return a job as `show` prints it.

    Args:
        status: Status of the job.
        loss: What Redis has lost of it, as `current_loss` returns it.
    """
    lost = {"batches": loss.batches, "images": loss.images, "names": loss.names} if loss and loss.batches else None
    return {**job(status), "lost": lost}


def current_loss(connection: "Connection", status: "JobStatus", settings: "Settings") -> "Loss | None":
    """Return what Redis has lost of a job, or None if its client sends that again, or nobody waits for it.

    Raises:
        DataError: The log of what was sent is damaged.
        WireError: A manifest is damaged.
    """
    from producer.jobs.recovery import find_loss

    detached = not status.record.folder and status.state not in ("cancelled", "failed")
    return find_loss(connection, status, settings) if detached else None
