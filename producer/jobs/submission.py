"""A job from its source to its results: the steps that `submit`, `resume`, `demo` and the benchmarks share."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from model.cards.card import Card
from model.data.mnist import load_test
from model.errors import DataError, ModelError, UsageError
from producer.jobs.gathering import Gatherer, gather_detached
from producer.jobs.journal import AnsweredBatch, Journal, create_journal, merge, read_journal
from producer.jobs.order import (
    Order,
    SubmitOptions,
    find_order,
    job_file,
    jobs_folder,
    new_order,
    prune_jobs,
    read_order,
    remove_files,
    write_order,
)
from producer.jobs.ownership import JobClient, creator_of
from producer.jobs.packing import pack
from producer.jobs.recovery import damaged_parts, find_loss, sender_of
from producer.jobs.results import JobInfo, Results
from producer.jobs.sending import CHECKS, DetachedSender, ProgressCallback, ignore_progress, window_for
from producer.jobs.sent import SentLog
from producer.mill.connection import Connection, RetryingCaller
from producer.sources import UNCHANGED, Source, mnist_source, open_source
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobState, JobStatus, new_job_identifier
from worker.contract.registry import LIVE
from worker.contract.validation.bounds import MAX_TEXT
from worker.contract.wire import Batch, Manifest
from worker.settings import Settings

TIMEOUT_SECONDS = 60.0
"""Seconds without progress, or without Redis, after which a client gives up."""

NAMES = 10
"""Number of identifiers that a client tries for a new job."""

MNIST = "mnist"
"""Path that stands for MNIST's test set."""


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
    return open_source(
        options.path,
        labels=options.labels,
        include=options.include,
        exclude=options.exclude,
        numbers=options.reads_numbers,
        as_is=options.as_is,
        form=options.form,
    )


def reopen_submitted(options: SubmitOptions, settings: Settings) -> Source:
    """Open the source of a job again, and return it. An array file is read in the form that the job was made with.

    Raises:
        DataError: As for `open_submitted`.
        UsageError: As for `open_submitted`.
    """
    # A job of an earlier version has no form, because only images in MNIST's form were read.
    return open_submitted(replace(options, form=options.form or UNCHANGED), settings)


def create_job(
    connection: Connection,
    options: SubmitOptions,
    description: str,
    settings: Settings,
    *,
    detached: bool,
    timeout: float = TIMEOUT_SECONDS,
) -> str:
    """Create a job; return its identifier.

    Args:
        connection: Connection to the mill.
        options: What to submit, and how.
        description: Description of the source, for people.
        settings: Settings of this process.
        detached: Whether the client leaves before the answers are there. Such a job has no journal.
        timeout: Seconds without Redis after which to give up.

    Raises:
        JobFailed: All identifiers that were tried belong to other jobs.
        UsageError: The model does not exist, or the journal cannot be written.
        Unreachable: Redis does not answer.
    """
    prune_jobs(settings)
    call = RetryingCaller(connection, timeout)
    model = _resolve_model(connection, options.model, call)
    created = call(connection.ledger.now)
    for _ in range(NAMES):
        identifier = new_job_identifier()
        order = new_order(settings, identifier, options, description, model, detached=detached, created=created)
        # The files come first, so that a job that cannot be kept does not exist.
        with contextlib.suppress(FileExistsError):
            write_order(settings, order)
            with _named_when_interrupted(order):
                if _create(connection, order, settings, call):
                    return order.job
            remove_files(settings, order.job)
    raise JobFailed("All identifiers that were tried for the new job are taken. Try again.")


@contextlib.contextmanager
def _named_when_interrupted(order: Order) -> Iterator[None]:
    """Let an interrupt name a job whose order is written, because the job may be in Redis already."""
    try:
        yield
    except KeyboardInterrupt:
        if not order.options.path:
            raise
        job = order.job
        raise KeyboardInterrupt(f"job {job} is kept: `digitmill resume {job}` sends its images") from None


def _create(connection: Connection, order: Order, settings: Settings, call: RetryingCaller) -> bool:
    """Create a job whose order is written. Return False if Redis has another one of that name."""
    if not order.detached:
        create_journal(journal_path(settings, order.job))
    return call(connection.ledger.create, order.job, order.record(), creator=creator_of(order), created=order.created)


def _resolve_model(connection: Connection, asked: str | None, call: RetryingCaller) -> str:
    """Return the version that classifies every batch of a job, or `live` if the job follows promotions."""
    if asked == LIVE:
        return LIVE
    return call(connection.registry.resolve, asked or LIVE)


def journal_path(settings: Settings, job: str) -> Path:
    """Return the path of the journal of a job that was submitted from this machine."""
    return job_file(settings, job, "journal")


def find_job(connection: Connection, query: str, settings: Settings) -> str:
    """Return the identifier of the job that is meant by `last`, by an identifier, or by the beginning of one.

    Raises:
        UsageError: Redis has no such job, or several are meant. If the order of the job is here, the message says how
            to send the job again.
    """
    try:
        return connection.ledger.find_job(query)
    except UsageError:
        order = find_order(settings, query)
        if order is None:
            raise
        raise UsageError(
            f"Redis does not have job {order.job} any more. `digitmill resume {order.job}` sends it again."
        ) from None


def find_resumable(connection: Connection, query: str, settings: Settings) -> Order:
    """Return the order of a job that can be resumed here.

    Args:
        connection: Connection to the mill.
        query: `last`, an identifier, or the beginning of one.
        settings: Settings of this process.

    Raises:
        DataError: The order, or what was sent, is damaged.
        UsageError: There is no such job, it was submitted elsewhere, or it has ended and nothing of it is lost.
    """
    try:
        status = connection.ledger.job(connection.ledger.find_job(query))
    except UsageError:
        order = find_order(settings, query)
        if order is None:
            raise
        return order  # Redis has lost the job
    job = status.identifier
    order = read_order(settings, job)
    if order is None:
        here = jobs_folder(settings)
        raise UsageError(
            f"Job {job} was submitted on {sender_of(status)}. Run `digitmill resume {job}` there. If nobody can, copy "
            f"the files {job}.* of that folder into {here} and add --take-over."
        )
    if status.state in (JobState.CANCELLED, JobState.FAILED):
        raise UsageError(f"Job {job} is {status.state}. Submit the images again.")
    if status.state.ended and _is_whole(connection, order, status, settings):
        raise UsageError(f"Job {job} is {status.state}: nothing is left to do. {how_to_report(connection, job)}.")
    return order


def how_to_report(connection: Connection, job: str) -> str:
    """Return in words how the report of a finished job is written, when this command has ended."""
    needs = " after you have started `digitmill up`" if connection.temporary else ""
    return f"`digitmill report {job}` writes its report{needs}"


def _is_whole(connection: Connection, order: Order, status: JobStatus, settings: Settings) -> bool:
    """Return whether nothing is left to do for a job: all answers are in its journal, or in Redis if it is detached."""
    if order.detached:
        answered = connection.ledger.answered_parts(order.job)
        return not find_loss(connection, status, settings).batches and not damaged_parts(connection, answered)
    path = journal_path(settings, order.job)
    kept = read_journal(path) if path.exists() else []
    return sum(len(batch.manifest.names) for batch in kept) == status.images


def order_of(settings: Settings, job: str) -> Order:
    """Return the order of a job that was submitted with this data folder.

    Raises:
        DataError: The order is damaged.
        UsageError: The job was submitted elsewhere.
    """
    order = read_order(settings, job)
    if order is None:
        raise UsageError(f"The order of job {job} is not in {jobs_folder(settings)}. Submit the images again.")
    return order


def gather_job(
    connection: Connection,
    job: str,
    options: SubmitOptions,
    source: Source,
    settings: Settings,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: ProgressCallback = ignore_progress,
    take_over: bool = False,
    keep: bool = True,
) -> FinishedJob:
    """Send the images of a job that were not sent yet, gather all answers, and return them.

    An interrupt (Ctrl-C) keeps a job that can be resumed, and cancels one that cannot.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job, which was created with these settings.
        options: What was submitted, and how.
        source: Images of the job.
        settings: Settings of this process.
        timeout: Seconds without progress, or without Redis, after which to give up.
        on_progress: Progress callback, called several times a second.
        take_over: Whether to go on although another machine has the journal of the job's former client.
        keep: Whether the mill and the data folder outlive the command, so that the job can be resumed.

    Raises:
        DataError: The file of the journal is not a journal.
        JobFailed: The job failed or was cancelled, another client has taken it over, or its source has changed since it
            was interrupted.
        NoWorkers: There was no progress for `timeout` seconds.
        Unreachable: Redis did not answer for `timeout` seconds.
        UsageError: The journal cannot be written, another process has it open, or another client owns the job.
        WireError: An answer is damaged.
    """
    started = time.time()
    order, call = order_of(settings, job), RetryingCaller(connection, timeout)
    folder = str(jobs_folder(settings))
    with (
        Journal(journal_path(settings, job)) as journal,
        SentLog(job_file(settings, job, "sent")) as log,
        _kept_when_interrupted(connection, order, keep=keep),
        JobClient(connection, order, folder, lock=journal.lock, call=call, take_over=take_over) as client,
    ):
        resumed = bool(journal.batches or log.batches)
        window = window_for(len(call(connection.ledger.workers)))
        gatherer = Gatherer(connection, client, journal, log, window, timeout=timeout, on_progress=on_progress)
        state = gatherer.run(_packed(source, options))
        seconds, timeline = gatherer.seconds, gatherer.timeline
        results = merge(journal.batches, several=options.reads_numbers)
        if resumed:
            # The report counts all images, so it needs the time of the whole job and not only that of this client.
            status = call(connection.ledger.job, job)
            started, seconds, timeline = status.created, _seconds(status), []
    workers = dict(gatherer.workers)
    info = JobInfo(job, source.description, state, started, seconds, timeline, workers, options.read_as)
    return FinishedJob(results, info, _card_of(connection, results, call))


def _packed(source: Source, options: SubmitOptions) -> Iterator[tuple[Batch, Manifest]]:
    return pack(
        source,
        batch_size=options.batch_size,
        probabilities=options.probabilities and not options.reads_numbers,
        several=options.reads_numbers,
    )


def _card_of(connection: Connection, results: Results, call: RetryingCaller) -> Card | None:
    """Return the card of the version that classified most images, or None where there is none."""
    versions = Counter(version for version in results.models if version)
    if not versions:
        return None
    [(version, _)] = versions.most_common(1)
    try:
        return call(connection.registry.card, version)
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
    settings: Settings,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: ProgressCallback = ignore_progress,
) -> JobState:
    """Send the images of a detached job that Redis does not have, and leave; return the state of the job.

    An interrupt (Ctrl-C) keeps the job, which can be resumed.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job, which was created with these settings.
        options: What was submitted, and how.
        source: Images of the job.
        settings: Settings of this process.
        timeout: Seconds without progress, or without Redis, after which to give up.
        on_progress: Progress callback, called after each batch.

    Raises:
        JobFailed: The job was cancelled, or it is resumed and its source has changed.
        NoWorkers: The window stayed full, and there was no progress, for `timeout` seconds.
        Unreachable: Redis did not answer for `timeout` seconds.
        UsageError: The log of what was sent cannot be written, or another process has it open.
    """
    order, call = order_of(settings, job), RetryingCaller(connection, timeout)
    with (
        SentLog(job_file(settings, job, "sent")) as log,
        _kept_when_interrupted(connection, order, keep=True),
        JobClient(connection, order, str(jobs_folder(settings)), lock="", call=call) as client,
    ):
        window = window_for(len(call(connection.ledger.workers)))
        sender = DetachedSender(connection, client, log, window, timeout=timeout, on_progress=on_progress)
        for _ in range(CHECKS):
            if sender.run(_packed(source, options)):
                return call(connection.ledger.job, job).state
    raise JobFailed(f"Redis loses batches of job {job} again and again. Look at its memory and its disk.")


@contextlib.contextmanager
def _kept_when_interrupted(connection: Connection, order: Order, *, keep: bool) -> Iterator[None]:
    """After an interrupt, or without Redis or workers, say how the job goes on. Cancel it if it cannot go on."""
    job, keep = order.job, keep and bool(order.options.path)
    try:
        yield
    except KeyboardInterrupt:
        if keep:
            raise KeyboardInterrupt(_how_it_goes_on(connection, order)) from None
        with contextlib.suppress(Exception):  # the client stops even if Redis cannot be reached
            connection.ledger.cancel(job)
            raise KeyboardInterrupt(f"job {job} is cancelled") from None
        raise
    except (Unreachable, NoWorkers) as fault:
        if keep:
            raise type(fault)(f"{fault} Then run `digitmill resume {job}` to continue.") from fault
        with contextlib.suppress(Exception):  # Redis may be away
            connection.ledger.cancel(job)
        raise


def _how_it_goes_on(connection: Connection, order: Order) -> str:
    job = order.job
    if connection.temporary:
        return f"job {job} is kept: `digitmill resume {job}` starts a mill again and continues it"
    sends = f"sends the rest, `digitmill wait {job}` waits for what was sent" if order.detached else "continues it"
    return f"job {job} is kept: `digitmill resume {job}` {sends}, and `digitmill cancel {job}` cancels it"


def collect_job(
    connection: Connection, status: JobStatus, settings: Settings, *, timeout: float = TIMEOUT_SECONDS
) -> FinishedJob:
    """Return the answers of a job that has ended, from its journal on this machine and from Redis.

    Args:
        connection: Connection to the mill.
        status: Status of the job.
        settings: Settings of this process.
        timeout: Seconds without Redis after which to give up.

    Raises:
        DataError: Some answers are on another machine, are lost or have expired, or the file of the journal is not one.
        JobFailed: The job has not ended.
        Unreachable: Redis did not answer in time.
        WireError: An answer is damaged.
    """
    job, call = status.identifier, RetryingCaller(connection, timeout)
    if not status.state.ended:
        raise JobFailed(f"Job {job} is {status.state}. Run `digitmill wait {job}` first.")
    batches = {batch.sequence: batch for batch in gather_detached(connection, job, timeout=timeout)}
    path = journal_path(settings, job)
    if path.exists():
        batches |= {batch.sequence: batch for batch in read_journal(path)}
    results = merge(list(batches.values()), several=status.record.options.get("several") == "read")
    if len(results) != status.images and status.state is not JobState.CANCELLED:
        raise _answers_missing(connection, status, batches, settings, call)
    workers: Counter[str] = Counter()
    for batch in batches.values():
        for result in batch.results:
            workers[result.worker] += len(result)
    read_as = how_read(status, settings)
    source, seconds = status.record.source, _seconds(status)
    info = JobInfo(job, source, status.state, status.created, seconds, [], dict(workers), read_as)
    return FinishedJob(results, info, _card_of(connection, results, call))


def how_read(status: JobStatus, settings: Settings) -> str:
    """Return how the array file of a job was read, in words, as its order or else Redis says; "" if nothing is said."""
    with contextlib.suppress(DataError):  # the answers are good without the order
        if order := read_order(settings, status.identifier):
            return order.options.read_as
    match status.record.options.get("form"):
        case {"sentence": str(sentence)}:
            return sentence[:MAX_TEXT]
    return ""


def _answers_missing(
    connection: Connection,
    status: JobStatus,
    found: Mapping[int, AnsweredBatch],
    settings: Settings,
    call: RetryingCaller,
) -> DataError:
    """Return the error for a job that has ended if some of its answers are not here.

    Args:
        connection: Connection to the mill.
        status: Status of the job.
        found: Batches that are here, by sequence number.
        settings: Settings of this process.
        call: Caller that retries transient faults of Redis.
    """
    job, record = status.identifier, status.record
    images = sum(len(batch.manifest.names) for batch in found.values())
    fault = f"Of the {status.images:,} answers of job {job}, only {images:,} are here."
    if record.folder and not journal_path(settings, job).exists():
        return DataError(
            f"{fault} Client {record.client} has kept the others in {record.folder}. "
            f"Run `digitmill report {job}` there."
        )
    loss = call(find_loss, connection, status, settings, kept=found)
    if loss.resumable:
        return DataError(f"{fault} Redis has lost {loss.describe()}. Run `digitmill resume {job}` to send it again.")
    return DataError(
        f"{fault} The others have expired, or Redis has lost them. Run `digitmill resume {job}` on "
        f"{sender_of(status)}, or submit the images again."
    )
