"""Trainings: what was asked for, who works on it, how far it is, how it ended. The record is the truth.

One training at a time in one Redis: the record of it changes only through the Lua scripts beside this file, and whoever
works on it holds a lease with a fencing token.
"""

from worker.contract.training.records import TrainingOptions, TrainingState, TrainingStatus
from worker.contract.training.schedule import Schedule, ScheduleStatus
from worker.contract.training.trainings import ATTEMPTS, Claim, ProgressReply, Trainings

__all__ = [
    "ATTEMPTS",
    "Claim",
    "ProgressReply",
    "Schedule",
    "ScheduleStatus",
    "TrainingOptions",
    "TrainingState",
    "TrainingStatus",
    "Trainings",
]
