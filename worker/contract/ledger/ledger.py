"""The ledger's operations: one method for each script, and the reads."""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, ResponseError

from model.errors import Failure, FailureCode, UsageError
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.gate.keys import GATE
from worker.contract.ledger import keys
from worker.contract.ledger.keys import Part
from worker.contract.ledger.owned import OwnedJob, Owner
from worker.contract.ledger.records import JobRecord, JobStatus, WorkerStatus
from worker.contract.liveness import ALIVE_SECONDS, GONE_SECONDS, SLACK_SECONDS
from worker.contract.scripts import load_scripts
from worker.contract.telemetry.traces import read_traceparent
from worker.contract.validation import bounds, identifiers
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import CheckedRedis, Listed, hash_of
from worker.contract.wire import Batch, Manifest, Result

if TYPE_CHECKING:
    import redis

ATTEMPTS = 3
"""Number of times that workers may begin a batch without finishing it. After that it is split."""

SPLIT_ATTEMPTS = 3
"""Number of times that workers may begin to split a batch. Then its images are quarantined together."""

RING_AGAIN_SECONDS = 5.0
"""Seconds after a doorbell rang. If no worker has claimed its batch by then, the batch is overdue."""

SENDING_MS = 1000
"""Time, in ms, after a job sent a batch, or tried to, for which it counts as one that sends."""

LEAST_SHARE = 2
"""Number of batches of each job that may be outstanding, however many jobs send. One would leave workers idle."""

LARGE_BYTES = 16 * 1024
"""Size from which a payload does not pass through scripts, because Lua would copy it several times."""

WORKERS_FORGOTTEN_MS = 3_600_000
"""Time, in ms, after which a dead worker leaves the list. Its report expires long before that."""


class Submitted(IntEnum):
    """The outcome of `Ledger.submit`."""

    FENCED = -2  # another client owns the job
    NO_SUCH_JOB = -1
    WINDOW_FULL = 0
    STORED = 1
    ALREADY_THERE = 2
    ROOM = 3  # only to those who ask, so that they send the batch now
    OTHER = 4  # a record of this batch is there, although the job does not know of it, and is written over
    SILENT = 5  # stored, but the doorbell could not be rung


class Verdict(StrEnum):
    """What a worker that claims a part must do."""

    GONE = "gone"  # nothing: the part is answered, or its job has ended
    BUSY = "busy"  # nothing: another worker has it
    PAUSED = "paused"  # nothing: the queue is paused
    WORK = "work"
    SPLIT = "split"  # split it: it has failed too often
    QUARANTINE = "quarantine"  # give each image an error row: it has failed too often, and cannot be split (any more)
    OVERSIZED = "oversized"  # give each image an error row: no client sends so many bytes, so it is not even fetched


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's claim on a part.

    Attributes:
        part: The part.
        verdict: What the worker must do.
        token: Token of this claim. Only the latest claim on a part may finish or split it.
        payload: Encoded batch (see `Batch.from_wire`), or b"" unless the worker must work on it or split it.
        attempts: Number of attempts at this part so far, or 0 if there is nothing to do.
        model: Version of the model that the job asks for, or "" if there is nothing to do.
        trace: Context of the client's span (`telemetry.traces`), or "" if the client does not trace.
        waited: Seconds since the part was submitted; negative if nobody noted when. Claims that differ only in this
            are equal.
    """

    part: Part
    verdict: Verdict
    token: str
    payload: bytes = b""
    attempts: int = 0
    model: str = ""
    trace: str = ""
    waited: float = dataclasses.field(default=-1.0, compare=False)


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a job may be outstanding at a time.

    Attributes:
        batches: Maximum number of batches.
        bytes: Maximum size of all encoded batches together. A single larger batch passes alone.
    """

    batches: int
    bytes: int


_RECORD_FIELDS = 100  # at most, of the record of a job or of a worker
_LOOKED_AT = 20  # records in one round trip
_SEQUENCE_DIGITS = 15  # at most, of the sequence number of a batch


class Ledger:
    """Everything that a Redis keeps about jobs, batches and workers.

    No method waits or retries. Each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every
    method raises redis-py's errors.

    Whoever can write to Redis may have written anything anywhere. Methods that list several records leave the damaged
    ones out, and name them where they return a `Listed`.

    Args:
        client: Connection of `connection.connect`.
        ttl_seconds: Time without any event after which Redis forgets a job.

    Raises:
        WireError: A key holds another type than the ledger stores there.
    """

    def __init__(self, client: "redis.Redis", *, ttl_seconds: float = 7 * 86400) -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = CheckedRedis(client)
        self._ttl = int(ttl_seconds * 1000)
        self._scripts = load_scripts(
            client,
            "worker.contract.ledger",
            (
                "create",
                "submit",
                "claim",
                "finish",
                "split",
                "renew",
                "release",
                "due",
                "ack",
                "cancel",
                "announce",
                "report_model",
                "problem",
                "record",
            ),
        )

    def _run(self, script: str, script_keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._scripts[script](keys=script_keys, args=arguments)

    # A job's client -----------------------------------------------------------------------------------------------

    def create(self, identifier: str, record: JobRecord, *, creator: str = "", created: float | None = None) -> bool:
        """Open a job. Return False, and change nothing, if another client has opened one of that name.

        Args:
            identifier: Identifier of the job.
            record: What is fixed when the job is made.
            creator: Random token of the caller, which may repeat the call.
            created: Time of creation: unix time, seconds; None for now.
        """
        answer = self._run(
            "create",
            [keys.job(identifier), keys.JOBS],
            [identifier, record.to_json(), record.model, creator, int((created or 0) * 1000), self._ttl],
        )
        return bool(answer)

    def owned(self, identifier: str, owner: Owner) -> OwnedJob:
        """Return a job as its client sees it."""
        return OwnedJob(self._redis, identifier, owner, ttl_ms=self._ttl)

    def submit(
        self,
        part: Part,
        batch: Batch,
        manifest: Manifest,
        window: Window,
        *,
        detached: bool,
        owner: str = "",
        encoded: bytes = b"",
        trace: str = "",
        ask: bool = False,
        doorbell: tuple[str, str] = ("", ""),
    ) -> Submitted:
        """Store a batch if the job's window has room for it. All jobs that send at the same time share one window.

        Args:
            part: The whole batch: `start` is 0, and `stop` is the number of its images.
            batch: The images.
            manifest: Their names and labels, and the images that could not be read.
            window: How much may be outstanding. Unacknowledged batches count too, unless the job is detached.
            detached: Whether no client gathers answers while the job runs.
            owner: Token of the job's owner, or "" if it has none.
            encoded: The manifest in the wire format, or b"" to encode it here.
            trace: Context of the span in which the batch is sent, or "" if the client does not trace.
            ask: Whether to ask for room first, so that a batch that is likely to be refused is not sent in vain.
            doorbell: List of doorbells and the one to put there in the same step (`Doorbell.message`), or two empty
                texts.

        Returns:
            Whether the batch was stored, or why not.

        Raises:
            UsageError: The batch is larger than workers accept.
        """
        payload, rows = batch.to_wire(), encoded or manifest.to_wire()
        if (
            len(manifest.names) > bounds.MAX_IMAGES
            or len(payload) > bounds.MAX_BATCH_BYTES
            or len(rows) > bounds.MAX_MANIFEST_BYTES
        ):
            raise UsageError(
                f"Batch {part.sequence} of job {part.job} is too large: {len(manifest.names):,} images, "
                f"{len(payload):,} bytes, and {len(rows):,} bytes of names and errors. Submit the images with a "
                "smaller --batch-size, and with shorter names."
            )
        script_keys = [
            keys.job(part.job),
            keys.manifest(part.job),
            keys.notifications(part.job),
            keys.results(part.job),
            part.key,
            keys.OPEN,
            keys.SENDING,
        ]

        def arguments(payload: bytes, rows: bytes, how: str) -> list[Any]:
            return [
                part.sequence,
                part.member,
                payload,
                len(batch),
                rows,
                len(manifest.names),
                len(manifest.failures),
                window.batches,
                window.bytes,
                int(detached),
                int(RING_AGAIN_SECONDS * 1000),
                ATTEMPTS,
                self._ttl,
                owner,
                part.job,
                SENDING_MS,
                LEAST_SHARE,
                trace,
                size,
                how,
                *doorbell,
            ]

        size = len(payload)
        if ask:
            outcome = Submitted(self._run("submit", script_keys, arguments(b"", b"", "later")))
            if outcome is not Submitted.ROOM:
                return outcome
        if size >= LARGE_BYTES:
            outcome = Submitted(self._run_beside(part, payload, "submit", script_keys, arguments(b"", rows, "beside")))
            if outcome is not Submitted.OTHER:
                return outcome
        return Submitted(self._run("submit", script_keys, arguments(payload, rows, "here")))

    def _run_beside(
        self, part: Part, payload: bytes, name: str, script_keys: Sequence[str], arguments: Sequence[Any]
    ) -> Any:
        """Put a payload into the record of a part, unless there is one, and run a script, in one transaction."""
        script = self._scripts[name]
        while True:
            try:
                with self._redis.pipeline(transaction=True) as pipeline:
                    pipeline.hsetnx(part.key, "payload", payload)
                    pipeline.pexpire(part.key, self._ttl)  # Redis may not know the script, and then keeps the payload
                    pipeline.evalsha(script.sha, len(script_keys), *script_keys, *arguments)
                    *_, answer = pipeline.execute(raise_on_error=False)
            except ResponseError as fault:  # redis-py puts the command before what Redis says
                raise type(fault)(str(fault).rpartition(" of pipeline caused error: ")[2]) from None
            if not isinstance(answer, NoScriptError):
                break
            self._redis.script_load(script.script)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait_for_notifications(self, identifier: str, seconds: float) -> set[Part]:
        """Return the parts that were answered since the last call. If there are none, wait for the first.

        Notifications can be lost with a connection. Only `answered_parts` is reliable. Notifications save calls of it.

        Args:
            identifier: Id of the job.
            seconds: Maximum time to wait; 0 for not at all.
        """
        key = keys.notifications(identifier)
        # For less than 10 ms redis-py would send "0", which means forever.
        first = self._redis.blpop([key], timeout=max(seconds, 0.01)) if seconds else None
        fields = [first[1]] if first else []
        if first or not seconds:
            fields += self._redis.lpop(key, 1000) or []
        return _parts(identifier, fields)

    def answered_parts(self, identifier: str) -> set[Part]:
        """Return all parts of a job with answers that are not acknowledged yet."""
        return _parts(identifier, self._redis.hkeys(keys.results(identifier)))

    def results(self, parts: Sequence[Part], *, with_damaged: bool = True) -> dict[Part, bytes]:
        """Return the encoded answers (see `Result.from_wire`) to parts of one job. Parts without one are left out.

        Args:
            parts: Parts of one job.
            with_damaged: Whether damaged answers come back as they are. Otherwise each comes back as an error row for
                each image, so that a job whose client cannot ask again ends all the same.

        Raises:
            UnknownFormat: An answer has a format that this program does not read, and damaged ones are to be replaced.
        """
        if not parts:
            return {}
        values = self._redis.hmget(keys.results(parts[0].job), [part.field for part in parts])
        found = {part: value for part, value in zip(parts, values, strict=True) if value is not None}
        return found if with_damaged else {part: _checked(part, value) for part, value in found.items()}

    def manifests(self, identifier: str) -> dict[int, Manifest]:
        """Return the manifests of all batches that are not acknowledged yet, by sequence number.

        A field that is not a sequence number was written by somebody else, and is left out.

        Raises:
            WireError: A manifest is damaged.
        """
        return {
            int(sequence): Manifest.from_wire(value)
            for sequence, value in self._redis.hgetall(keys.manifest(identifier)).items()
            if sequence.isdigit() and len(sequence) <= _SEQUENCE_DIGITS
        }

    def manifest(self, identifier: str, sequence: int) -> Manifest | None:
        """Return the manifest of one batch, or None if it is acknowledged."""
        value = self._redis.hget(keys.manifest(identifier), str(sequence))
        return None if value is None else Manifest.from_wire(value)

    def acknowledge(self, parts: Iterable[Part], *, owner: str = "") -> None:
        """Delete the answers to one or more parts of one batch, because the client has kept them.

        This changes nothing if another client owns the job.

        Args:
            parts: Parts of one batch.
            owner: Token of the job's owner, or "" if it has none.
        """
        first, *rest = parts
        self._run(
            "ack",
            [keys.job(first.job), keys.manifest(first.job), keys.results(first.job)],
            [owner, first.sequence, first.field, *(part.field for part in rest)],
        )

    def cancel(self, identifier: str) -> bool:
        """Stop a job. Return False if it had ended already.

        Raises:
            UsageError: There is no such job.
        """
        answer = self._run(
            "cancel", [keys.job(identifier), keys.OPEN, keys.notifications(identifier)], [identifier, self._ttl]
        )
        if answer == -1:
            raise UsageError(_no_such_job(identifier))
        return bool(answer)

    # A worker -----------------------------------------------------------------------------------------------------

    def claim(self, part: Part, *, token: str, holder: str, lease_seconds: float) -> Claim:
        """Claim a part and count the attempt. Repeating a claim with the same token returns the same claim.

        Args:
            part: The part.
            token: New random token of this claim.
            holder: Name of the worker.
            lease_seconds: Time after which another worker may claim the part, unless the lease is renewed.
        """
        verdict, *rest = self._run(
            "claim",
            [part.key, keys.OPEN, keys.job(part.job), GATE],
            [
                part.member,
                token,
                holder,
                int(lease_seconds * 1000),
                len(part),
                bounds.MAX_BATCH_BYTES,
                ATTEMPTS,
                SPLIT_ATTEMPTS,
                LARGE_BYTES,
            ],
        )
        if not rest:
            return Claim(part, Verdict(verdict.decode()), token)
        payload, attempts, model, waited, trace = rest
        if payload is None and (payload := self._redis.hget(part.key, "payload")) is None:
            return Claim(part, Verdict.GONE, token)  # it went just now
        version = model.decode() if model and identifiers.is_valid(Kind.VERSION, model) else ""
        seconds, trace = int(waited) / 1000, read_traceparent(trace)
        return Claim(part, Verdict(verdict.decode()), token, payload, int(attempts), version, trace, seconds)

    def finish(self, claim: Claim, result: Result) -> bool:
        """Store the answers to a claimed part. Return False, and change nothing, if they came too late."""
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
            [
                claim.part.member,
                claim.token,
                claim.part.field,
                result.to_wire(),
                len(claim.part),
                len(result.failures),
                self._ttl,
            ],
        )
        return bool(answer)

    def split(self, claim: Claim, batch: Batch) -> list[Part]:
        """Replace a claimed part by its halves, which are due at once.

        Args:
            claim: Claim on the part.
            batch: Its images.

        Returns:
            The two halves, or an empty list if the call came too late.
        """
        whole, halves = claim.part, claim.part.halves()
        arguments: list[Any] = [whole.member, claim.token]
        for half in halves:
            images = batch.part(half.start - whole.start, half.stop - whole.start)
            arguments += [half.member, images.to_wire(), len(half)]
        answer = self._run(
            "split",
            [whole.key, keys.OPEN, keys.job(whole.job), *(half.key for half in halves)],
            [*arguments, self._ttl],
        )
        return list(halves) if answer else []

    def renew(self, part: Part, *, holder: str, lease_seconds: float) -> bool:
        """Renew the lease of a part's holder. Return False if this worker does not hold the part."""
        return bool(self._run("renew", [part.key, keys.OPEN], [part.member, holder, int(lease_seconds * 1000)]))

    def release(self, part: Part, *, holder: str, refund: bool, due_seconds: float = 0.0) -> bool:
        """Give a part back. Return False if this worker does not hold it.

        Args:
            part: The part.
            holder: Name of the worker that gives it back.
            refund: Whether the attempt does not count, because it says nothing about the images.
            due_seconds: Time after which a reconciler rings for it.
        """
        return bool(
            self._run("release", [part.key, keys.OPEN], [part.member, holder, int(refund), int(due_seconds * 1000)])
        )

    def record_problem(self, identifier: str, problem: str) -> None:
        """Record what hinders a job. This is ignored if there is no such job."""
        self._run("problem", [keys.job(identifier)], [problem[: bounds.MAX_TEXT]])

    def due(self, *, at_most: int = 100, overdue_seconds: float = 0.0) -> list[Part]:
        """Return overdue parts and postpone each, because the caller will ring for them. Drop what is not a part.

        While the queue is paused, there are none.

        Args:
            at_most: Maximum number of parts. Those that are overdue for longest come first.
            overdue_seconds: Time by which they must be overdue. A negative one includes those that will be soon.
        """
        members = self._run(
            "due", [keys.OPEN, GATE], [int(RING_AGAIN_SECONDS * 1000), at_most, int(overdue_seconds * 1000)]
        )
        found, strangers = [], []
        for member in members:
            try:
                found.append(Part.from_member(member.decode()))
            except (WireError, UnicodeDecodeError):
                strangers.append(member)
        if strangers:
            self._redis.zrem(keys.OPEN, *strangers)
        return found

    def announce(self, name: str, facts: Mapping[str, str | int | float], *, ttl_seconds: float) -> None:
        """Record that a worker is alive.

        Args:
            name: Name of the worker.
            facts: Fields of `WorkerStatus` that it reports.
            ttl_seconds: Time after which the worker counts as dead unless it announces itself again. Redis forgets the
                report a little later (`GONE_SECONDS`).
        """
        words = [word for fact in facts.items() for word in fact]
        shown = GONE_SECONDS - ALIVE_SECONDS
        arguments = [name, int(ttl_seconds * 1000), int(shown * 1000), WORKERS_FORGOTTEN_MS, *words]
        self._run("announce", [keys.worker(name), keys.WORKERS], arguments)

    def report_model(self, name: str, version: str, fault: str) -> None:
        """Record which model a worker serves.

        Args:
            name: Name of the worker.
            version: Version that it serves as the live one.
            fault: Why it does not serve the version that is live, or "".
        """
        self._run("report_model", [keys.worker(name)], [version, fault, int(ALIVE_SECONDS * 1000)])

    def remove_worker(self, name: str) -> None:
        """Remove a worker that has stopped."""
        self._redis.delete(keys.worker(name))
        self._redis.zrem(keys.WORKERS, name)

    # Anyone -------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time of Redis: unix time, seconds."""
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6

    def workers(self, *, silent: bool = False) -> Listed[WorkerStatus]:
        """Return the workers that are alive, sorted by name.

        Args:
            silent: Whether those are among them that count as dead since a few seconds (`GONE_SECONDS`).
        """
        found: Listed[WorkerStatus] = Listed()
        names = found.names(Kind.PROCESS, sorted(self._redis.zrange(keys.WORKERS, 0, -1)))
        for name, body in zip(names, self._hashes([keys.worker(name) for name in names]), strict=True):
            if isinstance(body, WireError) or b"seen" in body:  # else its last report has expired
                found.add(name, partial(WorkerStatus.from_hash, name, body))
        if found:
            # A report from before the clock was set back expires only when the clock is there again.
            now = self.now()
            found[:] = [
                worker
                for worker in found
                if worker.seen <= now + SLACK_SECONDS and (silent or now <= worker.alive_until)
            ]
        return found

    def job(self, identifier: str) -> JobStatus:
        """Return a job as it stands.

        Raises:
            UsageError: There is no such job.
            WireError: Its record is damaged.
        """
        [body] = self._hashes([keys.job(identifiers.read(Kind.JOB, identifier))])
        created = self._redis.zscore(keys.JOBS, identifier)
        if not body:
            raise UsageError(_no_such_job(identifier))
        return JobStatus.from_hash(identifier, body, created=(created or 0.0) / 1000)

    def jobs(self, *, latest: int = 1000, little: bool = True) -> Listed[JobStatus]:
        """Return jobs, newest first. Remove those with an expired record from the list.

        Args:
            latest: Maximum number of jobs.
            little: Whether little jobs are among them (see `JobRecord.is_little`).
        """
        found: Listed[JobStatus] = Listed()
        created = dict(self._redis.zrevrange(keys.JOBS, 0, -1, withscores=True))
        names = found.names(Kind.JOB, created)
        for start in range(0, len(names), latest):
            some = names[start : start + latest]
            for name, body in zip(some, self._hashes([keys.job(name) for name in some]), strict=True):
                if body:
                    read = partial(JobStatus.from_hash, name, body, created=created[name.encode()] / 1000)
                    found.add(name, read)
                else:
                    self._redis.zrem(keys.JOBS, name)
            if not little:
                found[:] = [status for status in found if not status.record.is_little]
            if len(found) >= latest:  # damaged ones do not count, or they would hide the others
                break
        del found[latest:]
        return found

    def _hashes(self, names: Sequence[str]) -> list[dict[bytes, bytes] | WireError]:
        """Return what the hashes under these keys hold, or the error for one that is too large or of another type."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                limits = [_RECORD_FIELDS, 2 * bounds.MAX_RECORD_BYTES]
                self._scripts["record"](keys=[name], args=limits, client=pipeline)
            bodies = pipeline.execute(raise_on_error=False)
        return [hash_of(name, body) for name, body in zip(names, bodies, strict=True)]

    def find_job(self, query: str) -> str:
        """Return the id of the job that is meant by `last`, by an id, or by the beginning of an id.

        The last job is never a little one, because whoever submitted a folder still means that one after `classify`.

        Raises:
            UsageError: No job or several are meant.
        """
        names = self._identifiers()
        if query == "last":
            return self._last(names)
        if query in names:
            return query
        meant = [name for name in names if query and name.startswith(query)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise UsageError(f"{query} may mean {', '.join(meant[:5])}. Type more of it.")
        raise UsageError(_no_such_job(query))

    def _last(self, names: Sequence[str]) -> str:
        """Return the first of these jobs that is not little. One with a damaged record may be what is meant."""
        for start in range(0, len(names), _LOOKED_AT):
            some = names[start : start + _LOOKED_AT]
            for name, body in zip(some, self._hashes([keys.job(name) for name in some]), strict=True):
                try:
                    if not JobStatus.from_hash(name, body, created=0.0).record.is_little:
                        return name
                except WireError:
                    return name
        raise UsageError("This mill has no jobs. `digitmill submit PATH` creates one.")

    def _identifiers(self) -> list[str]:
        """Return the ids of all jobs with a record that has not expired, newest first."""
        stored = self._redis.zrevrange(keys.JOBS, 0, -1)
        names = [name.decode() for name in stored if identifiers.is_valid(Kind.JOB, name)]
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.exists(keys.job(name))
            there = pipeline.execute()
        return [name for name, exists in zip(names, there, strict=True) if exists]


def _parts(job: str, fields: Iterable[bytes]) -> set[Part]:
    """Return the parts of a job that these fields name. Others do not say anything about the job."""
    found = set()
    for field in fields:
        with contextlib.suppress(WireError, UnicodeDecodeError):
            found.add(Part.from_field(job, field.decode()))
    return found


def _checked(part: Part, answer: bytes) -> bytes:
    """Return an answer if it is one to this part, or else an error row for each image.

    Raises:
        UnknownFormat: The answer has a format that this program does not read.
    """
    try:
        if len(Result.from_wire(answer)) == len(part):
            return answer
    except UnknownFormat:
        raise
    except WireError:
        pass
    return Result.failed(len(part), _DAMAGED_ANSWER).to_wire()


_DAMAGED_ANSWER = Failure(
    FailureCode.INTERNAL,
    "The answer to the batch of this image was damaged in Redis. Resume the job, or submit the image again.",
)


def _no_such_job(name: str) -> str:
    return f"This mill does not have job {name}. `digitmill jobs` lists those that it has."
