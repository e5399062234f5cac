"""What the ledger knows about a job and about a worker, as values."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from model.records import from_json, to_json
from worker.contract.errors import reading

FORMAT = 1
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no character that people mistake for another


class JobState(StrEnum):
    """Where a job is in its life."""

    SUBMITTING = "submitting"  # its client is still sending
    RUNNING = "running"  # the client has sent all batches, and the workers have not answered all
    DONE = "done"
    DONE_WITH_ERRORS = "done with errors"  # every image is answered, some with an error row
    CANCELLED = "cancelled"
    FAILED = "failed"  # its client gave up

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self not in (JobState.SUBMITTING, JobState.RUNNING)


def new_job_identifier() -> str:
    """Return an identifier that sorts by time (UTC) and can be typed: `261123-142501-k7q`."""
    stamp = time.strftime("%y%m%d-%H%M%S", time.gmtime())
    return f"{stamp}-{''.join(secrets.choice(_ALPHABET) for _ in range(3))}"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is fixed when a job is made.

    Attributes:
        source: What was submitted, in words.
        model: Version of the model that classifies all of it.
        client: Host and process of whoever submitted it.
        options: Submit options by name; enough to read the same source again.
        folder: Folder where its client keeps answers and writes the report; "" for a detached job.
    """

    source: str
    model: str
    client: str
    options: dict[str, Any]
    folder: str

    def to_json(self) -> str:
        """Encode the record."""
        return to_json(self, format=FORMAT)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Decode a record; fields that a newer client added are ignored.

        Raises:
            WireError: It is not such a record, or has a format that this program does not read.
        """
        with reading("This job's record", remedy="Submit the job again."):
            return from_json(cls, text, format=FORMAT)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands.

    Attributes:
        identifier: Id of the job.
        record: What is fixed.
        state: Where it is in its life.
        created: Unix time, seconds.
        ended: Unix time, seconds, or None.
        images: Images sent so far; the total once the state is past `submitting`.
        answered: Of those, the ones with a prediction or an error row.
        failed: Of those, the ones with an error row.
        open: Batches that wait or are in work.
        unacknowledged: Answered batches that its client has not kept yet; all of them if the job is detached.
        problem: What hinders it, or "".
    """

    identifier: str
    record: JobRecord
    state: JobState
    created: float
    ended: float | None
    images: int
    answered: int
    failed: int
    open: int
    unacknowledged: int
    problem: str

    @classmethod
    def from_hash(cls, identifier: str, body: Mapping[bytes, bytes], *, created: float) -> Self:
        """Return the status that Redis keeps as a hash.

        Args:
            identifier: Id of the job.
            body: The hash.
            created: Unix time, seconds, which Redis keeps elsewhere.

        Raises:
            WireError: The hash is damaged.
        """
        with reading(f"The record of job {identifier}", remedy="Submit the job again."):
            return cls(
                identifier=identifier,
                record=JobRecord.from_json(body[b"record"]),
                state=JobState(body[b"state"].decode()),
                created=created,
                ended=int(body[b"ended"]) / 1000 if b"ended" in body else None,
                images=int(body.get(b"images", 0)),
                answered=int(body.get(b"answered", 0)),
                failed=int(body.get(b"failed", 0)),
                open=int(body.get(b"open", 0)),
                unacknowledged=int(body.get(b"unread", 0)),
                problem=body.get(b"problem", b"").decode("utf-8", "replace"),
            )


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker reports about itself.

    Attributes:
        name: Name, unique among all workers.
        ready: Whether it can classify already.
        model: Version that it serves as the live one.
        model_fault: Why that is not the version which is live, or "".
        images: Images answered since its start.
        started: Unix time, seconds.
        seen: Unix time, seconds, of its last heartbeat.
        process: Id of its classifying process on its host.
        startup_seconds: Seconds from the start of its process until it was ready; 0 while it is not.
    """

    name: str
    ready: bool
    model: str
    model_fault: str
    images: int
    started: float
    seen: float
    process: int
    startup_seconds: float

    @classmethod
    def from_hash(cls, name: str, body: Mapping[bytes, bytes]) -> Self:
        """Return the status that Redis keeps as a hash.

        Raises:
            WireError: The hash is damaged.
        """
        with reading(f"The record of worker {name}", remedy="Stop that worker; its record expires within seconds."):
            return cls(
                name=name,
                ready=body.get(b"ready") == b"1",
                model=body.get(b"model", b"").decode("utf-8", "replace"),
                model_fault=body.get(b"model_fault", b"").decode("utf-8", "replace"),
                images=int(body.get(b"images", 0)),
                started=float(body.get(b"started", 0)),
                seen=float(body[b"seen"]),
                process=int(body.get(b"process", 0)),
                startup_seconds=float(body.get(b"startup_seconds", 0)),
            )
