"""What a version answers day by day, in words and as JSON."""

from collections.abc import Mapping
from datetime import date
from typing import Any

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


def drift_as_json(drift: Drift | None) -> dict[str, Any] | None:
    """Return what differs as `status` and `models show` print it. Values are shares of 0 to 1."""
    if drift is None:
        return None
    return {
        "day": drift.day.isoformat(),
        "images": drift.images,
        "days_before": drift.days,
        "differences": [
            {"measure": each.measure, "before": each.before, "last": each.last, "points": each.points}
            for each in drift.differences
        ],
    }


def days_as_json(days: Mapping[date, DayCounts]) -> list[dict[str, Any]]:
    """Return the figures of each day as `models show` prints them, the oldest first. Days are those of UTC."""
    return [
        {
            "day": day.isoformat(),
            "images": counts.images,
            "review": counts.review,
            "mean_confidence": counts.confidence / 1000 / counts.images,
            "digits": list(counts.digits),
        }
        for day, counts in sorted(days.items())
    ]
