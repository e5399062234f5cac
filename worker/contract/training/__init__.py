"""Trainings: what was asked for, who works on it, how far it is, how it ended. The record is the truth.

A Redis has one training at a time. Its record changes only through the Lua scripts beside this file, and the trainer
that works on it holds a lease with a fencing token.
"""

from worker.contract.training.records import TrainingState, TrainingStatus
from worker.contract.training.schedule import Schedule, ScheduleStatus
from worker.contract.training.trainings import ATTEMPTS, Claim, ProgressReply, Trainings

__all__ = [
    "ATTEMPTS",
    "Claim",
    "ProgressReply",
    "Schedule",
    "ScheduleStatus",
    "TrainingState",
    "TrainingStatus",
    "Trainings",
]
