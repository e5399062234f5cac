"""What a version answers day by day, in words."""

from collections.abc import Mapping
from datetime import date

from producer.cli.display.wording import counted
from worker.contract.drift import DayCounts, Drift

REMEDY = "Look at the images for review. Teach some of them, then train."


def describe(drift: Drift) -> str:
    """Return what differs on the last day, and what to do."""
    differences = ", ".join(
        f"{each.measure} {100 * each.before:.1f} → {100 * each.last:.1f} %" for each in drift.differences
    )
    return (
        f"{drift.day} ({counted(drift.images, 'image')}) differs from the {counted(drift.days, 'day')} before: "
        f"{differences}. {REMEDY}"
    )


def describe_last(days: Mapping[date, DayCounts]) -> str:
    """Return the figures of the last day. There must be one."""
    last = max(days)
    counts = days[last]
    return (
        f"{last}: {counted(counts.images, 'image')}, {counts.review / counts.images:.1%} for review, "
        f"mean confidence {counts.confidence / 1000 / counts.images:.1%}"
    )
