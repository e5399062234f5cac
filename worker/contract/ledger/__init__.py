"""The ledger records what clients submit, which worker has it, and its answers. Messages are only hints.

Only the Lua scripts beside this file change the record of a batch. Each is atomic and harmless to repeat.
"""

from worker.contract.ledger.keys import Part
from worker.contract.ledger.ledger import Claim, Ledger, Submitted, Verdict, Window
from worker.contract.ledger.owned import Checked, Claimed, OwnedJob, Owner, Ownership, Presence, Queue, cover
from worker.contract.ledger.records import JobRecord, JobState, JobStatus, WorkerStatus
from worker.contract.validation.identifiers import new_job_identifier

__all__ = [
    "Checked",
    "Claim",
    "Claimed",
    "JobRecord",
    "JobState",
    "JobStatus",
    "Ledger",
    "OwnedJob",
    "Owner",
    "Ownership",
    "Part",
    "Presence",
    "Queue",
    "Submitted",
    "Verdict",
    "Window",
    "WorkerStatus",
    "cover",
    "new_job_identifier",
]
