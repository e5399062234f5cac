"""Sending: store each batch of a job in the ledger once, and ring the doorbell for it."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from producer.mill.connection import Connection, RetryingCaller
from worker.contract.errors import JobFailed, NoWorkers
from worker.contract.ledger import JobState, Part, Submitted, Window
from worker.contract.wire import Batch, Manifest

BATCHES_PER_WORKER = 8
"""Outstanding batches for each worker, so that none waits for the next batch."""

MIN_WINDOW = 16
"""Minimum number of batches in a window, however few workers there are."""

WINDOW_BYTES = 64 * 1024 * 1024
"""Maximum number of bytes of the outstanding batches of a job."""

FULL_WINDOW_PAUSE_SECONDS = 0.02
"""Pause of a detached client before it tries a full window again."""


class JobProgress(NamedTuple):
    """Progress of a job, for a progress bar."""

    sent: int  # images submitted so far
    answered: int  # images that were answered, or failed at the source
    failed: int  # those of `answered` that failed
    in_flight: int  # batches that were sent and are not answered yet
    seconds: float  # seconds since the start
    problem: str  # reason why the job makes no progress, or ""


ProgressCallback = Callable[[JobProgress], None]


def ignore_progress(_: JobProgress) -> None:
    """Do nothing: the default progress callback."""


class Sender:
    """Sends the batches of one job, in order, each once.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job. Its record exists.
        window: Limit of what may be outstanding.
        detached: Whether the client leaves before the answers are there.
        call: Caller that retries transient faults of Redis.
    """

    def __init__(
        self, connection: Connection, job: str, window: Window, *, detached: bool, call: RetryingCaller
    ) -> None:
        self._ledger = connection.ledger
        self._doorbell = connection.doorbell
        self._job = job
        self._window = window
        self._detached = detached
        self._call = call

    def send(self, sequence: int, batch: Batch, manifest: Manifest, *, make_room: Callable[[], None]) -> None:
        """Store a batch and ring for it. A batch that an interrupted client has already sent is left as it is.

        Args:
            sequence: Number of the batch within the job.
            batch: Images.
            manifest: Names and labels of the images.
            make_room: Called while the window is full; returns when it is worth trying again.

        Raises:
            JobFailed: The job was cancelled, or the batch differs from the one sent before.
            Unreachable: Redis did not answer in time.
            WireError: The stored manifest is damaged.
        """
        part = Part(self._job, sequence, 0, len(batch))
        while True:
            outcome = self._call(self._ledger.submit, part, batch, manifest, self._window, detached=self._detached)
            match outcome:
                case Submitted.STORED:
                    self._doorbell.ring(part)
                    return
                case Submitted.ALREADY_THERE:
                    stored = self._call(self._ledger.manifest, self._job, sequence)
                    if stored is not None:
                        self.check_unchanged(stored, manifest)
                    return
                case Submitted.WINDOW_FULL:
                    make_room()
                case Submitted.NO_SUCH_JOB:
                    raise JobFailed(f"Job {self._job} was cancelled, or its record has expired. Submit it again.")

    def check_unchanged(self, before: Manifest, now: Manifest) -> None:
        """Check that a batch has the manifest that was sent before under its number.

        Args:
            before: Manifest that was sent before.
            now: Manifest that the source gives now.

        Raises:
            JobFailed: The manifests differ.
        """
        if before != now:
            raise self._source_changed()

    def seal(self, images: int) -> JobState:
        """Tell the ledger that all batches are sent; return the state of the job.

        Args:
            images: Number of images in the source.

        Raises:
            JobFailed: The ledger has another number of images than the source.
            Unreachable: Redis did not answer in time.
        """
        if self._call(self._ledger.job, self._job).images != images:
            raise self._source_changed()
        return self._call(self._ledger.seal, self._job)

    def _source_changed(self) -> JobFailed:
        return JobFailed(
            f"Job {self._job} cannot be resumed because its source has changed. Submit it again as a new job."
        )


def send_detached(
    connection: Connection,
    job: str,
    batches: Iterable[tuple[Batch, Manifest]],
    window: Window,
    *,
    timeout: float,
    on_progress: ProgressCallback = ignore_progress,
) -> JobState:
    """Send all batches of a job and leave. The answers wait in Redis.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job. Its record exists.
        batches: All batches of the job, in order.
        window: Limit of what may be outstanding.
        timeout: Seconds without any worker, or without Redis, after which to give up.
        on_progress: Progress callback, called after each batch.

    Returns:
        The state of the job when Redis has its last batch.

    Raises:
        JobFailed: The job was cancelled, or it is resumed and its source has changed.
        NoWorkers: The window stayed full, and no worker was running, for `timeout` seconds.
        Unreachable: Redis did not answer for `timeout` seconds.
    """
    call = RetryingCaller(connection, timeout)
    sender = Sender(connection, job, window, detached=True, call=call)
    started = last_progress = time.monotonic()
    sent = rejected = 0

    def wait_for_workers() -> None:
        nonlocal last_progress
        connection.reconciler.tick()
        if call(connection.ledger.workers):
            last_progress = time.monotonic()
        elif time.monotonic() - last_progress > timeout:
            raise NoWorkers(
                f"No worker was running for {timeout:.0f} s, and the window is full. Start workers with `digitmill up`."
            )
        time.sleep(FULL_WINDOW_PAUSE_SECONDS)

    for sequence, (batch, manifest) in enumerate(batches):
        sender.send(sequence, batch, manifest, make_room=wait_for_workers)
        last_progress = time.monotonic()
        sent += len(manifest.names)
        rejected += len(manifest.failures)
        on_progress(JobProgress(sent, rejected, rejected, 0, time.monotonic() - started, ""))
    return sender.seal(sent)


def window_for(workers: int) -> Window:
    """Return a window that keeps a number of workers busy and bounds the memory that a job takes."""
    return Window(max(MIN_WINDOW, BATCHES_PER_WORKER * workers), WINDOW_BYTES)
