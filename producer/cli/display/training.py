"""Describe a training, and the schedule of trainings, in words."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.contract.training import ScheduleStatus, TrainingStatus


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
    return f"{status.stage}, epoch {status.epoch} of {status.epochs}, {status.accuracy:.2%} so far{left}"


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
