"""Gathering: send the batches of a job, take in the answers, and keep each answer before Redis deletes it."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from producer.jobs.journal import AnsweredBatch, Journal, ReceivedBatch
from producer.jobs.results import TimelinePoint
from producer.jobs.sending import JobProgress, ProgressCallback, Sender, ignore_progress
from producer.mill.connection import Connection, RetryingCaller
from producer.mill.doorbell_formats import unreached_workers
from worker.contract.errors import JobFailed, NoWorkers
from worker.contract.ledger import JobState, Part, Window
from worker.contract.wire import Batch, Manifest

WAIT_SECONDS = 0.5
"""Longest wait for a notification before the client looks at everything else."""

SWEEP_SECONDS = 2.0
"""Interval at which the client asks for all answers, because notifications can be lost with a connection."""

WORKER_CHECK_SECONDS = 2.0
"""Interval at which a client without answers checks its job and the workers."""

NO_WORKER = "no worker is running; start one with `digitmill up`"
"""Problem of a job that waits for workers, as progress bars show it."""

TIMELINE_POINTS = 400
"""Maximum number of points in a job's timeline."""


@dataclass(slots=True)
class _OutstandingBatch:
    """A batch that was sent and does not have all its answers yet."""

    manifest: Manifest
    images: int
    results: dict[Part, bytes] = field(default_factory=dict)  # in the wire format

    @property
    def complete(self) -> bool:
        return bool(self.results) and sum(map(len, self.results)) == self.images


class Gatherer:
    """Sends the batches of one job and gathers their answers.

    One thread does both, so it shares no state. It sends while the window has room, and gathers in between.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job. Its record exists.
        journal: Journal that keeps each answer before it is acknowledged.
        window: Limit of what may be outstanding.
        timeout: Seconds without any worker, or without Redis, after which to give up.
        on_progress: Progress callback, called several times a second.

    Attributes:
        timeline: Progress over time, at most `TIMELINE_POINTS` points.
        workers: Number of images that each worker process answered.
    """

    def __init__(
        self,
        connection: Connection,
        job: str,
        journal: Journal,
        window: Window,
        *,
        timeout: float,
        on_progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._connection = connection
        self._ledger = connection.ledger
        self._job = job
        self._journal = journal
        self._window = window
        self._timeout = timeout
        self._on_progress = on_progress
        self._call = RetryingCaller(connection, timeout, self._report_fault)
        self._sender = Sender(connection, job, window, detached=False, call=self._call)
        self._outstanding: dict[int, _OutstandingBatch] = {}
        self._started = self._last_progress = self._last_sweep = time.monotonic()
        self._next_worker_check = self._started
        self._sent = self._answered = self._failed = 0
        self._problem = ""
        self.timeline: list[TimelinePoint] = []
        self.workers: dict[str, int] = defaultdict(int)
        self._kept = {batch.sequence: batch.manifest for batch in journal.batches}
        for batch in journal.batches:
            self._sent += len(batch.manifest.names)
            self._count(batch)

    def run(self, batches: Iterable[tuple[Batch, Manifest]]) -> JobState:
        """Send all batches and gather all answers; return the state in which the job ended.

        The gatherer skips batches that the journal has, and sending a batch again changes nothing. Running an
        interrupted job again over the same source therefore resumes it.

        Args:
            batches: All batches of the job, in order.

        Raises:
            JobFailed: The job failed or was cancelled, or its source has changed since it was interrupted.
            NoWorkers: No worker was running for `timeout` seconds.
            Unreachable: Redis did not answer for `timeout` seconds.
            UsageError: The journal cannot be written.
            WireError: An answer is damaged.
        """
        self._acknowledge_kept()
        images = 0
        for sequence, (batch, manifest) in enumerate(batches):
            images += len(manifest.names)
            if sequence in self._kept:
                self._sender.check_unchanged(self._kept[sequence], manifest)
                continue
            self._send(sequence, batch, manifest)
            self._gather(wait=0.0)
        self._sender.seal(images)
        while self._outstanding:
            self._gather(wait=WAIT_SECONDS)
        # One step of the ledger stores the last answer and ends the job, so the state that it has now is final.
        state = self._call(self._ledger.job, self._job).state
        self._report_progress()
        if state is JobState.CANCELLED:
            raise JobFailed(f"Job {self._job} was cancelled. Submit it again.")
        if state is JobState.FAILED:
            raise JobFailed(f"Job {self._job} has failed. Submit it again.")
        return state

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def _send(self, sequence: int, batch: Batch, manifest: Manifest) -> None:
        # The ledger refuses what does not fit. Waiting here first saves sending a batch only to have it refused.
        while len(self._outstanding) >= self._window.batches:
            self._gather(wait=WAIT_SECONDS)
        self._sender.send(sequence, batch, manifest, make_room=lambda: self._gather(wait=WAIT_SECONDS))
        self._outstanding[sequence] = _OutstandingBatch(manifest, len(batch))
        self._sent += len(manifest.names)

    def _acknowledge_kept(self) -> None:
        """Acknowledge answers that are both in the journal and in Redis, because they take room in the window.

        They are there if a client died after it had kept an answer and before it acknowledged it.
        """
        if not self._kept:
            return
        parts_by_batch: dict[int, list[Part]] = defaultdict(list)
        for part in self._call(self._ledger.answered_parts, self._job):
            parts_by_batch[part.sequence].append(part)
        for sequence in parts_by_batch.keys() & self._kept.keys():
            self._call(self._ledger.acknowledge, parts_by_batch[sequence])

    def _gather(self, *, wait: float) -> None:
        """Take in the answers that have arrived.

        Args:
            wait: Longest wait for the first answer, in seconds.
        """
        parts = self._call(self._ledger.wait_for_notifications, self._job, wait)
        now = time.monotonic()
        if now - self._last_sweep > SWEEP_SECONDS:
            self._last_sweep = now
            parts |= self._call(self._ledger.answered_parts, self._job)
        wanted = [
            part
            for part in parts
            if part.sequence in self._outstanding and part not in self._outstanding[part.sequence].results
        ]
        if wanted:
            self._receive(wanted)
        self._connection.reconciler.tick()
        if wait and not wanted and now >= self._next_worker_check:
            self._next_worker_check = now + WORKER_CHECK_SECONDS
            self._check_workers()
        self._report_progress()

    def _receive(self, parts: list[Part]) -> None:
        """Fetch answers; keep, acknowledge and count each batch that they complete."""
        for part, result in self._call(self._ledger.results, parts).items():
            self._outstanding[part.sequence].results[part] = result
        complete: dict[int, list[Part]] = {}
        received: list[ReceivedBatch] = []
        for sequence in {part.sequence for part in parts}:
            batch = self._outstanding[sequence]
            if batch.complete:
                complete[sequence] = sorted(batch.results)
                received.append(
                    ReceivedBatch(sequence, batch.manifest, [batch.results[part] for part in complete[sequence]])
                )
        for answered in self._journal.keep(received):
            self._call(self._ledger.acknowledge, complete[answered.sequence])
            del self._outstanding[answered.sequence]
            self._count(answered)
        self._last_progress = time.monotonic()
        self._problem = ""

    def _count(self, batch: AnsweredBatch) -> None:
        self._answered += len(batch.manifest.names)
        self._failed += len(batch.manifest.failures) + sum(len(result.failures) for result in batch.results)
        for result in batch.results:
            self.workers[result.worker] += len(result)
        self.timeline.append(TimelinePoint(self.seconds, self._answered))
        if len(self.timeline) > TIMELINE_POINTS:
            self.timeline = self.timeline[1::2]

    def _check_workers(self) -> None:
        """Find out why no answer arrives, and record the reason for the progress callback.

        Raises:
            JobFailed: The job was cancelled.
            NoWorkers: No worker was running for `timeout` seconds.
        """
        job = self._call(self._ledger.job, self._job)
        if job.state is JobState.CANCELLED:
            raise JobFailed(f"Job {self._job} was cancelled. Submit it again.")
        if workers := self._call(self._ledger.workers):
            self._problem = job.problem or unreached_workers(workers)
            return
        self._problem = NO_WORKER
        if time.monotonic() - self._last_progress > self._timeout:
            raise NoWorkers(f"No worker answered for {self._timeout:.0f} s. Start workers with `digitmill up`.")

    def _report_fault(self, fault: object) -> None:
        self._problem = f"waiting for Redis ({fault})"
        self._report_progress()

    def _report_progress(self) -> None:
        in_flight = len(self._outstanding)
        self._on_progress(JobProgress(self._sent, self._answered, self._failed, in_flight, self.seconds, self._problem))


def gather_detached(connection: Connection, job: str, *, timeout: float) -> list[AnsweredBatch]:
    """Return the completely answered batches of a job that are in Redis, and leave them there for other clients.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job.
        timeout: Seconds without Redis after which to give up.

    Raises:
        Unreachable: Redis did not answer for `timeout` seconds.
        WireError: An answer is damaged.
    """
    ledger = connection.ledger

    def read() -> list[AnsweredBatch]:
        manifests = ledger.manifests(job)
        by_sequence: dict[int, list[Part]] = defaultdict(list)
        for part in sorted(ledger.answered_parts(job)):
            by_sequence[part.sequence].append(part)
        # A batch without a manifest is being acknowledged by a client, whose journal has the answers.
        batches = [
            ReceivedBatch(sequence, manifests[sequence], list(ledger.results(parts).values())).decode()
            for sequence, parts in by_sequence.items()
            if sequence in manifests
        ]
        return [batch for batch in batches if batch.complete]

    return connection.retry_transient(read, timeout=timeout)
