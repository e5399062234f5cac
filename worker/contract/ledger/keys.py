"""The names of everything that the ledger keeps in Redis. No other module spells them.

    digitmill:jobs                 zset   job id → unix ms of creation
    digitmill:job:<job>            hash   the job's record (`JobRecord`) and its counters
    digitmill:manifest:<job>       hash   sequence number → names and labels (wire.Manifest)
    digitmill:results:<job>        hash   part → answers (wire.Result)
    digitmill:news:<job>           list   notifications: parts answered, to wake the client
    digitmill:batch:<job>/<part>   hash   payload, attempts, lease: a batch that waits or is in work
    digitmill:open                 zset   <job>/<part> → unix ms when it is overdue
    digitmill:workers              zset   worker name → unix ms when last seen
    digitmill:worker:<name>        hash   what a worker reports about itself; expires after its last heartbeat

A part is written `<sequence>.<start>.<stop>`: the images from `start` to before `stop` of the batch with that sequence
number. A client submits a batch as one part. Only a batch that fails again and again is split into several.

The names `news`, and `unread` in a job's hash (`JobStatus.unacknowledged`), stay as version 0.1.0 stored them.
"""

import re
from dataclasses import dataclass, replace
from typing import Self

from worker.contract.errors import WireError

JOBS = "digitmill:jobs"
OPEN = "digitmill:open"
WORKERS = "digitmill:workers"

_NUMBER = "[0-9]{1,15}"
_MEMBER = re.compile(rf"(?P<job>.+)/(?P<sequence>{_NUMBER})\.(?P<start>{_NUMBER})\.(?P<stop>{_NUMBER})")


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
        return f"digitmill:batch:{self.member}"

    def cut(self, count: int) -> tuple[Self, Self]:
        """Return the part of the first `count` images, and that of the others."""
        middle = self.start + count
        return replace(self, stop=middle), replace(self, start=middle)

    @classmethod
    def from_member(cls, member: str) -> Self:
        """Return the part that `member` names.

        Raises:
            WireError: `member` does not name a part.
        """
        found = _MEMBER.fullmatch(member)
        if not found or int(found["start"]) > int(found["stop"]):
            raise WireError(f"{member[:80]!r} does not name a batch.")
        return cls(found["job"], int(found["sequence"]), int(found["start"]), int(found["stop"]))

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
