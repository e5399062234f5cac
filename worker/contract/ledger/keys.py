"""The names of everything the ledger keeps in Redis. No other module spells one.

    digitmill:jobs                 zset   job id → unix ms of creation
    digitmill:job:<job>            hash   the job's record (`JobRecord`) and its counters
    digitmill:manifest:<job>       hash   sequence number → names and labels (wire.Manifest)
    digitmill:results:<job>        hash   part → answers (wire.Result)
    digitmill:news:<job>           list   parts finished, to wake the client
    digitmill:batch:<job>/<part>   hash   payload, attempts, lease: a batch waiting or in work
    digitmill:open                 zset   <job>/<part> → unix ms when it is overdue
    digitmill:workers              zset   worker name → unix ms when last seen
    digitmill:worker:<name>        hash   what a worker says of itself; expires when it falls silent

A part is written `<sequence>.<start>.<stop>`: images start to stop of the batch with that sequence number. A batch is
submitted as one part; only a batch that keeps killing its worker is cut into several.
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
    """Images `start` to `stop` of one batch of a job: what is claimed, worked on and answered as one."""

    job: str
    sequence: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def field(self) -> str:
        """Its name within its job."""
        return f"{self.sequence}.{self.start}.{self.stop}"

    @property
    def member(self) -> str:
        """Its name among all jobs, as doorbells carry it."""
        return f"{self.job}/{self.field}"

    @property
    def key(self) -> str:
        """Where its record is."""
        return f"digitmill:batch:{self.member}"

    def halves(self) -> tuple[Self, Self]:
        """Cut it in two; only for two images or more."""
        middle = (self.start + self.stop) // 2
        return replace(self, stop=middle), replace(self, start=middle)

    @classmethod
    def from_member(cls, member: str) -> Self:
        """Read what `member` wrote.

        Raises:
            WireError: it is nothing of the kind.
        """
        found = _MEMBER.fullmatch(member)
        if not found or int(found["start"]) > int(found["stop"]):
            raise WireError(f"{member[:80]!r} names no batch.")
        return cls(found["job"], int(found["sequence"]), int(found["start"]), int(found["stop"]))

    @classmethod
    def from_field(cls, job: str, field: str) -> Self:
        """Read what `field` wrote."""
        return cls.from_member(f"{job}/{field}")


def job(identifier: str) -> str:
    """Where a job's record and counters are."""
    return f"digitmill:job:{identifier}"


def manifest(identifier: str) -> str:
    """Where a job's manifests are."""
    return f"digitmill:manifest:{identifier}"


def results(identifier: str) -> str:
    """Where a job's answers are."""
    return f"digitmill:results:{identifier}"


def notifications(identifier: str) -> str:
    """Where a job's client listens."""
    return f"digitmill:news:{identifier}"


def worker(name: str) -> str:
    """Where a worker says how it is."""
    return f"digitmill:worker:{name}"
