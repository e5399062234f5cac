"""Records as the JSON that commands print.

`producer.jobs.public` has the jobs. The keys are public, because scripts rely on them. They stay the same when an
attribute gets another name.
"""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.teaching import TeachingCounts
    from worker.contract.ledger import WorkerStatus
    from worker.contract.registry import LiveChange, ServiceCounts
    from worker.contract.teaching import LabelChange, Summary
    from worker.contract.training import ScheduleStatus, TrainingStatus


def worker(status: "WorkerStatus") -> dict[str, Any]:
    """Return a worker as `status` prints it."""
    return asdict(status)


def training(status: "TrainingStatus") -> dict[str, Any]:
    """Return a training as `train` and `status` print it."""
    return {"order" if name == "options" else name: value for name, value in asdict(status).items()}


def schedule(status: "ScheduleStatus") -> dict[str, Any]:
    """Return the schedule as `status` prints it."""
    return asdict(status)


def live_change(change: "LiveChange") -> dict[str, Any]:
    """Return a change of the live model as `models list` and `models show` print it."""
    return asdict(change)


def service_counts(counts: "ServiceCounts") -> dict[str, Any]:
    """Return the counts of a version's answers as `models compare` prints them."""
    return asdict(counts)


def taught(summary: "Summary") -> dict[str, Any]:
    """Return the figures of the taught images as `status` and `teach --list` print them."""
    return asdict(summary)


def taught_image(change: "LabelChange", *, waiting: bool) -> dict[str, Any]:
    """Return one taught image as `teach --list` prints it.

    Args:
        change: Label of the image.
        waiting: Whether it still waits for the trainer.

    An image is held back if `looks_like` is not null: it is the digit that the model reads.
    """
    return {
        "sha256": change.sha256,
        "label": change.label,
        "name": change.name,
        "when": round(change.when, 3),
        "waiting": waiting,
        "looks_like": change.looks_like,
    }


def teaching_counts(counts: "TeachingCounts") -> dict[str, Any]:
    """Return the counts of taught and removed images as `teach` prints them."""
    body = asdict(replace(counts, held=[]))
    later = {name: body.pop(name) for name in ("confirmed", "unchecked")}
    del body["held"]
    body["failed"] = [
        {"name": name, "error": str(failure.code), "message": failure.sentence}
        for name, failure in body.pop("failures").items()
    ]
    return {**body, "held": [taught_image(change, waiting=True) for change in counts.held], **later}
