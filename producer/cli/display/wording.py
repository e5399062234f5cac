"""Counts, ages and progress in words."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.contract.ledger import JobStatus


def age(since: float) -> str:
    """Return the time since a moment in its largest unit: `3 m`.

    Args:
        since: Unix time, in seconds.
    """
    return duration(time.time() - since)


def duration(seconds: float) -> str:
    """Return a time in its largest unit: `3 m`. A negative one counts as none."""
    seconds = max(seconds, 0)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def in_bytes(number: int) -> str:
    """Return a number of bytes in its largest unit, as binary multiples: `1.5 GB`."""
    for unit, size in (("GB", 2**30), ("MB", 2**20)):
        if number >= size:
            return f"{number / size:,.{1 if number < 10 * size else 0}f} {unit}"
    return f"{number / 1024:,.0f} kB"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the plural unless the number is 1: `1,234 images`.

    Args:
        number: Number of things.
        noun: Noun in the singular.
        plural: Noun in the plural, if that is not the singular with an -s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def describe_progress(status: "JobStatus", now: float, *, stands: bool = False) -> str:
    """Return how far a job is: `3,000 of 10,000 images answered (30 %), 5 failed; 1,200/s, 6 s left`.

    The rate is the mean since its creation. The rest is left out where the total is unknown, or the job has ended.

    Args:
        status: Status of the job.
        now: Time of Redis: unix time, seconds.
        stands: Whether nobody continues the job, so that a rate and a time that is left would be wrong.
    """
    total, answered = status.total, status.answered
    share = f" ({100 * answered / total:.0f} %)" if total and not status.state.ended else ""
    of = f" of {total:,}" if total is not None and total != answered else ""
    images = counted(answered, "image") if not of else f"{answered:,}{of} images"
    words = f"{images} answered{share}"
    words += f", {status.failed:,} failed" if status.failed else ""
    seconds = (status.ended or now) - status.created
    if seconds <= 0 or not answered or stands:
        return words
    words += f"; {answered / seconds:,.0f}/s"
    if total is None or status.state.ended:
        return words
    return f"{words}, {duration((total - answered) * seconds / answered)} left"
