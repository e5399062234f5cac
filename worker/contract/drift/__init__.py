"""Drift: what each version answers day by day, and whether the last day differs from the ones before."""

from worker.contract.drift.comparison import Difference, Drift, find_drift
from worker.contract.drift.days import AnswerDays, DayCounts

__all__ = ["AnswerDays", "DayCounts", "Difference", "Drift", "find_drift"]
