"""The ledger's operations: one method for each script, and the reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

from model.errors import UsageError
from worker.contract.ledger import keys
from worker.contract.ledger.keys import Part
from worker.contract.ledger.records import JobRecord, JobState, JobStatus, WorkerStatus
from worker.contract.scripts import load_scripts
from worker.contract.wire import Batch, Manifest, Result

if TYPE_CHECKING:
    import redis

ATTEMPTS = 3
"""How often a batch may be begun and not finished before it is cut in halves."""

RING_AGAIN_SECONDS = 5.0
"""A batch whose doorbell was rung and not answered is overdue after this long."""

MODEL_SAID_MS = 5_000
"""How long it is kept what a classifying process says, should its main process never say anything."""

WORKERS_FORGOTTEN_MS = 3_600_000
"""After which a worker that has died leaves the list of names; its own record goes with its last word."""


class Submitted(IntEnum):
    """What became of a submitted batch."""

    NO_SUCH_JOB = -1
    WINDOW_FULL = 0
    STORED = 1
    ALREADY_THERE = 2


class Verdict(StrEnum):
    """What a worker that claims a part is to do."""

    GONE = "gone"  # nothing: it is answered, or its job is no more
    BUSY = "busy"  # nothing: another works on it
    WORK = "work"
    SPLIT = "split"  # cut it in two: it has failed too often
    QUARANTINE = "quarantine"  # give its only image an error row: it has failed too often


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a part. `payload` and `model` are empty unless there is something to do."""

    part: Part
    verdict: Verdict
    token: str
    payload: bytes = b""
    attempts: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a job may be outstanding at a time."""

    batches: int
    bytes: int


class Ledger:
    """All that is written about jobs, batches and workers in one Redis.

    No method waits or retries; each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every method
    raises redis-py's errors as they come.
    """

    def __init__(self, client: "redis.Redis", *, ttl_seconds: float = 7 * 86400) -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = client
        self._ttl = int(ttl_seconds * 1000)
        self._scripts = load_scripts(
            client,
            "worker.contract.ledger",
            (
                "submit",
                "claim",
                "finish",
                "split",
                "renew",
                "release",
                "due",
                "ack",
                "seal",
                "cancel",
                "announce",
                "report_model",
            ),
        )

    def _run(self, script: str, script_keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._scripts[script](keys=script_keys, args=arguments)

    # A job's client -----------------------------------------------------------------------------------------------

    def create(self, identifier: str, record: JobRecord) -> None:
        """Open a job."""
        key, now = keys.job(identifier), int(self.now() * 1000)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(key, "state", JobState.SUBMITTING)
            pipeline.hset(key, mapping={"record": record.to_json(), "model": record.model})
            pipeline.pexpire(key, self._ttl)
            pipeline.zadd(keys.JOBS, {identifier: now}, nx=True)
            pipeline.execute()

    def submit(self, part: Part, batch: Batch, manifest: Manifest, window: Window, *, detached: bool) -> Submitted:
        """Store a batch, if the job's window has room for it.

        Args:
            part: the whole batch: `start` 0, `stop` the number of images in it.
            batch: the images.
            manifest: their names and labels, and those that could not be read.
            window: how much may be outstanding. What the client has not acknowledged counts, unless it is detached.
            detached: whether nobody gathers while the job runs.
        """
        answer = self._run(
            "submit",
            [
                keys.job(part.job),
                keys.manifest(part.job),
                keys.notifications(part.job),
                keys.results(part.job),
                part.key,
                keys.OPEN,
            ],
            [
                part.sequence,
                part.member,
                batch.to_wire(),
                len(batch),
                manifest.to_wire(),
                len(manifest.names),
                len(manifest.failures),
                window.batches,
                window.bytes,
                int(detached),
                int(RING_AGAIN_SECONDS * 1000),
                ATTEMPTS,
                self._ttl,
            ],
        )
        return Submitted(answer)

    def seal(self, identifier: str) -> JobState:
        """Say that all is submitted; return the state that the job is in now."""
        return JobState(self._run("seal", [keys.job(identifier)], []).decode())

    def wait_for_notifications(self, identifier: str, seconds: float) -> set[Part]:
        """Return parts answered since the last call, waiting for the first if there is none.

        News can be lost with a connection: what counts is `answered_parts`; this only saves asking for it all the time.
        """
        key = keys.notifications(identifier)
        # Below 10 ms redis-py would send "0", which means for ever.
        first = self._redis.blpop([key], timeout=max(seconds, 0.01)) if seconds else None
        fields = [first[1]] if first else []
        if first or not seconds:
            fields += self._redis.lpop(key, 1000) or []
        return {Part.from_field(identifier, field.decode()) for field in fields if field}

    def answered_parts(self, identifier: str) -> set[Part]:
        """Return all parts whose answers are there and not acknowledged yet."""
        return {Part.from_field(identifier, field.decode()) for field in self._redis.hkeys(keys.results(identifier))}

    def results(self, parts: Sequence[Part]) -> dict[Part, bytes]:
        """Return the answers to parts of one job that are there, encoded: `Result.from_wire` decodes them."""
        if not parts:
            return {}
        values = self._redis.hmget(keys.results(parts[0].job), [part.field for part in parts])
        return {part: value for part, value in zip(parts, values, strict=True) if value is not None}

    def manifests(self, identifier: str) -> dict[int, Manifest]:
        """Return the manifests of all batches of a job that are not acknowledged, by sequence number."""
        return {
            int(sequence): Manifest.from_wire(value)
            for sequence, value in self._redis.hgetall(keys.manifest(identifier)).items()
        }

    def manifest(self, identifier: str, sequence: int) -> Manifest | None:
        """Return the names and labels of one batch, or None if it is not there any more."""
        value = self._redis.hget(keys.manifest(identifier), str(sequence))
        return None if value is None else Manifest.from_wire(value)

    def acknowledge(self, parts: Iterable[Part]) -> None:
        """Let Redis forget the answers to these parts of one batch: the client has kept them."""
        first, *rest = parts
        self._run(
            "ack",
            [keys.job(first.job), keys.manifest(first.job), keys.results(first.job)],
            [first.sequence, first.field, *(part.field for part in rest)],
        )

    def cancel(self, identifier: str) -> bool:
        """Stop a job; return False if it had ended already.

        Raises:
            UsageError: there is no such job.
        """
        answer = self._run(
            "cancel", [keys.job(identifier), keys.OPEN, keys.notifications(identifier)], [identifier, self._ttl]
        )
        if answer == -1:
            raise UsageError(f"There is no job {identifier}. `digitmill jobs` lists them.")
        return bool(answer)

    # A worker -----------------------------------------------------------------------------------------------------

    def claim(self, part: Part, *, token: str, holder: str, lease_seconds: float) -> Claim:
        """Take hold of a part, counting the attempt; the same token again gets the same answer."""
        verdict, *rest = self._run(
            "claim", [part.key, keys.OPEN, keys.job(part.job)], [part.member, token, holder, int(lease_seconds * 1000)]
        )
        if not rest:
            return Claim(part, Verdict(verdict.decode()), token)
        payload, attempts, model = rest
        return Claim(part, Verdict(verdict.decode()), token, payload, int(attempts), (model or b"").decode())

    def finish(self, claim: Claim, result: Result) -> bool:
        """Store the answers; return False if they came too late to count, which changes nothing."""
        job = claim.part.job
        answer = self._run(
            "finish",
            [
                claim.part.key,
                keys.OPEN,
                keys.job(job),
                keys.results(job),
                keys.notifications(job),
                keys.manifest(job),
                keys.worker(result.worker),
            ],
            [claim.part.member, claim.token, claim.part.field, result.to_wire(), len(result.failures), self._ttl],
        )
        return bool(answer)

    def split(self, claim: Claim, left: Batch, right: Batch) -> list[Part]:
        """Replace a part by its halves; return them, or nothing if it came too late."""
        halves = claim.part.halves()
        arguments: list[Any] = [claim.part.member, claim.token]
        for part, batch in zip(halves, (left, right), strict=True):
            arguments += [part.member, batch.to_wire(), len(batch)]
        answer = self._run(
            "split",
            [claim.part.key, keys.OPEN, keys.job(claim.part.job), halves[0].key, halves[1].key],
            [*arguments, self._ttl],
        )
        return list(halves) if answer else []

    def renew(self, part: Part, *, holder: str, lease_seconds: float) -> bool:
        """Prolong a holder's lease; return False if the part is not its own any more."""
        return bool(self._run("renew", [part.key, keys.OPEN], [part.member, holder, int(lease_seconds * 1000)]))

    def release(self, part: Part, *, holder: str, refund: bool, due_seconds: float = 0.0) -> bool:
        """Give a part back; `refund` where the attempt says nothing about its images."""
        return bool(
            self._run("release", [part.key, keys.OPEN], [part.member, holder, int(refund), int(due_seconds * 1000)])
        )

    def record_problem(self, identifier: str, problem: str) -> None:
        """Say on a job's record what hinders it."""
        if self._redis.exists(keys.job(identifier)):
            self._redis.hset(keys.job(identifier), "problem", problem)

    def due(self, *, at_most: int = 100, overdue_seconds: float = 0.0) -> list[Part]:
        """Return parts that are overdue by so much and postpone each: the caller is about to ring for them."""
        members = self._run("due", [keys.OPEN], [int(RING_AGAIN_SECONDS * 1000), at_most, int(overdue_seconds * 1000)])
        return [Part.from_member(member.decode()) for member in members]

    def announce(self, name: str, facts: Mapping[str, str | int | float], *, ttl_seconds: float) -> None:
        """Say that a worker is alive, and what is true of it; forgotten unless said again in time."""
        said = [word for fact in facts.items() for word in fact]
        arguments = [name, int(ttl_seconds * 1000), WORKERS_FORGOTTEN_MS, *said]
        self._run("announce", [keys.worker(name), keys.WORKERS], arguments)

    def report_model(self, name: str, version: str, fault: str) -> None:
        """Say which model a worker serves as the live one, and why not another, if it should."""
        self._run("report_model", [keys.worker(name)], [version, fault, MODEL_SAID_MS])

    def dismiss(self, name: str) -> None:
        """Forget a worker that has stopped."""
        self._redis.delete(keys.worker(name))
        self._redis.zrem(keys.WORKERS, name)

    # Anyone -------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return Redis' time: unix, seconds."""
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6

    def workers(self) -> list[WorkerStatus]:
        """Return the workers that are alive, by name."""
        names = sorted(name.decode() for name in self._redis.zrange(keys.WORKERS, 0, -1))
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hgetall(keys.worker(name))
            bodies = pipeline.execute()
        return [_worker_status(name, body) for name, body in zip(names, bodies, strict=True) if b"seen" in body]

    def job(self, identifier: str) -> JobStatus:
        """Return a job as it stands.

        Raises:
            UsageError: there is no such job.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.job(identifier))
            pipeline.zscore(keys.JOBS, identifier)
            body, created = pipeline.execute()
        if b"record" not in body:
            raise UsageError(f"There is no job {identifier}. `digitmill jobs` lists them.")
        return _job_status(identifier, body, created or 0.0)

    def jobs(self, *, latest: int = 1000) -> list[JobStatus]:
        """Return the latest jobs, newest first; those whose record has expired are forgotten."""
        entries = self._redis.zrevrange(keys.JOBS, 0, latest - 1, withscores=True)
        with self._redis.pipeline(transaction=False) as pipeline:
            for identifier, _ in entries:
                pipeline.hgetall(keys.job(identifier.decode()))
            bodies = pipeline.execute()
        found = []
        for (identifier, created), body in zip(entries, bodies, strict=True):
            if b"record" in body:
                found.append(_job_status(identifier.decode(), body, created))
            else:
                self._redis.zrem(keys.JOBS, identifier)
        return found

    def find_job(self, words: str) -> str:
        """Return the identifier meant by `last`, or by the beginning of one.

        Raises:
            UsageError: none or several are meant.
        """
        identifiers = self._identifiers()
        if words == "last":
            if not identifiers:
                raise UsageError("There are no jobs yet. `digitmill submit PATH` makes one.")
            return identifiers[0]
        if words in identifiers:
            return words
        meant = [identifier for identifier in identifiers if identifier.startswith(words)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise UsageError(f"{words} may mean {', '.join(meant[:5])}. Type more of it.")
        raise UsageError(f"There is no job {words}. `digitmill jobs` lists them.")

    def _identifiers(self) -> list[str]:
        """Return all jobs whose record has not expired, newest first."""
        identifiers = [name.decode() for name in self._redis.zrevrange(keys.JOBS, 0, -1)]
        with self._redis.pipeline(transaction=False) as pipeline:
            for identifier in identifiers:
                pipeline.exists(keys.job(identifier))
            there = pipeline.execute()
        return [identifier for identifier, exists in zip(identifiers, there, strict=True) if exists]


def _number(body: Mapping[bytes, bytes], field: bytes) -> int:
    return int(body.get(field, 0))


def _job_status(identifier: str, body: Mapping[bytes, bytes], created: float) -> JobStatus:
    return JobStatus(
        identifier=identifier,
        record=JobRecord.from_json(body[b"record"]),
        state=JobState(body[b"state"].decode()),
        created=created / 1000,
        ended=int(body[b"ended"]) / 1000 if b"ended" in body else None,
        images=_number(body, b"images"),
        answered=_number(body, b"answered"),
        failed=_number(body, b"failed"),
        open=_number(body, b"open"),
        unacknowledged=_number(body, b"unread"),
        problem=body.get(b"problem", b"").decode(),
    )


def _worker_status(name: str, body: Mapping[bytes, bytes]) -> WorkerStatus:
    return WorkerStatus(
        name=name,
        ready=body.get(b"ready") == b"1",
        model=body.get(b"model", b"").decode(),
        model_fault=body.get(b"model_fault", b"").decode(),
        images=_number(body, b"images"),
        started=float(body.get(b"started", 0)),
        seen=float(body[b"seen"]),
        process=_number(body, b"process"),
        startup_seconds=float(body.get(b"startup_seconds", 0)),
    )
