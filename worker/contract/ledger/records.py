"""The values that describe a job and a worker in the ledger."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from model.records import from_json, to_json
from worker.contract.reading import reading

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
        model: Version of the model that classifies all images.
        client: Host and process of the client that submitted it.
        options: Submit options by name. They suffice to read the same source again.
        folder: Folder in which its client keeps answers and writes the report, or "" for a detached job.
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
        """Decode a record. Fields that a newer client added are ignored.

        Raises:
            WireError: The text is not such a record, or has a format that this program does not read.
        """
        with reading("This job's record", remedy="Submit the job again."):
            return from_json(cls, text, format=FORMAT)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands.

    Attributes:
        identifier: Id of the job.
        record: What was fixed when the job was made.
        state: Where it is in its life.
        created: Time of creation: unix time, seconds.
        ended: Time of its end: unix time, seconds, or None.
        images: Images sent so far; the total once the state is past `submitting`.
        answered: Images of those with a prediction or an error row.
        failed: Images of those with an error row.
        open: Parts of batches that wait or are in work.
        unacknowledged: Answered parts that its client has not kept yet; all of them if the job is detached.
        problem: What hinders it, or "".
        batches: Batches sent so far.
        owner_host: Machine of the client that gathers it, or sends it if it is detached; "" if unknown.
        owner_folder: Folder in which that client keeps its order and answers, or "".
        owner_seen: Time at which that client was seen last: unix time, seconds. 0 if it has left; None if unknown.
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
    batches: int = 0
    owner_host: str = ""
    owner_folder: str = ""
    owner_seen: float | None = None

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
                batches=int(body.get(b"batches", 0)),
                owner_host=body.get(b"owner_host", b"").decode("utf-8", "replace"),
                owner_folder=body.get(b"owner_folder", b"").decode("utf-8", "replace"),
                owner_seen=int(body[b"owner_seen"]) / 1000 if b"owner_seen" in body else None,
            )


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker reports about itself.

    Attributes:
        name: Name, unique among all workers.
        ready: Whether it can classify already.
        model: Version that it serves as the live one.
        model_fault: Why that is not the registry's live version, or "".
        images: Images answered since its start.
        started: Time of its start: unix time, seconds.
        seen: Time of its last heartbeat: unix time, seconds.
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
