"""The records of trainings: what was asked for, which trainer works on it, how far it is, and how it ended.

A Redis has one open training at a time. Only the Lua scripts beside this file change its record. The trainer that works
on it holds a lease with a fencing token.
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
