"""A job from its source to its results: the steps that `submit`, `resume`, `demo` and the benchmarks share."""

import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.cards.card import Card
from model.data.mnist import load_test
from model.errors import DataError, ModelError, UsageError
from model.inference.review import REVIEW_BELOW
from producer.jobs.gathering import Gatherer, gather_detached
from producer.jobs.journal import Journal, create_journal, merge, read_journal
from producer.jobs.packing import pack
from producer.jobs.results import JobInfo, Results
from producer.jobs.sending import ProgressCallback, ignore_progress, send_detached, window_for
from producer.mill.connection import Connection
from producer.sources import Source, mnist_source, open_source
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobRecord, JobState, JobStatus, new_job_identifier
from worker.contract.registry import LIVE
from worker.settings import Settings

TIMEOUT_SECONDS = 60.0
"""Seconds without any worker, or without Redis, after which a client gives up."""

MNIST = "mnist"
"""Path that stands for MNIST's test set."""


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What to submit, and how. The job's record keeps it, so that the job can be resumed.

    Attributes:
        path: Absolute path of a folder, file or archive; or `mnist`; or "" for images that were given one by one. A
            job with "" cannot be resumed, because nothing can read its images again.
        labels: Source of the true labels: `auto`, `folder`, `none`, or the path of a CSV file.
        include: Globs. If there are any, only images that match one are submitted.
        exclude: Globs. Images that match one are not submitted.
        batch_size: Maximum number of images in one batch, or None for the default of their kind.
        probabilities: Whether to ask for the ten probabilities of each image.
        model: Version, or another word that the registry resolves; `live` to follow promotions; or None for the
            version that is live when the job starts.
        min_confidence: Confidence, 0 to 1, below which the report lists an image for review; None lists none.
    """

    path: str
    labels: str = "auto"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    batch_size: int | None = None
    probabilities: bool = False
    model: str | None = None
    min_confidence: float | None = REVIEW_BELOW

    @classmethod
    def from_record(cls, record: JobRecord) -> "SubmitOptions":
        """Return the options that `asdict` wrote to a job's record."""
        options: dict[str, Any] = {**record.options}
        options["include"], options["exclude"] = tuple(options["include"]), tuple(options["exclude"])
        return cls(**options)


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job that has ended, with everything that a report needs.

    Attributes:
        results: Answers of the job.
        info: Times, workers and state of the job.
        card: Card of the model that answered most images, or None if the registry does not have it any more.
    """

    results: Results
    info: JobInfo
    card: Card | None


def open_submitted(options: SubmitOptions, settings: Settings) -> Source:
    """Open the source that submit options name, and return it.

    Raises:
        DataError: The options name MNIST, which can be neither found nor downloaded.
        UsageError: The source cannot be opened.
    """
    if not options.path:
        raise UsageError(
            "This job cannot be resumed, because its images were given one by one. Classify the images again."
        )
    if options.path == MNIST:
        try:
            test = load_test(settings.mnist, cache=settings.cache, download=not settings.offline)
        except DataError as fault:
            raise DataError(f"{fault} The variable DIGITMILL_MNIST names the folder.") from None
        return mnist_source(test.images, test.labels)
    return open_source(options.path, labels=options.labels, include=options.include, exclude=options.exclude)


def create_job(
    connection: Connection, options: SubmitOptions, description: str, settings: Settings, *, detached: bool
) -> str:
    """Create a job; return its identifier.

    Args:
        connection: Connection to the mill.
        options: What to submit, and how.
        description: Description of the source, for people.
        settings: Settings of this process.
        detached: Whether the client leaves before the answers are there. Such a job has no journal.

    Raises:
        UsageError: The model does not exist, or the journal cannot be written.
        Unreachable: Redis does not answer.
    """
    prune_journals(settings)
    identifier = new_job_identifier()
    path = journal_path(settings, identifier)
    record = JobRecord(
        source=description,
        model=_resolve_model(connection, options.model),
        client=f"{socket.gethostname()}-{os.getpid()}",
        options=asdict(options),
        folder="" if detached else str(path),
    )
    if not detached:
        create_journal(path)  # first, so that a job whose journal cannot be written does not exist
    connection.retry_transient(lambda: connection.ledger.create(identifier, record), timeout=TIMEOUT_SECONDS)
    return identifier


def _resolve_model(connection: Connection, asked: str | None) -> str:
    """Return the version that classifies every batch of a job, or `live` if the job follows promotions."""
    if asked == LIVE:
        return LIVE
    return connection.retry_transient(lambda: connection.registry.resolve(asked or LIVE), timeout=TIMEOUT_SECONDS)


def journal_path(settings: Settings, job: str) -> Path:
    """Return the path of the journal of a job that was submitted from this machine."""
    return settings.data / "jobs" / f"{job}.journal"


def gather_job(
    connection: Connection,
    job: str,
    options: SubmitOptions,
    source: Source,
    settings: Settings,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: ProgressCallback = ignore_progress,
) -> FinishedJob:
    """Send the images of a job that were not sent yet, gather all answers, and return them. Ctrl-C cancels the job.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job. Its record exists.
        options: What was submitted, and how.
        source: Images of the job.
        settings: Settings of this process.
        timeout: Seconds without any worker, or without Redis, after which to give up.
        on_progress: Progress callback, called several times a second.

    Raises:
        DataError: The file of the journal is not a journal.
        JobFailed: The job failed or was cancelled, or its source has changed since it was interrupted.
        NoWorkers: No worker was running for `timeout` seconds.
        Unreachable: Redis did not answer for `timeout` seconds.
        UsageError: The journal cannot be written, or another process has it open.
        WireError: An answer is damaged.
    """
    started = time.time()
    with Journal(journal_path(settings, job)) as journal, _cancelled_by_interrupt(connection, job, options):
        resumed = bool(journal.batches)
        workers = connection.retry_transient(connection.ledger.workers, timeout=timeout)
        gatherer = Gatherer(
            connection, job, journal, window_for(len(workers)), timeout=timeout, on_progress=on_progress
        )
        state = gatherer.run(pack(source, batch_size=options.batch_size, probabilities=options.probabilities))
        seconds, timeline = gatherer.seconds, gatherer.timeline
        results = merge(journal.batches)
        if resumed:
            # The report counts all images, so it needs the time of the whole job and not only that of this client.
            status = connection.retry_transient(lambda: connection.ledger.job(job), timeout=timeout)
            started, seconds, timeline = status.created, _seconds(status), []
    info = JobInfo(job, source.description, state, started, seconds, timeline, dict(gatherer.workers))
    return FinishedJob(results, info, _card_of(connection, results))


def _card_of(connection: Connection, results: Results) -> Card | None:
    """Return the card of the version that classified most images, or None where there is none."""
    versions = Counter(version for version in results.models if version)
    if not versions:
        return None
    [(version, _)] = versions.most_common(1)
    try:
        return connection.retry_transient(lambda: connection.registry.card(version), timeout=TIMEOUT_SECONDS)
    except (ModelError, Unreachable):  # a report without a card is better than none
        return None


def _seconds(status: JobStatus) -> float:
    """Return the seconds from a job's creation to its end."""
    return (status.ended or status.created) - status.created


def send_job(
    connection: Connection,
    job: str,
    options: SubmitOptions,
    source: Source,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: ProgressCallback = ignore_progress,
) -> JobState:
    """Send the images of a detached job and leave; return the state of the job. Ctrl-C cancels the job.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job. Its record exists.
        options: What was submitted, and how.
        source: Images of the job.
        timeout: Seconds without any worker, or without Redis, after which to give up.
        on_progress: Progress callback, called after each batch.

    Raises:
        JobFailed: The job was cancelled, or it is resumed and its source has changed.
        NoWorkers: The window stayed full, and no worker was running, for `timeout` seconds.
        Unreachable: Redis did not answer for `timeout` seconds.
    """
    with _cancelled_by_interrupt(connection, job, options):
        workers = connection.retry_transient(connection.ledger.workers, timeout=timeout)
        batches = pack(source, batch_size=options.batch_size, probabilities=options.probabilities)
        return send_detached(
            connection, job, batches, window_for(len(workers)), timeout=timeout, on_progress=on_progress
        )


@contextlib.contextmanager
def _cancelled_by_interrupt(connection: Connection, job: str, options: SubmitOptions) -> Iterator[None]:
    """Cancel the job when its client is interrupted.

    If Redis or all workers are lost, the error names the command that resumes the job. A job that cannot be resumed is
    cancelled.
    """
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):  # the client stops even if Redis cannot be reached
            connection.ledger.cancel(job)
            raise KeyboardInterrupt(f"job {job} is cancelled") from None
        raise
    except (Unreachable, NoWorkers) as fault:
        if options.path:
            raise type(fault)(f"{fault} Then run `digitmill resume {job}` to continue.") from fault
        with contextlib.suppress(Exception):  # Redis may be away
            connection.ledger.cancel(job)
        raise


def collect_job(connection: Connection, status: JobStatus, settings: Settings) -> FinishedJob:
    """Return the answers of a job that has ended, from its journal on this machine and from Redis.

    Args:
        connection: Connection to the mill.
        status: Status of the job.
        settings: Settings of this process.

    Raises:
        DataError: Some answers are on another machine or have expired, or the file of the journal is not a journal.
        JobFailed: The job has not ended.
        Unreachable: Redis did not answer in time.
        WireError: An answer is damaged.
    """
    job = status.identifier
    if not status.state.ended:
        raise JobFailed(f"Job {job} is {status.state}. Run `digitmill wait {job}` first.")
    batches = {batch.sequence: batch for batch in gather_detached(connection, job, timeout=TIMEOUT_SECONDS)}
    path = journal_path(settings, job)
    if path.exists():
        batches |= {batch.sequence: batch for batch in read_journal(path)}
    results = merge(list(batches.values()))
    if len(results) != status.images and status.state is not JobState.CANCELLED:
        raise _answers_missing(status, len(results))
    workers: Counter[str] = Counter()
    for batch in batches.values():
        for result in batch.results:
            workers[result.worker] += len(result)
    info = JobInfo(job, status.record.source, status.state, status.created, _seconds(status), [], dict(workers))
    return FinishedJob(results, info, _card_of(connection, results))


def _answers_missing(status: JobStatus, found: int) -> DataError:
    job, record = status.identifier, status.record
    fault = f"Of the {status.images:,} answers of job {job}, only {found:,} are here."
    if record.folder:
        return DataError(
            f"{fault} Client {record.client} has kept the others in {record.folder}. "
            f"Run `digitmill report {job}` there."
        )
    return DataError(f"{fault} The others have expired. Submit the images again.")


def prune_journals(settings: Settings) -> None:
    """Delete the journals of jobs whose records have expired in Redis."""
    oldest = time.time() - settings.result_seconds
    for journal in (settings.data / "jobs").glob("*.journal"):
        with contextlib.suppress(FileNotFoundError):  # another client prunes as well
            if journal.stat().st_mtime < oldest:
                journal.unlink()
