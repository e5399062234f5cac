"""Trainings: what was asked for, who works on it, how far it is, how it ended. The record is the truth.

One training at a time in one Redis: the record of it changes only through the Lua scripts beside this file, and whoever
works on it holds a lease with a fencing token.
"""

from worker.training.records import Order, TrainingState, TrainingStatus
from worker.training.schedule import Schedule, ScheduleStatus
from worker.training.trainings import ATTEMPTS, Claim, Told, Trainings

__all__ = [
    "ATTEMPTS",
    "Claim",
    "Order",
    "Schedule",
    "ScheduleStatus",
    "Told",
    "TrainingState",
    "TrainingStatus",
    "Trainings",
]
