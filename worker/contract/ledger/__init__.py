"""The ledger: what clients have submitted, who works on it, what was answered. It is the truth; messages are hints.

Batch records change only through the Lua scripts beside this file. Each is atomic and harmless to repeat.
"""

from worker.contract.ledger.keys import Part
from worker.contract.ledger.ledger import Claim, Ledger, Submitted, Verdict, Window
from worker.contract.ledger.records import JobRecord, JobState, JobStatus, WorkerStatus, new_job_identifier

__all__ = [
    "Claim",
    "JobRecord",
    "JobState",
    "JobStatus",
    "Ledger",
    "Part",
    "Submitted",
    "Verdict",
    "Window",
    "WorkerStatus",
    "new_job_identifier",
]
