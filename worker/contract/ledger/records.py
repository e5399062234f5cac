"""The values that describe a job and a worker in the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from model.records import Damaged, as_plain, from_json, to_json
from worker.contract.errors import WireError
from worker.contract.liveness import SILENT_SECONDS
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import MAX_RECORD_BYTES, MAX_TEXT
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import LAST_MOMENT, count, finite, moment, reading

FORMAT = 1

_REMEDY = "Submit the job again. `digitmill jobs` shows it until it expires."


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


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is fixed when a job is made.

    Attributes:
        source: What was submitted, in words.
        model: Version of the model that classifies all images.
        client: Host and process of the client that submitted it.
        options: Submit options by name. They suffice to read the same source again.
        folder: Folder in which its client keeps answers and writes the report, or "" for a detached job.
        total: Number of images that its client has found, or None if it is unknown, as in records before 0.3.
    """

    source: str
    model: str
    client: str
    options: dict[str, Any]
    folder: str
    total: int | None = None

    @property
    def is_little(self) -> bool:
        """Whether its images were given one by one, as to `classify`. Then nobody asks for the job again."""
        return self.options.get("path") == "" and not self.options.get("listed")

    def to_json(self) -> str:
        """Encode the record. A record without a total is that of an earlier version."""
        plain = as_plain(self)
        if self.total is None:
            del plain["total"]
        return to_json(plain, format=FORMAT)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Decode a record. Fields that a newer client added are ignored.

        Raises:
            WireError: The text is not such a record, or has a format that this program does not read.
        """
        with reading("This job's record", remedy=_REMEDY):
            if len(text) > MAX_RECORD_BYTES:
                raise Damaged(f"it has more than {MAX_RECORD_BYTES // 2**20} MiB")
            record = from_json(cls, text, format=FORMAT)
            if record.model:
                identifiers.read(Kind.VERSION, record.model)
            if len(record.client) > MAX_TEXT or not record.client.isprintable():
                raise Damaged("the name of its client cannot be printed")
            return record


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

    @property
    def total(self) -> int | None:
        """Number of all its images, or None while that is unknown."""
        if self.state is not JobState.SUBMITTING:
            return self.images
        known = self.record.total  # a folder may have got more images before the first one was sent
        return known and max(known, self.images)

    @property
    def seconds(self) -> float:
        """Seconds from its creation to its end, or 0 if it has not ended."""
        return (self.ended or self.created) - self.created

    @classmethod
    def from_hash(cls, identifier: str, body: Mapping[bytes, bytes] | WireError, *, created: float) -> Self:
        """Return the status that Redis keeps as a hash.

        Args:
            identifier: Id of the job.
            body: The hash, or why there is none.
            created: Unix time, seconds, which Redis keeps elsewhere.

        Raises:
            WireError: The hash is damaged.
        """
        if isinstance(body, WireError):
            raise body
        with reading(f"The record of job {identifier}", remedy=_REMEDY):
            return cls(
                identifier=identifier,
                record=JobRecord.from_json(body[b"record"]),
                state=JobState(body[b"state"].decode()),
                created=moment(created),
                ended=moment(int(body[b"ended"]) / 1000) if b"ended" in body else None,
                images=count(body.get(b"images")),
                answered=count(body.get(b"answered")),
                failed=count(body.get(b"failed")),
                open=count(body.get(b"open")),
                unacknowledged=count(body.get(b"unread")),
                problem=_text(body, b"problem"),
                batches=count(body.get(b"batches")),
                owner_host=_text(body, b"owner_host"),
                owner_folder=_text(body, b"owner_folder"),
                owner_seen=moment(int(body[b"owner_seen"]) / 1000) if b"owner_seen" in body else None,
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
        doorbell: Format of the doorbells that it reads. Workers that do not report it read format 1.
        lane: Format of the calls that it answers. Workers that do not report it answer none.
        version: Version of digitmill that it runs, or "" if it does not say.
        memory: Memory of all its processes, in bytes; 0 if it does not say. What they share counts once.
        restarts: How often one of its processes was started again: the worker by its supervisor, or its classifying
            process or its lane's by the worker.
        alive_until: Time from which on it counts as dead without another heartbeat: unix time, seconds. The report of
            a worker that does not say so expires then.
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
    doorbell: int = 1
    lane: int = 0
    version: str = ""
    memory: int = 0
    restarts: int = 0
    alive_until: float = LAST_MOMENT

    def is_silent(self, now: float) -> bool:
        """Return whether the worker has not been heard of for a while.

        Args:
            now: Time of Redis: unix time, seconds.
        """
        return now - self.seen > SILENT_SECONDS

    @classmethod
    def from_hash(cls, name: str, body: Mapping[bytes, bytes] | WireError) -> Self:
        """Return the status that Redis keeps as a hash.

        Args:
            name: Name of the worker.
            body: The hash, or why there is none.

        Raises:
            WireError: The hash is damaged.
        """
        if isinstance(body, WireError):
            raise body
        with reading(f"The record of worker {name}", remedy="Stop that worker; its record expires within seconds."):
            model = _text(body, b"model")
            return cls(
                name=identifiers.read(Kind.PROCESS, name),
                ready=body.get(b"ready") == b"1",
                model=model and identifiers.read(Kind.VERSION, model),
                model_fault=_text(body, b"model_fault"),
                images=count(body.get(b"images")),
                started=moment(body.get(b"started", 0)),
                seen=moment(body[b"seen"]),
                process=count(body.get(b"process")),
                startup_seconds=finite(body.get(b"startup_seconds", b"0")),
                doorbell=count(body.get(b"doorbell", b"1")),
                lane=count(body.get(b"lane")),
                version=_text(body, b"version"),
                memory=count(body.get(b"memory")),
                restarts=count(body.get(b"restarts")),
                alive_until=moment(body.get(b"alive_until", LAST_MOMENT)),
            )


def _text(body: Mapping[bytes, bytes], field: bytes) -> str:
    """Return a sentence of a record, shortened, or "" if there is none."""
    return body.get(field, b"")[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT]
