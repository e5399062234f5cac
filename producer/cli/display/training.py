"""Describe a training, the schedule of trainings, and a drift that calls for one, in words."""

import time
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from model.wording import percent
from producer.cli.display.wording import counted

if TYPE_CHECKING:
    from worker.contract.drift import DayCounts, Drift
    from worker.contract.training import ScheduleStatus, TrainingStatus

REMEDY = "Look at the images for review. Teach some of them, then train."


def describe(status: "TrainingStatus") -> str:
    """Return the state of a training in words."""
    if not status.state.ended and not status.held:
        if not status.attempts:
            return "waits for a trainer"
        why = status.reason or "its trainer is gone or does not reach Redis"
        return f"waits for another attempt{_after(status)}: {why}"
    if status.state.ended:
        version = f" as {status.version}" if status.version else ""
        return f"{status.state}{version}{f': {status.reason}' if status.reason else ''}"
    left = f", {_duration(status.seconds_left)} left" if status.seconds_left else ""
    if status.stage == "starting" and status.attempts > 1:
        return f"starting again{_after(status)}, attempt {status.attempts}"
    if not status.epoch:
        return f"{status.stage or 'starting'}{left}"
    return f"{status.stage}, epoch {status.epoch} of {status.epochs}, {percent(status.accuracy, 2)} so far{left}"


def describe_drift(drift: "Drift") -> str:
    """Return what differs on the last day, and what to do."""
    differences = ", ".join(
        f"{each.measure} {100 * each.before:.1f} → {100 * each.last:.1f} %" for each in drift.differences
    )
    return (
        f"{drift.day} ({counted(drift.images, 'image')}) differs from the {counted(drift.days, 'day')} before: "
        f"{differences}. {REMEDY}"
    )


def describe_last(days: Mapping[date, "DayCounts"]) -> str:
    """Return the figures of the last day. There must be one."""
    last = max(days)
    counts = days[last]
    return (
        f"{last}: {counted(counts.images, 'image')}, {percent(counts.review / counts.images, 1)} for review, "
        f"mean confidence {percent(counts.confidence / 1000 / counts.images, 1)}"
    )


def _after(status: "TrainingStatus") -> str:
    """Return where a training goes on that another attempt has begun."""
    return f" after epoch {status.epoch} of {status.epochs}" if status.epoch else ""


def describe_schedule(schedule: "ScheduleStatus") -> str:
    """Return the schedule in words: when the next training is due, and what became of the last."""
    if not schedule.cron:
        return "none: DIGITMILL_RETRAIN_CRON is not set where the scheduler runs"
    due = f", next at {_moment(schedule.next)}" if schedule.next else ""
    last = f"; {_moment(schedule.handled)}: {schedule.outcome}" if schedule.handled else ""
    return f"{schedule.cron}{due}{last}"


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"
