"""Sending: store each batch of a job in the ledger once, and ring the doorbell for it."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from producer.jobs.kept.sent import SentLog, digest_of
from producer.jobs.ownership import JobClient
from producer.jobs.patience import Patience
from producer.jobs.recovery import read_answers
from producer.mill.connection import Connection, RetryingCaller
from worker.contract.errors import JobFailed, WireError
from worker.contract.ledger import Checked, Part, Presence, Submitted, Window
from worker.contract.ledger.ledger import ATTEMPTS, RING_AGAIN_SECONDS
from worker.contract.telemetry.traces import SpanKind, span
from worker.contract.wire import Batch, Manifest

BATCHES_PER_WORKER = 8
"""Outstanding batches for each worker, so that none waits for the next batch."""

MIN_WINDOW = 16
"""Minimum number of batches in a window, however few workers there are."""

WINDOW_BYTES = 64 * 1024 * 1024
"""Maximum number of bytes of the outstanding batches of a job."""

COUNT_SECONDS = 10.0
"""Interval at which a client counts the workers, whose number may follow the batches that wait for them."""

FULL_WINDOW_PAUSE_SECONDS = 0.02
"""Pause of a detached client before it looks at a full window again."""

TRY_AGAIN_SECONDS = 0.5
"""Seconds after which a client tries a full window again, even if none of its batches was answered.

The share of a job in the window may have grown. If a client tried more rarely than `ledger.SENDING_MS` says, its job
would lose its share.
"""


class JobProgress(NamedTuple):
    """Progress of a job, for a progress bar."""

    sent: int  # images submitted so far
    answered: int  # images that were answered, or failed at the source
    failed: int  # those of `answered` that failed
    in_flight: int  # batches that were sent and are not answered yet
    seconds: float  # seconds since the start
    problem: str  # reason why the job makes no progress, or ""


CHECKS = 5
"""Number of times that a client looks for its job, and makes it again, before it gives up."""

ProgressCallback = Callable[[JobProgress], None]


def ignore_progress(_: JobProgress) -> None:
    """Do nothing: the default progress callback."""


class Sender:
    """Sends the batches of one job, each once, and again those that Redis loses.

    Args:
        client: Client of the job.
        log: What was sent.
        window: Limit of what may be outstanding.
        detached: Whether the client leaves before the answers are there.
        call: Caller that retries transient faults of Redis.

    Attributes:
        window: Limit of what may be outstanding now.
    """

    def __init__(
        self,
        client: JobClient,
        log: SentLog,
        window: Window,
        *,
        detached: bool,
        call: RetryingCaller,
    ) -> None:
        self._ledger = call.connection.ledger
        self._doorbell = call.connection.doorbell
        self._client = client
        self._owned = client.owned
        self._job = client.owned.identifier
        self._log = log
        self.window, self._counted = window, time.monotonic()
        self._detached = detached
        self._asks = False  # whether to ask for room before a batch is sent, because one was sent in vain
        self._call = call

    def adapt_window(self) -> None:
        """Give more workers a larger window, or fewer a smaller one, if they were not counted a moment ago."""
        if time.monotonic() < self._counted + COUNT_SECONDS:
            return
        self._counted = time.monotonic()
        with contextlib.suppress(WireError):  # somebody overwrote the list of workers, which the next heartbeat repairs
            self.window = window_for(len(self._call(self._ledger.workers)))

    def send(
        self,
        sequence: int,
        batch: Batch,
        manifest: Manifest,
        encoded: bytes,
        digest: bytes,
        *,
        make_room: Callable[[], None],
        find_job: Callable[[], object],
    ) -> None:
        """Store a batch and ring for it. A batch that Redis has is left as it is.

        Args:
            sequence: Number of the batch within the job.
            batch: Images.
            manifest: Names and labels of the images.
            encoded: The manifest in the wire format.
            digest: Digest of the batch.
            make_room: Called while the window is full; returns when it is worth trying again.
            find_job: Called when Redis does not have the job, or not as ours; raises an error unless it has now.

        Raises:
            JobFailed: The batch differs from the one sent before.
            Unreachable: Redis did not answer in time.
            UsageError: The log cannot be written.
            WireError: The stored manifest is damaged.
        """
        part, known = Part(self._job, sequence, 0, len(batch)), sequence in self._log.batches
        with span("send batch", kind=SpanKind.PRODUCER, job=self._job, batch=sequence, images=len(batch)) as trace:
            self._log.add(sequence, batch, len(manifest.names), digest, encoded)
            while True:
                outcome = self._call(
                    self._ledger.submit,
                    part,
                    batch,
                    manifest,
                    self.window,
                    detached=self._detached,
                    owner=self._owned.owner.token,
                    encoded=encoded,
                    trace=trace,
                    ask=self._asks,
                    doorbell=self._doorbell.message(part),
                )
                match outcome:
                    case Submitted.STORED:
                        return
                    case Submitted.SILENT:
                        self._doorbell.ring(part)  # which says why not, if it is refused again
                        return
                    case Submitted.ALREADY_THERE:
                        if not known:  # its log was lost, so only the names can be compared
                            self._check_names(sequence, manifest)
                        return
                    case Submitted.WINDOW_FULL:
                        self._asks = True
                        make_room()
                    case Submitted.NO_SUCH_JOB | Submitted.FENCED:
                        find_job()

    def _check_names(self, sequence: int, manifest: Manifest) -> None:
        """Check that a batch that Redis has got under this number has the same names.

        Raises:
            JobFailed: It has others.
        """
        stored = self._call(self._ledger.manifest, self._job, sequence)
        if stored is not None and stored != manifest:
            raise source_changed(self._job)

    def restore(self, part: Part, batch: Batch, encoded: bytes) -> None:
        """Store a part again that Redis has lost, and ring for it.

        Args:
            part: The part.
            batch: Images of the whole batch.
            encoded: Manifest of the whole batch in the wire format.
        """
        images = batch.part(part.start, part.stop)
        sending = span("send again", kind=SpanKind.PRODUCER, job=self._job, batch=part.field, images=len(part))
        with sending as trace:
            if self._restore(part, images, encoded, trace):
                self._doorbell.ring(part)

    def restore_manifest(self, part: Part, encoded: bytes) -> None:
        """Store the manifest of a batch again that Redis has lost."""
        self._restore(part, None, encoded)

    def _restore(self, part: Part, images: Batch | None, encoded: bytes, trace: str = "") -> bool:
        return self._call(
            self._owned.restore,
            part,
            images,
            encoded,
            due_seconds=RING_AGAIN_SECONDS,
            attempts=ATTEMPTS,
            trace=trace,
        )

    def check(self, sent: Mapping[int, int], *, sealed: bool, rows: int, answered: int, failed: int) -> Checked:
        """Compare what was sent with what Redis has, and make the job again if Redis has lost it.

        See `OwnedJob.check` for the arguments.

        Raises:
            JobFailed: The job was cancelled or has failed, another client has taken it over, or Redis loses it again
                and again.
            Unreachable: Redis did not answer in time.
        """
        for _ in range(CHECKS):
            checked = self._call(self._owned.check, sent, sealed=sealed, rows=rows, answered=answered, failed=failed)
            raise_if_stopped(self._job, checked.presence)
            if checked.presence is Presence.HERE:
                return checked
            self._client.reclaim()
        raise job_lost(self._job)

    def check_unchanged(self, sequence: int, digest: bytes) -> None:
        """Check that the source gives the batch that was sent before under this number, if one was.

        Raises:
            JobFailed: It gives another one, or one after what was its end.
        """
        before, total = self._log.batches.get(sequence), self._log.total
        if (before is not None and before.digest != digest) or (total is not None and sequence >= total):
            raise source_changed(self._job)

    def check_complete(self, batches: int) -> None:
        """Check that the source gave all batches that were sent before.

        Args:
            batches: Number of batches that the source gave.

        Raises:
            JobFailed: It gave fewer.
        """
        if any(sequence >= batches for sequence in self._log.batches):
            raise source_changed(self._job)


def source_changed(job: str) -> JobFailed:
    """Return the error of a job whose source is not what it was."""
    return JobFailed(f"Job {job} cannot be resumed because its source has changed. Submit it again as a new job.")


def job_lost(job: str) -> JobFailed:
    """Return the error of a job that Redis does not keep."""
    return JobFailed(f"Redis loses job {job} again and again. Look at its memory and its disk.")


def raise_if_stopped(job: str, presence: Presence) -> None:
    """Raise an error if a job takes no more images.

    Raises:
        JobFailed: The job was cancelled, or has failed.
    """
    if presence is Presence.CANCELLED:
        raise JobFailed(f"Job {job} was cancelled. Submit it again.")
    if presence is Presence.FAILED:
        raise JobFailed(f"Job {job} has failed. Submit it again.")


class DetachedSender:
    """Sends a job and leaves. The answers wait in Redis.

    Args:
        connection: Connection to the mill.
        client: Client of the job.
        log: What was sent.
        window: Limit of what may be outstanding.
        timeout: Seconds without progress, or without Redis, after which to give up.
        on_progress: Progress callback, called after each batch.
    """

    def __init__(
        self,
        connection: Connection,
        client: JobClient,
        log: SentLog,
        window: Window,
        *,
        timeout: float,
        on_progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._connection = connection
        self._ledger = connection.ledger
        self._job = client.owned.identifier
        self._client = client
        self._log = log
        self._on_progress = on_progress
        self._call = RetryingCaller(connection, timeout)
        self._sender = Sender(client, log, window, detached=True, call=self._call)
        self._patience = Patience(self._call)
        self._started = time.monotonic()
        self._rejected = sum(batch.rows - batch.images for batch in log.batches.values())
        self._resumed = False
        self._to_restore: dict[int, list[Part]] = {}

    def keeps(self, sequence: int) -> bool:
        """Return whether Redis had a batch when `run` began, so that nobody needs its images again."""
        return sequence in self._log.batches and sequence not in self._to_restore

    def run(self, batches: Iterable[tuple[Batch, Manifest] | None], *, recorded: bool = False) -> bool:
        """Send all batches that Redis does not have. Return whether it has all of them then.

        Redis may lose a batch that was sent, while others are sent. In that case, call this again.

        Args:
            batches: All batches of the job, in order. One that `keeps` may be None.
            recorded: Whether the order of the images is recorded, so that files may have changed.

        Raises:
            JobFailed: The job was cancelled, or its source has changed since it was interrupted.
            NoWorkers: The window stayed full, and there was no progress, for `timeout` seconds.
            Unreachable: Redis did not answer for `timeout` seconds.
            UsageError: The log of what was sent cannot be written.
            WireError: An answer is damaged.
        """
        self._resumed = bool(self._log.batches)
        self._to_restore = self._lost(sealed=False) if self._resumed else {}
        sent = rejected = count = 0
        for sequence, packed in enumerate(batches):
            if packed:
                self._send_or_restore(sequence, *packed, recorded=recorded)
            batch = self._log.batches[sequence]
            count, sent, rejected = sequence + 1, sent + batch.rows, rejected + batch.rows - batch.images
            self._patience.renew()
            self._on_progress(JobProgress(sent, rejected, rejected, 0, time.monotonic() - self._started, ""))
        self._sender.check_complete(count)
        self._log.finish(count)
        return not self._lost(sealed=True)

    def _send_or_restore(self, sequence: int, batch: Batch, manifest: Manifest, *, recorded: bool) -> None:
        encoded = manifest.to_wire()
        digest = digest_of(batch, encoded)
        if not recorded:
            self._sender.check_unchanged(sequence, digest)
        if sequence not in self._log.batches:
            self._rejected += len(manifest.failures)
            self._send(sequence, batch, manifest, encoded, digest)
        elif sequence in self._to_restore:
            for part in self._to_restore[sequence]:
                self._await_room()
                self._sender.restore(part, batch, encoded)
            self._sender.restore_manifest(Part(self._job, sequence, 0, len(batch)), encoded)

    def _send(self, sequence: int, batch: Batch, manifest: Manifest, encoded: bytes, digest: bytes) -> None:
        self._sender.send(
            sequence,
            batch,
            manifest,
            encoded,
            digest,
            make_room=self._await_share,
            find_job=lambda: self._check(sealed=False, failed=self._rejected),
        )

    def _await_room(self) -> None:
        while self._call(self._ledger.job, self._job).open >= self._sender.window.batches:
            self._await_workers()

    def _await_share(self) -> None:
        """Wait until one of the job's batches is answered, or until its share may have grown."""
        before, deadline = self._call(self._ledger.job, self._job).open, time.monotonic() + TRY_AGAIN_SECONDS
        while True:
            self._await_workers()
            if time.monotonic() > deadline or self._call(self._ledger.job, self._job).open < max(before, 1):
                return

    def _await_workers(self) -> None:
        self._connection.reconciler.tick()
        self._sender.adapt_window()
        if self._patience.is_look_due():
            problem = self._call(self._ledger.job, self._job).problem
            self._patience.look(problem, self._call(self._client.owned.queue))
            self._patience.check()
        time.sleep(FULL_WINDOW_PAUSE_SECONDS)

    def _lost(self, *, sealed: bool) -> dict[int, list[Part]]:
        """Return the parts that Redis has lost, by batch, and put all else about the job right."""
        checked = self._check(sealed=sealed, failed=self._rejected)
        # An uninterrupted client need not look at the answers.
        parts = checked.answered if self._resumed else ()
        failures = self._call(lambda: self._failures(parts))
        failed = self._rejected + sum(count for count in failures.values() if count is not None)
        damaged = [part for part, count in failures.items() if count is None]
        for part in damaged:
            self._call(self._ledger.acknowledge, [part])  # deletes it, and so it is sent again
        if damaged or failed != self._rejected:
            checked = self._check(sealed=sealed, failed=failed)
        lost: dict[int, list[Part]] = {}
        for part in checked.lost:
            lost.setdefault(part.sequence, []).append(part)
        # A batch without a manifest is lost too: nobody could name its images.
        for sequence in checked.bare:
            lost.setdefault(sequence, [])
        return lost

    def _failures(self, parts: Iterable[Part]) -> dict[Part, int | None]:
        """Return the number of error rows in the answers to some parts, or None for a damaged answer."""
        answers = read_answers(self._connection, parts)
        return {part: None if answer is None else len(answer.failures) for part, answer in answers}

    def _check(self, *, sealed: bool, failed: int) -> Checked:
        sent = {sequence: batch.images for sequence, batch in self._log.batches.items()}
        rows = sum(batch.rows for batch in self._log.batches.values())
        return self._sender.check(sent, sealed=sealed, rows=rows, answered=self._rejected, failed=failed)


def window_for(workers: int) -> Window:
    """Return a window that keeps a number of workers busy and bounds the memory that a job takes."""
    return Window(max(MIN_WINDOW, BATCHES_PER_WORKER * workers), WINDOW_BYTES)
