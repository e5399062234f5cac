"""Observation: what somebody sees who looks at a mill. Nothing here changes what the mill does."""

from worker.contract.observation.depth import QueueDepth, queue_depth
from worker.contract.observation.incidents import Incident, Incidents
from worker.contract.observation.mill import Observation, observe
from worker.contract.observation.recent import Recent, RecentAnswers, RecentCounts
from worker.contract.observation.reports import ErrorLog, ProcessReports
from worker.contract.observation.server import ServerState

__all__ = [
    "ErrorLog",
    "Incident",
    "Incidents",
    "Observation",
    "ProcessReports",
    "QueueDepth",
    "Recent",
    "RecentAnswers",
    "RecentCounts",
    "ServerState",
    "observe",
    "queue_depth",
]
