"""The names of everything that the ledger keeps in Redis. No other module spells them.

    digitmill:jobs                 zset   job id → unix ms of creation
    digitmill:job:<job>            hash   the job's record (`JobRecord`) and its counters
    digitmill:manifest:<job>       hash   sequence number → names and labels (wire.Manifest)
    digitmill:results:<job>        hash   part → answers (wire.Result)
    digitmill:news:<job>           list   notifications: parts answered, to wake the client
    digitmill:batch:<job>/<part>   hash   payload, attempts, lease: a batch that waits or is in work
    digitmill:open                 zset   <job>/<part> → unix ms when it is overdue
    digitmill:sending              zset   job id → unix ms when its client last sent a batch, or tried to
    digitmill:workers              zset   worker name → unix ms when last seen
    digitmill:worker:<name>        hash   what a worker reports about itself; expires after its last heartbeat
    digitmill:nothing              none   never exists; scripts delete it, to pass the memory limit (`common.lua`)

A part is written `<sequence>.<start>.<stop>`: the images from `start` to before `stop` of the batch with that sequence
number. A client submits a batch as one part. Only a batch that fails again and again is split into several.

The names `news`, and `unread` in a job's hash (`JobStatus.unacknowledged`), stay as version 0.1.0 stored them.
"""

import re
from dataclasses import dataclass, replace
from typing import Self

from worker.contract.errors import WireError
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import MAX_IMAGES
from worker.contract.validation.identifiers import Kind

JOBS = "digitmill:jobs"
OPEN = "digitmill:open"
SENDING = "digitmill:sending"
WORKERS = "digitmill:workers"
NOTHING = "digitmill:nothing"
BATCH_PREFIX = "digitmill:batch:"

_NUMBER = "[0-9]{1,15}"
_FIELD = re.compile(rf"(?P<sequence>{_NUMBER})\.(?P<start>{_NUMBER})\.(?P<stop>{_NUMBER})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Images `start` to before `stop` of one batch of a job. A worker claims, classifies and answers them together."""

    job: str
    sequence: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def field(self) -> str:
        """The name of the part within its job."""
        return f"{self.sequence}.{self.start}.{self.stop}"

    @property
    def member(self) -> str:
        """The name of the part among all jobs, as doorbells carry it."""
        return f"{self.job}/{self.field}"

    @property
    def key(self) -> str:
        """The key of its record."""
        return BATCH_PREFIX + self.member

    def halves(self) -> tuple[Self, Self]:
        """Return the two halves of a part, which must have at least two images."""
        middle = (self.start + self.stop) // 2
        return replace(self, stop=middle), replace(self, start=middle)

    @classmethod
    def from_member(cls, member: str) -> Self:
        """Return the part that `member` names.

        Raises:
            WireError: `member` does not name a part of a batch with at most `MAX_IMAGES` images.
        """
        job, _, field = member.rpartition("/")
        found = _FIELD.fullmatch(field)
        if not found or not int(found["start"]) <= int(found["stop"]) <= MAX_IMAGES:
            raise WireError(f"{identifiers.shown(member)} does not name a batch.")
        return cls(identifiers.read(Kind.JOB, job), int(found["sequence"]), int(found["start"]), int(found["stop"]))

    @classmethod
    def from_field(cls, job: str, field: str) -> Self:
        """Return the part of a job that `field` names.

        Raises:
            WireError: `field` does not name a part.
        """
        return cls.from_member(f"{job}/{field}")


def job(identifier: str) -> str:
    """Return the key of a job's record and counters."""
    return f"digitmill:job:{identifier}"


def manifest(identifier: str) -> str:
    """Return the key of a job's manifests."""
    return f"digitmill:manifest:{identifier}"


def results(identifier: str) -> str:
    """Return the key of a job's answers."""
    return f"digitmill:results:{identifier}"


def notifications(identifier: str) -> str:
    """Return the key of a job's notifications, at which its client listens."""
    return f"digitmill:news:{identifier}"


def worker(name: str) -> str:
    """Return the key of a worker's report."""
    return f"digitmill:worker:{name}"
