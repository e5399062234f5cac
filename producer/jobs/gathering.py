"""Gathering: send the batches of a job, take in the answers, and keep each answer before Redis deletes it.

Redis may forget anything that it was told. So the journal says what is answered, and the client compares all that it
has sent and not kept with what Redis has. It sends again what is missing.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model.errors import UsageError
from producer.jobs.kept.journal import AnsweredBatch, Journal, ReceivedBatch
from producer.jobs.kept.sent import SentLog, digest_of, read_manifests
from producer.jobs.ownership import JobClient
from producer.jobs.patience import Patience
from producer.jobs.results import TimelinePoint
from producer.jobs.sending import (
    CHECKS,
    TRY_AGAIN_SECONDS,
    JobProgress,
    ProgressCallback,
    Sender,
    ignore_progress,
    job_lost,
    raise_if_stopped,
    source_changed,
)
from producer.mill.connection import Connection, RetryingCaller
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.ledger import Checked, JobState, Part, Presence, Window, cover
from worker.contract.wire import Batch, Manifest, Result

_logger = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
"""Longest wait for a notification before the client looks at everything else."""

SWEEP_SECONDS = 2.0
"""Interval at which the client compares what it has sent with what Redis has."""

MAX_DAMAGED = 10
"""Maximum number of damaged answers of a job that the client asks for again."""

TIMELINE_POINTS = 400
"""Maximum number of points in a job's timeline."""


@dataclass(slots=True)
class _OutstandingBatch:
    """A batch that was sent and does not have all its answers yet."""

    whole: Part
    batch: Batch
    manifest: Manifest
    encoded: bytes  # the manifest in the wire format
    digest: bytes
    results: dict[Part, tuple[bytes, Result]] = field(default_factory=dict)  # in the wire format, and decoded


class Gatherer:
    """Sends the batches of one job and gathers their answers.

    One thread does both, so it shares no state. It sends while the window has room, and gathers in between.

    Args:
        connection: Connection to the mill.
        client: Client of the job, which owns it.
        journal: Journal that keeps each answer before it is acknowledged.
        log: What was sent.
        window: Limit of what may be outstanding.
        timeout: Seconds without progress, or without Redis, after which to give up.
        on_progress: Progress callback, called several times a second.
        on_kept: Function that is called with each batch that is answered, including those that the journal has.
        on_next: Function that is called with the number of each batch, in order, once it and all before it are kept.

    Attributes:
        timeline: Progress over time, at most `TIMELINE_POINTS` points.
        workers: Number of images that each worker process answered.
    """

    def __init__(
        self,
        connection: Connection,
        client: JobClient,
        journal: Journal,
        log: SentLog,
        window: Window,
        *,
        timeout: float,
        on_progress: ProgressCallback = ignore_progress,
        on_kept: Callable[[AnsweredBatch], None] = lambda _: None,
        on_next: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._ledger = connection.ledger
        self._client = client
        self._job = client.owned.identifier
        self._journal = journal
        self._log = log
        self._on_progress = on_progress
        self._on_kept = on_kept
        self._on_next = on_next
        self._followed = 0  # batches for which `on_next` was called
        self._call = RetryingCaller(connection, timeout, self._report_fault)
        self._patience = Patience(self._call)
        self._sender = Sender(client, log, window, detached=False, call=self._call)
        self._outstanding: dict[int, _OutstandingBatch] = {}
        self._started = self._last_sweep = time.monotonic()
        self._sent = self._answered = self._failed = 0
        self._share, self._share_holds_until = window.batches, 0.0
        self._damaged = 0
        self._sealed = False
        self._fault = ""
        self.timeline: list[TimelinePoint] = []
        self.workers: dict[str, int] = defaultdict(int)
        self._kept: dict[int, bytes] = {}  # digests
        for batch in journal.batches.values():
            self._count(batch)

    def keeps(self, sequence: int) -> bool:
        """Return whether the answers to a batch are kept, so that nobody needs its images again."""
        return sequence in self._kept

    def run(self, batches: Iterable[tuple[Batch, Manifest] | None], *, recorded: bool = False) -> JobState:
        """Send all batches and gather all answers; return the state in which the job ended.

        The gatherer skips batches that the journal has. Running an interrupted job again over the same source therefore
        resumes it.

        Args:
            batches: All batches of the job, in order. One that `keeps` may be None.
            recorded: Whether the order of the images is recorded, so that files may have changed.

        Raises:
            JobFailed: The job failed or was cancelled, another client has taken it over, or its source has changed
                since it was interrupted.
            NoWorkers: There was no progress for `timeout` seconds.
            Unreachable: Redis did not answer for `timeout` seconds.
            UsageError: The journal cannot be written.
            WireError: Many answers are damaged, or one has a format that this program does not read.
        """
        if self._kept or self._log.batches:
            self._salvage()
        self._follow()
        count = 0
        for sequence, packed in enumerate(batches):
            count += 1
            if packed is None:
                continue
            batch, manifest = packed
            encoded = manifest.to_wire()
            digest = digest_of(batch, encoded)
            if not recorded:
                self._sender.check_unchanged(sequence, digest)
            if sequence in self._kept:
                if self._kept[sequence] != digest:
                    raise source_changed(self._job)
                continue
            self._send(sequence, batch, manifest, encoded, digest)
            self._gather(wait=0.0)
        self._sender.check_complete(count)
        if any(sequence >= count for sequence in self._kept):
            raise source_changed(self._job)
        self._log.finish(count)
        _logger.info("The last batch, number %d, is sent", count)
        self._sealed = True
        self._sweep()
        while self._outstanding:
            self._gather(wait=WAIT_SECONDS)
        state = self._settle()
        self._report_progress()
        return state

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def _salvage(self) -> None:
        """Keep the answers that arrived after the last client died, and make Redis forget all else of the job.

        What the last client had sent is sent again, because only the images here can be checked against the log. The
        log tells which of them the answers belong to.
        """
        whole = {
            sequence: Part(self._job, sequence, 0, batch.images)
            for sequence, batch in self._log.batches.items()
            if sequence not in self._kept
        }
        found = self._call(self._client.owned.look, {sequence: len(part) for sequence, part in whole.items()})
        parts_of: dict[int, list[Part]] = defaultdict(list)
        for part in found.answered:
            parts_of[part.sequence].append(part)
        manifests = read_manifests(self._log.path, {sequence: self._log.batches[sequence] for sequence in parts_of})
        received = []
        for sequence, parts in parts_of.items():
            chosen = cover(parts, whole[sequence]) or []
            results = self._results(chosen)
            decoded = [self._decode(part, results[part]) for part in chosen if part in results]
            answers = [answer for answer in decoded if answer is not None]
            if chosen and len(answers) == len(chosen):
                data, digest = [results[part] for part in chosen], self._log.batches[sequence].digest
                received.append(ReceivedBatch(sequence, manifests[sequence], data, digest, decoded=answers))
        for batch in self._journal.keep(received):
            self._count(batch)
        self._sweep()

    def _send(self, sequence: int, batch: Batch, manifest: Manifest, encoded: bytes, digest: bytes) -> None:
        # The ledger refuses what does not fit. Waiting here first saves sending a batch only to have it refused.
        self._await_room()
        self._sender.send(
            sequence,
            batch,
            manifest,
            encoded,
            digest,
            make_room=self._make_room,
            find_job=self._sweep,
        )
        whole = Part(self._job, sequence, 0, len(batch))
        self._outstanding[sequence] = _OutstandingBatch(whole, batch, manifest, encoded, digest)
        self._sent += len(manifest.names)
        self._patience.renew()

    def _await_room(self) -> None:
        """Wait while the window, or the job's share of it as far as it is known, is full."""
        while len(self._outstanding) >= self._sender.window.batches or (
            len(self._outstanding) >= self._share and time.monotonic() < self._share_holds_until
        ):
            self._gather(wait=WAIT_SECONDS)

    def _make_room(self) -> None:
        """Learn the job's share from a refusal, and wait until there is room in it."""
        self._share = max(len(self._outstanding), 1)
        self._share_holds_until = time.monotonic() + TRY_AGAIN_SECONDS
        self._gather(wait=WAIT_SECONDS)
        self._await_room()

    def _gather(self, *, wait: float) -> None:
        """Take in the answers that have arrived.

        Args:
            wait: Longest wait for the first answer, in seconds.
        """
        parts = self._call(self._notifications, wait)
        if time.monotonic() - self._last_sweep > SWEEP_SECONDS:
            parts |= self._sweep()
            self._sender.adapt_window()
        wanted = self._wanted(parts)
        if wanted:
            self._receive(wanted)
        self._connection.reconciler.tick()
        if wait and not wanted and self._patience.is_look_due():
            self._look()
        self._report_progress()

    def _wanted(self, parts: Iterable[Part]) -> list[Part]:
        """Return those of some answered parts whose answers are not here."""
        return [
            part
            for part in parts
            if part.sequence in self._outstanding and part not in self._outstanding[part.sequence].results
        ]

    def _notifications(self, wait: float) -> set[Part]:
        """Return the parts that were answered. Notifications are hints, so damaged ones only cost a sweep."""
        try:
            return self._ledger.wait_for_notifications(self._job, wait)
        except WireError:
            self._last_sweep = float("-inf")
            return set()

    def _sweep(self) -> frozenset[Part]:
        """Compare what was sent with what Redis has, send again what it has lost, and return the parts with answers.

        Raises:
            JobFailed: The job was cancelled, or another client has taken it over.
        """
        checked = self._check()
        for part in checked.lost:
            batch = self._outstanding[part.sequence]
            self._sender.restore(part, batch.batch, batch.encoded)
        for sequence in checked.bare:
            batch = self._outstanding[sequence]
            self._sender.restore_manifest(batch.whole, batch.encoded)
        self._last_sweep = time.monotonic()
        return checked.answered

    def _check(self) -> Checked:
        sent = {sequence: len(batch.whole) for sequence, batch in self._outstanding.items()}
        rejected = sum(len(batch.manifest.failures) for batch in self._outstanding.values())
        return self._sender.check(
            sent,
            sealed=self._sealed,
            rows=self._sent,
            answered=self._answered + rejected,
            failed=self._failed + rejected,
        )

    def _receive(self, parts: list[Part]) -> None:
        """Fetch answers; keep, acknowledge and count each batch that they complete."""
        for part, encoded in self._results(parts).items():
            if (decoded := self._decode(part, encoded)) is not None:
                self._outstanding[part.sequence].results[part] = (encoded, decoded)
        complete: dict[int, list[Part]] = {}
        received: list[ReceivedBatch] = []
        for sequence in {part.sequence for part in parts}:
            batch = self._outstanding[sequence]
            chosen = cover(batch.results, batch.whole)
            if chosen is not None:
                complete[sequence] = list(batch.results)
                data = [batch.results[part][0] for part in chosen]
                results = [batch.results[part][1] for part in chosen]
                received.append(ReceivedBatch(sequence, batch.manifest, data, batch.digest, batch.encoded, results))
        for answered in self._journal.keep(received):
            self._call(self._ledger.acknowledge, complete[answered.sequence], owner=self._client.owned.owner.token)
            sent = self._outstanding.pop(answered.sequence)
            self._sent -= len(sent.manifest.names)
            self._count(answered)
        self._follow()
        self._patience.renew()
        self._fault = ""

    def _follow(self) -> None:
        """Hand on each batch that is answered, and whose predecessors are."""
        while self._followed in self._kept:
            self._on_next(self._followed)
            self._followed += 1

    def _results(self, parts: list[Part]) -> dict[Part, bytes]:
        """Return answers, or none if somebody else wrote over them. The next sweep asks for them again."""
        try:
            return self._call(self._ledger.results, parts)
        except WireError:
            self._last_sweep = float("-inf")
            return {}

    def _decode(self, part: Part, data: bytes) -> Result | None:
        """Return an answer. If it is damaged, delete it and return None, because the next sweep asks for it again.

        Raises:
            UnknownFormat: This program does not read its format.
            WireError: Redis has damaged too many answers of this job.
        """
        try:
            result = Result.from_wire(data)
            if len(result) == len(part):
                return result
            fault = WireError(f"An answer has {len(result)} rows, and its part has {len(part)} images.")
        except UnknownFormat:
            raise
        except WireError as damaged:
            fault = damaged
        self._damaged += 1
        if self._damaged > MAX_DAMAGED:
            raise fault
        self._call(self._ledger.acknowledge, [part], owner=self._client.owned.owner.token)
        self._last_sweep = float("-inf")
        return None

    def _count(self, batch: AnsweredBatch) -> None:
        self._kept[batch.sequence] = batch.digest
        self._on_kept(batch)
        self._sent += len(batch.manifest.names)
        self._answered += len(batch.manifest.names)
        self._failed += len(batch.manifest.failures) + sum(len(result.failures) for result in batch.results)
        for result in batch.results:
            self.workers[result.worker] += len(result)
        self.timeline.append(TimelinePoint(self.seconds, self._answered))
        if len(self.timeline) > TIMELINE_POINTS:
            self.timeline = self.timeline[1::2]

    def _settle(self) -> JobState:
        """End the job in Redis, which then forgets all but its record. Return the state in which it ended."""
        for _ in range(CHECKS):
            state = self._call(self._client.owned.settle, rows=self._answered, failed=self._failed)
            if state not in (Presence.GONE, Presence.FENCED):
                if state in (Presence.CANCELLED, Presence.FAILED):
                    raise_if_stopped(self._job, Presence(state))
                return JobState(state)
            self._client.reclaim()
        raise job_lost(self._job)

    def _look(self) -> None:
        """Find out why no answer arrives, and give up after the timeout.

        Raises:
            JobFailed: The job was cancelled, or another client has taken it over.
            NoWorkers: There was no progress for `timeout` seconds.
        """
        self._fault = ""
        self._patience.look(self._call(self._problem), self._call(self._client.owned.queue))
        # An answer may have come while this looked elsewhere.
        if self._patience.exhausted and not self._wanted(self._sweep()):
            self._patience.check()

    def _problem(self) -> str:
        """Return what hinders the job, as far as Redis knows."""
        try:
            status = self._ledger.job(self._job)
        except (UsageError, WireError):  # Redis has lost or garbled the job, and the next sweep makes it again
            return ""
        if status.state is JobState.CANCELLED:
            raise_if_stopped(self._job, Presence.CANCELLED)
        return status.problem

    def _report_fault(self, fault: object) -> None:
        self._fault = f"waiting for Redis ({fault})"
        self._last_sweep = float("-inf")  # it may have forgotten something
        self._report_progress()

    def _report_progress(self) -> None:
        in_flight, problem = len(self._outstanding), self._fault or self._patience.problem
        self._on_progress(JobProgress(self._sent, self._answered, self._failed, in_flight, self.seconds, problem))
