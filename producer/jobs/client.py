"""The client of the queue: sends a source's images through the mill and gathers every answer."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from producer.jobs.journal import AnsweredBatch, Journal
from producer.jobs.results import TimelinePoint
from producer.mill.connection import Connection
from worker.contract.errors import JobFailed, NoWorkers
from worker.contract.ledger import JobState, Ledger, Part, Submitted, Window
from worker.contract.wire import Batch, Manifest, Result

BATCHES_PER_WORKER = 8
MIN_WINDOW = 16
WINDOW_BYTES = 64 * 1024 * 1024

SWEEP_SECONDS = 2.0
"""How often answers are looked for that no news told of (it can be lost with a connection)."""

LOOK_FOR_WORKERS_SECONDS = 2.0
NO_WORKER = "no worker is running; start one with `digitmill up`"
TIMELINE_POINTS = 400

_Value = TypeVar("_Value")


class JobProgress(NamedTuple):
    """How a job stands, for a progress bar."""

    sent: int  # images submitted so far
    answered: int  # of those, answered or failed at the source
    failed: int  # of the answered
    in_flight: int  # batches
    seconds: float  # since the start
    hindrance: str  # why nothing moves, or ""


@dataclass(slots=True)
class _Outstanding:
    """A batch that is sent and not wholly answered."""

    manifest: Manifest
    images: int
    results: dict[Part, Result] = field(default_factory=dict)

    def complete(self) -> bool:
        return bool(self.results) and sum(len(part) for part in self.results) == self.images


class Gathering:
    """Sends the batches of one job and keeps their answers.

    One thread does both, so nothing is shared: it sends while the window has room and gathers in between.

    Args:
        connection: to the mill.
        job: the job's identifier; its record exists.
        journal: keeps answers before they are acknowledged.
        timeout: seconds without any worker, or without Redis, after which to give up.
        on_progress: told how things stand, several times a second.
    """

    def __init__(
        self,
        connection: Connection,
        job: str,
        journal: Journal,
        *,
        timeout: float,
        on_progress: Callable[[JobProgress], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._ledger = connection.ledger
        self._job = job
        self._journal = journal
        self._patience = timeout
        self._on_progress = on_progress
        self._outstanding: dict[int, _Outstanding] = {}
        self._begun = self._moved = time.monotonic()
        self._swept, self._looked = self._begun, 0.0
        self._sent = self._answered = self._failed = 0
        self._hindrance = ""
        self.timeline: list[TimelinePoint] = []
        self.workers: dict[str, int] = defaultdict(int)
        self._kept: dict[int, Manifest] = {}
        for batch in journal.batches():
            self._kept[batch.sequence] = batch.manifest
            self._sent += len(batch.manifest.names)
            self._count(batch)

    def run(self, batches: Iterable[tuple[Batch, Manifest]], window: Window) -> JobState:
        """Send all batches, gather all answers; return the state in which the job ended.

        Batches that the journal has are passed over, and sending one again changes nothing: so a job that was
        interrupted is resumed by running it again over the same source.

        Raises:
            JobFailed: the job was cancelled, or it is resumed over a source that has changed.
            NoWorkers: no worker was there for as long as patience lasts.
            Unreachable: nor was Redis.
        """
        self._acknowledge_kept()
        images = 0
        for sequence, (batch, manifest) in enumerate(batches):
            images += len(manifest.names)
            if sequence in self._kept:
                _check_same(self._job, self._kept[sequence], manifest)
                continue
            self._send(sequence, batch, manifest, window)
            self._gather(0.0)
        self._retry(lambda: _check_all_here(self._ledger, self._job, images))
        state = self._retry(lambda: self._ledger.seal(self._job))
        while self._outstanding:
            self._gather(0.5)
        # The last answer and the end of the job are one step of the ledger: what it says now is final.
        state = self._retry(lambda: self._ledger.job(self._job).state)
        self._on_progress(self._situation())
        if state in (JobState.CANCELLED, JobState.FAILED):
            raise JobFailed(f"Job {self._job} was {state}.")
        return state

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    def _send(self, sequence: int, batch: Batch, manifest: Manifest, window: Window) -> None:
        part = Part(self._job, sequence, 0, len(batch))
        while True:
            outcome = self._retry(lambda: self._ledger.submit(part, batch, manifest, window, detached=False))
            match outcome:
                case Submitted.STORED | Submitted.ALREADY_THERE:
                    break
                case Submitted.WINDOW_FULL:
                    self._gather(0.5)
                case Submitted.NO_SUCH_JOB:
                    raise JobFailed(f"Job {self._job} was cancelled, or its record has expired.")
        if outcome is Submitted.STORED:
            self._connection.doorbell.ring(part)
        else:
            stored = self._retry(lambda: self._ledger.manifest(self._job, sequence))
            _check_same(self._job, stored, manifest)
        self._outstanding[sequence] = _Outstanding(manifest, len(batch))
        self._sent += len(manifest.names)

    def _acknowledge_kept(self) -> None:
        """Of a client that died between keeping and acknowledging, the answers still take room in the window."""
        answered = self._retry(lambda: self._ledger.answered_parts(self._job)) if self._kept else set()
        for sequence in {part.sequence for part in answered} & self._kept.keys():
            parts = [part for part in answered if part.sequence == sequence]
            self._retry(lambda parts=parts: self._ledger.acknowledge(parts))  # type: ignore[misc]

    def _gather(self, wait: float) -> None:
        """Take in the answers that are there, waiting so many seconds for the first."""
        parts = self._retry(lambda: self._ledger.wait_for_notifications(self._job, wait))
        now = time.monotonic()
        if now - self._swept > SWEEP_SECONDS:
            self._swept = now
            parts |= self._retry(lambda: self._ledger.answered_parts(self._job))
        wanted = [
            part
            for part in parts
            if part.sequence in self._outstanding and part not in self._outstanding[part.sequence].results
        ]
        if wanted:
            self._take(wanted)
        self._connection.reconciler.tick()
        if not wanted and wait:
            self._look_for_workers(now)
        self._on_progress(self._situation())

    def _take(self, parts: list[Part]) -> None:
        for part, result in self._retry(lambda: self._ledger.results(parts)).items():
            self._outstanding[part.sequence].results[part] = result
        complete = []
        for sequence in {part.sequence for part in parts}:
            outstanding = self._outstanding[sequence]
            if outstanding.complete():
                results = [outstanding.results[part] for part in sorted(outstanding.results)]
                complete.append(AnsweredBatch(sequence, outstanding.manifest, results))
        self._journal.keep(complete)
        for batch in complete:
            parts_of_batch = sorted(self._outstanding.pop(batch.sequence).results)
            self._retry(lambda parts=parts_of_batch: self._ledger.acknowledge(parts))  # type: ignore[misc]
            self._count(batch)
        self._moved = time.monotonic()
        self._hindrance = ""

    def _count(self, batch: AnsweredBatch) -> None:
        self._answered += len(batch.manifest.names)
        self._failed += len(batch.manifest.failures) + sum(len(result.failures) for result in batch.results)
        for result in batch.results:
            self.workers[result.worker] += len(result)
        self.timeline.append(TimelinePoint(self.seconds, self._answered))
        if len(self.timeline) > TIMELINE_POINTS:
            self.timeline = self.timeline[1::2]

    def _look_for_workers(self, now: float) -> None:
        if now - self._looked < LOOK_FOR_WORKERS_SECONDS:
            return
        self._looked = now
        job = self._retry(lambda: self._ledger.job(self._job))
        if job.state is JobState.CANCELLED:
            raise JobFailed(f"Job {self._job} was cancelled.")
        if self._retry(self._ledger.workers):
            self._hindrance = job.problem
            return
        self._hindrance = NO_WORKER
        if now - self._moved > self._patience:
            raise NoWorkers(f"No worker answered for {self._patience:.0f} s. Start some with `digitmill up`.")

    def _situation(self) -> JobProgress:
        return JobProgress(
            self._sent, self._answered, self._failed, len(self._outstanding), self.seconds, self._hindrance
        )

    def _retry(self, call: Callable[[], _Value]) -> _Value:
        def waiting(fault: object) -> None:
            self._hindrance = f"waiting for Redis ({fault})"
            self._on_progress(self._situation())

        return self._connection.retry_transient(call, timeout=self._patience, on_wait=waiting)


def submit_detached(
    connection: Connection,
    job: str,
    batches: Iterable[tuple[Batch, Manifest]],
    window: Window,
    *,
    timeout: float,
    on_progress: Callable[[JobProgress], None] = lambda _: None,
) -> JobState:
    """Send all batches and leave; the answers wait in Redis. Returns when the last batch is stored there.

    Raises:
        JobFailed, NoWorkers, Unreachable: as `Gathering.run`.
    """
    begun = moved = time.monotonic()
    sent = rejected = 0
    for sequence, (batch, manifest) in enumerate(batches):
        part = Part(job, sequence, 0, len(batch))
        while True:
            outcome = connection.retry_transient(
                lambda part=part, batch=batch, manifest=manifest: connection.ledger.submit(  # type: ignore[misc]
                    part, batch, manifest, window, detached=True
                ),
                timeout=timeout,
            )
            if outcome is Submitted.NO_SUCH_JOB:
                raise JobFailed(f"Job {job} was cancelled, or its record has expired.")
            if outcome is not Submitted.WINDOW_FULL:
                break
            connection.reconciler.tick()
            if connection.retry_transient(connection.ledger.workers, timeout=timeout):
                moved = time.monotonic()
            elif time.monotonic() - moved > timeout:
                raise NoWorkers(
                    f"No worker has come for {timeout:.0f} s, and the window is full. Start some with `digitmill up`."
                )
            time.sleep(0.02)
        if outcome is Submitted.STORED:
            connection.doorbell.ring(part)
        else:
            stored = connection.retry_transient(
                lambda sequence=sequence: connection.ledger.manifest(job, sequence),  # type: ignore[misc]
                timeout=timeout,
            )
            _check_same(job, stored, manifest)
        sent += len(manifest.names)
        rejected += len(manifest.failures)
        on_progress(JobProgress(sent, rejected, rejected, 0, time.monotonic() - begun, ""))
    connection.retry_transient(lambda: _check_all_here(connection.ledger, job, sent), timeout=timeout)
    return connection.retry_transient(lambda: connection.ledger.seal(job), timeout=timeout)


def _check_same(job: str, before: Manifest | None, now: Manifest) -> None:
    """Refuse to go on with a job if this batch is not what it was when it was sent."""
    if before is not None and before != now:
        raise _source_changed(job)


def _check_all_here(ledger: Ledger, job: str, images: int) -> None:
    """Refuse to end a job of which more images were sent than its source has now."""
    if ledger.job(job).images != images:
        raise _source_changed(job)


def _source_changed(job: str) -> JobFailed:
    return JobFailed(f"Job {job} cannot be resumed: its source has changed since. Submit it again as a new job.")


def collect(connection: Connection, job: str, *, timeout: float) -> list[AnsweredBatch]:
    """Return the answers of a job that are in Redis, leaving them there for others to collect.

    Raises:
        Unreachable: Redis does not answer.
    """
    ledger = connection.ledger

    def read() -> list[AnsweredBatch]:
        manifests = ledger.manifests(job)
        by_sequence: dict[int, list[Part]] = defaultdict(list)
        for part in sorted(ledger.answered_parts(job)):
            by_sequence[part.sequence].append(part)
        # Without its manifest, a batch is just being acknowledged by its client, whose journal has it.
        batches = [
            AnsweredBatch(sequence, manifests[sequence], list(ledger.results(parts).values()))
            for sequence, parts in by_sequence.items()
            if sequence in manifests
        ]
        return [batch for batch in batches if batch.complete]

    return connection.retry_transient(read, timeout=timeout)


def window_for(workers: int) -> Window:
    """Return how much may be outstanding with so many workers: enough to keep all busy, and bounded."""
    return Window(max(MIN_WINDOW, BATCHES_PER_WORKER * workers), WINDOW_BYTES)
