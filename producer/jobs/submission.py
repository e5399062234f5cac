"""A job from its source to its report: the steps that `submit`, `resume`, `demo` and the benchmarks share."""

import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.cards.card import Card
from model.data.mnist import load_test
from model.errors import DataError, ModelError, UsageError
from model.inference.review import REVIEW_BELOW
from producer.jobs.client import Gathering, JobProgress, collect, submit_detached, window_for
from producer.jobs.journal import Journal, merge, read_journal
from producer.jobs.packing import pack
from producer.jobs.results import JobInfo, Results
from producer.mill.connection import Connection
from producer.sources import Source, mnist_source, open_source
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobRecord, JobState, JobStatus, new_job_identifier
from worker.contract.registry import LIVE
from worker.settings import Settings

TIMEOUT_SECONDS = 60.0
MNIST = "mnist"


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What is to be submitted, and how; kept on the job's record, so that it can be resumed.

    Attributes:
        path: absolute path of a folder, file or archive, or the word `mnist`; "" for images that were given one by
            one, which nobody reads again: such a job is not resumed.
        labels: where true labels come from: `auto`, `folder`, `none`, or the path of a CSV file.
        include: globs, one of which an image's name must match, if there are any.
        exclude: globs, none of which it may match.
        batch_size: most images in one batch, or None for what suits.
        probabilities: ask for the ten probabilities of each image.
        model: a version or what the registry takes for one, or `live` to follow promotions, or None for the version
            that is live at the start.
        min_confidence: below it an image is listed for review; None: none is.
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
        """Read back what `asdict` wrote on a record."""
        options: dict[str, Any] = {**record.options}
        options["include"], options["exclude"] = tuple(options["include"]), tuple(options["exclude"])
        return cls(**options)


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job that has ended, with all that a report needs.

    Attributes:
        results: its answers.
        run: how it went.
        card: of the model that answered most, or None if it is not to be had any more.
    """

    results: Results
    run: JobInfo
    card: Card | None


def open_order(order: SubmitOptions, settings: Settings) -> Source:
    """Open the source that an order names.

    Raises:
        UsageError: it cannot be read as asked.
        DataError: MNIST is asked for and cannot be had.
    """
    if not order.path:
        raise UsageError("The images were given one by one, so nobody can read them again. Classify them again.")
    if order.path == MNIST:
        try:
            test = load_test(settings.mnist, cache=settings.cache, download=not settings.offline)
        except DataError as fault:
            raise DataError(f"{fault} The variable DIGITMILL_MNIST names the folder.") from None
        return mnist_source(test.images, test.labels)
    return open_source(order.path, labels=order.labels, include=order.include, exclude=order.exclude)


def create_job(
    connection: Connection, order: SubmitOptions, description: str, settings: Settings, *, detached: bool
) -> str:
    """Write a new job's record; return its identifier.

    Raises:
        UsageError: no such model, or its journal cannot be written.
        Unreachable: Redis does not answer.
    """
    prune_journals(settings)
    identifier = new_job_identifier()
    record = JobRecord(
        source=description,
        model=_resolve_model(connection, order.model),
        client=f"{socket.gethostname()}-{os.getpid()}",
        options=asdict(order),
        folder="" if detached else str(journal_path(settings, identifier)),
    )
    if not detached:
        # No job without its journal: one that cannot be kept should be refused, not begun.
        with Journal(journal_path(settings, identifier)):
            pass
    connection.retry_transient(lambda: connection.ledger.create(identifier, record), timeout=TIMEOUT_SECONDS)
    return identifier


def _resolve_model(connection: Connection, asked: str | None) -> str:
    """Return the version that a job is pinned to, from its first batch to its last; or `live`, to follow promotions."""
    if asked == LIVE:
        return LIVE
    return connection.retry_transient(lambda: connection.registry.resolve(asked or LIVE), timeout=TIMEOUT_SECONDS)


def journal_path(settings: Settings, job: str) -> Path:
    """Return where the answers of a job submitted from here are kept."""
    return settings.data / "jobs" / f"{job}.journal"


def gather_job(
    connection: Connection,
    job: str,
    order: SubmitOptions,
    source: Source,
    settings: Settings,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: Callable[[JobProgress], None] = lambda _: None,
) -> FinishedJob:
    """Send a job's images, or those that are still missing, and gather all answers. Ctrl-C cancels the job.

    Raises:
        JobFailed, NoWorkers, Unreachable: as `Gathering.run`.
        UsageError: the journal cannot be written.
    """
    started = time.time()
    with Journal(journal_path(settings, job)) as journal, _ending_in_order(connection, job, order):
        resumed = bool(journal.kept)
        gathering = Gathering(connection, job, journal, timeout=timeout, on_progress=on_progress)
        workers = connection.retry_transient(connection.ledger.workers, timeout=timeout)
        batches = pack(source, batch_size=order.batch_size, probabilities=order.probabilities)
        state = gathering.run(batches, window_for(len(workers)))
        seconds, timeline = gathering.seconds, gathering.timeline
        results = merge(journal.batches())
        if resumed:
            # Not this client's time alone: it took all of the job's to answer all of its images.
            status = connection.retry_transient(lambda: connection.ledger.job(job), timeout=timeout)
            started, seconds, timeline = status.created, _seconds(status), []
    run = JobInfo(job, source.description, state, started, seconds, timeline, dict(gathering.workers))
    return FinishedJob(results, run, _card_of(connection, results))


def _card_of(connection: Connection, results: Results) -> Card | None:
    versions = Counter(version for version in results.models if version)
    if not versions:
        return None
    [(version, _)] = versions.most_common(1)
    try:
        return connection.retry_transient(lambda: connection.registry.card(version), timeout=TIMEOUT_SECONDS)
    except (ModelError, Unreachable):  # the answers are here: a report without a card is better than none
        return None


def _seconds(status: JobStatus) -> float:
    """From a job's creation to its end."""
    return (status.ended or status.created) - status.created


def send_job(
    connection: Connection,
    job: str,
    order: SubmitOptions,
    source: Source,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: Callable[[JobProgress], None] = lambda _: None,
) -> JobState:
    """Send a detached job's images and leave. Ctrl-C cancels the job.

    Raises:
        JobFailed, NoWorkers, Unreachable: as `Gathering.run`.
    """
    with _ending_in_order(connection, job, order):
        workers = connection.retry_transient(connection.ledger.workers, timeout=timeout)
        batches = pack(source, batch_size=order.batch_size, probabilities=order.probabilities)
        return submit_detached(
            connection, job, batches, window_for(len(workers)), timeout=timeout, on_progress=on_progress
        )


@contextlib.contextmanager
def _ending_in_order(connection: Connection, job: str, order: SubmitOptions) -> Iterator[None]:
    """Cancel the job when its client is interrupted; say how it goes on when Redis or all workers are lost."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):  # what counts now is to stop
            connection.ledger.cancel(job)
            raise KeyboardInterrupt(f"job {job} is cancelled") from None
        raise
    except (Unreachable, NoWorkers) as fault:
        if order.path:
            raise type(fault)(f"{fault} Then `digitmill resume {job}` goes on where this stopped.") from fault
        with contextlib.suppress(Exception):  # it may not be there to be told
            connection.ledger.cancel(job)
        raise


def collect_job(connection: Connection, status: JobStatus, settings: Settings) -> FinishedJob:
    """Read the answers of a job that has ended: those its client kept on this machine, and those still in Redis.

    Raises:
        JobFailed: it has not ended.
        DataError: some of its answers were kept on another machine, or are gone.
    """
    job = status.identifier
    if not status.state.ended:
        raise JobFailed(f"Job {job} is {status.state}. `digitmill wait {job}` waits for it.")
    batches = {batch.sequence: batch for batch in collect(connection, job, timeout=TIMEOUT_SECONDS)}
    if journal_path(settings, job).exists():
        batches |= {batch.sequence: batch for batch in read_journal(journal_path(settings, job))}
    results = merge(list(batches.values()))
    if len(results) != status.images and status.state is not JobState.CANCELLED:
        where = (
            f"; its client {status.record.client} has kept the others in {status.record.folder}. Run "
            f"`digitmill report {job}` there."
        )
        raise DataError(
            f"Of the {status.images:,} answers of job {job} only {len(results):,} are here"
            f"{where if status.record.folder else ', for it is too old. Submit it again.'}"
        )
    workers: Counter[str] = Counter()
    for batch in batches.values():
        for result in batch.results:
            workers[result.worker] += len(result)
    run = JobInfo(job, status.record.source, status.state, status.created, _seconds(status), [], dict(workers))
    return FinishedJob(results, run, _card_of(connection, results))


def prune_journals(settings: Settings) -> None:
    """Delete the journals of jobs that Redis has forgotten by now as well."""
    oldest = time.time() - settings.result_days * 86400
    for journal in (settings.data / "jobs").glob("*.journal"):
        with contextlib.suppress(FileNotFoundError):  # another client prunes as well
            if journal.stat().st_mtime < oldest:
                journal.unlink()
