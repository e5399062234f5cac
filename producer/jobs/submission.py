"""A job from its source to its results: the steps that `submit`, `resume`, `demo` and the benchmarks share."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from model.data.mnist import load_test
from model.errors import DataError, UsageError
from producer.jobs.collecting import card_of
from producer.jobs.gathering import Gatherer
from producer.jobs.kept.columns import Columns, join
from producer.jobs.kept.journal import AnsweredBatch, Journal, create_journal
from producer.jobs.kept.listed import ListedImages, read_end
from producer.jobs.kept.order import (
    Order,
    SubmitOptions,
    job_file,
    jobs_folder,
    journal_path,
    new_order,
    order_of,
    prune_jobs,
    remove_files,
    write_order,
)
from producer.jobs.kept.sent import SentLog, read_manifests
from producer.jobs.ownership import JobClient, creator_of
from producer.jobs.packing import pack, pack_again
from producer.jobs.patience import TIMEOUT_SECONDS
from producer.jobs.results import FinishedJob, JobInfo, Results
from producer.jobs.sending import CHECKS, DetachedSender, ProgressCallback, ignore_progress, source_changed, window_for
from producer.jobs.tracing import job_span
from producer.mill.connection import Connection, RetryingCaller
from producer.sources import (
    UNCHANGED,
    GrowingFolder,
    Source,
    mnist_source,
    open_growing,
    open_listed,
    open_several,
    open_source,
    read_paths,
)
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.gate import GateState, QueueGate
from worker.contract.ledger import JobState, new_job_identifier
from worker.contract.registry import LIVE
from worker.contract.wire import Batch, Manifest
from worker.settings import Settings

_log = logging.getLogger(__name__)

NAMES = 10
"""Number of identifiers that a client tries for a new job."""

MNIST = "mnist"
"""Path that stands for MNIST's test set."""


def open_submitted(options: SubmitOptions, settings: Settings, *, ordered: bool = False, whole: bool = False) -> Source:
    """Open the source that submit options name, and return it.

    Args:
        options: What to submit, and how.
        settings: Settings of this process.
        ordered: As for `open_growing`.
        whole: Whether to list a folder before its images are read, in any case.

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
        return mnist_source(
            test.images,
            test.labels,
            labelled_by=options.labels,
            include=options.include,
            exclude=options.exclude,
            numbers=options.reads_numbers,
        )
    if options.listed:
        try:
            with Path(options.path).open("rb") as file:
                return open_list(options, file, options.path)
        except OSError as fault:
            raise UsageError(f"Cannot read the list {options.path!r}: {fault.strerror}. Give another.") from None
    chosen = _chosen(options)
    if options.more:
        return open_several((options.path, *options.more), **chosen)
    if not (whole or options.new):  # only the whole list tells what is new
        asked = {name: value for name, value in chosen.items() if name != "as_is"}
        if growing := open_growing(options.path, **asked, ordered=ordered):
            return growing
    return open_source(options.path, form=options.form, **chosen)


def open_list(options: SubmitOptions, file: BinaryIO, description: str) -> Source:
    """Open the images of a list of paths, and return them.

    Args:
        options: What to submit, and how. `options.listed` says what separates the paths.
        file: The list.
        description: Description of the list, for people.

    Raises:
        UsageError: The list has no paths, or its images cannot be opened.
    """
    paths = read_paths(file, null=options.listed == "null")
    return open_listed(paths, Path(options.folder), description=description, **_chosen(options))


def _chosen(options: SubmitOptions) -> dict[str, Any]:
    return {
        "labels": options.labels,
        "include": options.include,
        "exclude": options.exclude,
        "numbers": options.reads_numbers,
        "as_is": options.as_is,
    }


def reopen_submitted(options: SubmitOptions, settings: Settings, job: str = "") -> Source:
    """Open the source of a job again, and return it. An array file is read in the form that the job was made with.

    Args:
        options: What was submitted, and how.
        settings: Settings of this process.
        job: Identifier of the job, or "" if it was not made with this data folder.

    Raises:
        DataError: As for `open_submitted`; or what lists the images of the job is damaged.
        UsageError: As for `open_submitted`.
    """
    if options.new:
        raise UsageError("A job of `submit --new` is not resumed. Run the same command again: it continues.")
    # A job of an earlier version has no form, because only images in MNIST's form were read.
    options = replace(options, form=options.form or UNCHANGED)
    if not job:
        return open_submitted(options, settings)
    listed = job_file(settings, job, "list")
    if not listed.exists():
        # A job that has sent images without such a list had its folder listed first, and must find the same order.
        return open_submitted(options, settings, whole=_has_begun(job, settings))
    source = open_submitted(options, settings, ordered=True)
    if isinstance(source, GrowingFolder) and (end := read_end(listed)):
        source.know(end.rows, end.left_out)
    return source


def _has_begun(job: str, settings: Settings) -> bool:
    """Return whether a client has sent images of a job."""
    files = (job_file(settings, job, kind) for kind in ("sent", "journal"))
    return any(path.exists() and path.stat().st_size for path in files)


def create_job(
    connection: Connection,
    options: SubmitOptions,
    description: str,
    settings: Settings,
    *,
    detached: bool,
    total: int | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> str:
    """Create a job; return its identifier.

    Args:
        connection: Connection to the mill.
        options: What to submit, and how.
        description: Description of the source, for people.
        settings: Settings of this process.
        detached: Whether the client leaves before the answers are there. Such a job has no journal.
        total: Number of images, or None if it is unknown.
        timeout: Seconds without Redis after which to give up.

    Raises:
        JobFailed: All identifiers that were tried belong to other jobs.
        UsageError: The model does not exist, the journal cannot be written, or the queue is drained.
        Unreachable: Redis does not answer.
    """
    prune_jobs(settings)
    call = RetryingCaller(connection, timeout)
    if (gate := call(QueueGate(connection.client).current)).state is GateState.DRAINED:
        raise UsageError(f"{gate}. Until then, it accepts no new jobs.")
    model = _resolve_model(connection, options.model, call)
    created = call(connection.ledger.now)
    for _ in range(NAMES):
        identifier = new_job_identifier()
        order = new_order(
            settings, identifier, options, description, model, detached=detached, created=created, total=total
        )
        # The files come first, so that a job that cannot be kept does not exist.
        with contextlib.suppress(FileExistsError):
            write_order(settings, order)
            with _named_when_interrupted(order):
                if _create(connection, order, settings, call):
                    _log.info("Job %s is created, for model %s", order.job, model)
                    return order.job
            remove_files(settings, order.job)
    raise JobFailed("All identifiers that were tried for the new job are taken. Try again.")


@contextlib.contextmanager
def _named_when_interrupted(order: Order) -> Iterator[None]:
    """Let an interrupt name a job whose order is written, because the job may be in Redis already."""
    try:
        yield
    except KeyboardInterrupt:
        if not order.options.resumable:
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


def gather_job(
    connection: Connection,
    job: str,
    options: SubmitOptions,
    source: Source,
    settings: Settings,
    *,
    timeout: float = TIMEOUT_SECONDS,
    on_progress: ProgressCallback = ignore_progress,
    on_results: Callable[[Results], None] | None = None,
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
        on_results: Function that is called with the next images and their answers, in the order of submission, as soon
            as all before them are answered. A resumed job begins again with its first image.
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
        job_span(order, settings),
        _order_recorded(source, job, settings),
        _kept_when_interrupted(connection, order, keep=keep),
        JobClient(connection, order, folder, lock=journal.lock, call=call, take_over=take_over) as client,
    ):
        resumed = bool(journal.batches or log.batches)
        window = window_for(len(call(connection.ledger.workers)))

        asked = {"several": options.reads_numbers, "probabilities": _wants_probabilities(options)}
        columns: dict[int, Columns] = {}

        def add(batch: AnsweredBatch) -> None:
            columns[batch.sequence] = Columns(batch, **asked)

        def follow(sequence: int) -> None:
            if on_results:
                on_results(join([columns[sequence]], **asked))

        gatherer = Gatherer(
            connection,
            client,
            journal,
            log,
            window,
            timeout=timeout,
            on_progress=on_progress,
            on_kept=add,
            on_next=follow,
        )
        rows = {sequence: len(batch.manifest.names) for sequence, batch in _unlogged(journal, log)}
        state = gatherer.run(
            _packed(source, options, log, gatherer.keeps, rows), recorded=isinstance(source, GrowingFolder)
        )
        seconds, timeline = gatherer.seconds, gatherer.timeline
        _log.info("Job %s is %s: %.2f s from its first batch to its last answer", job, state, seconds)
        results = join([columns[sequence] for sequence in sorted(columns)], **asked)
        if resumed:
            # The report counts all images, so it needs the time of the whole job and not only that of this client.
            status = call(connection.ledger.job, job)
            started, seconds, timeline = status.created, status.seconds, []
    workers = dict(gatherer.workers)
    info = JobInfo(job, source.description, state, started, seconds, timeline, workers, options.read_as)
    return FinishedJob(results, info, card_of(connection, results, call))


@contextlib.contextmanager
def _order_recorded(source: Source, job: str, settings: Settings) -> Iterator[None]:
    """Keep the order of a folder that is listed while it is read, or find the order that was kept."""
    if not isinstance(source, GrowingFolder):
        yield
        return
    with ListedImages(job_file(settings, job, "list")) as record:
        source.record_in(record)
        yield


def _packed(
    source: Source,
    options: SubmitOptions,
    log: SentLog,
    keeps: Callable[[int], bool],
    unlogged: Mapping[int, int] = MappingProxyType({}),
    *,
    keeps_manifests: bool = False,
) -> Iterator[tuple[Batch, Manifest] | None]:
    """Yield the batches of a job, and None for those whose images nobody needs again.

    Args:
        source: Images of the job.
        options: What was submitted, and how.
        log: What was sent before.
        keeps: Function that returns whether the images of a batch are not needed any more.
        unlogged: Number of images of each batch that was sent and that the log has lost, by sequence number.
        keeps_manifests: Whether what was sent before keeps its manifest, because parts of it may have answers.

    Raises:
        JobFailed: The order of the images is recorded, and does not tell which images were sent.
    """
    how: dict[str, Any] = {"probabilities": _wants_probabilities(options), "several": options.reads_numbers}
    rows = {**unlogged, **{sequence: batch.rows for sequence, batch in log.batches.items()}}
    if not isinstance(source, GrowingFolder):
        yield from pack(source.runs(), batch_size=options.batch_size, **how, sizes=rows)
        return
    if set(rows) != set(range(len(rows))) or sum(rows.values()) > source.total:
        raise source_changed(log.path.stem)
    listed = source.listed()
    for sequence in range(len(rows)):
        images = list(islice(listed, rows[sequence]))
        if keeps(sequence):
            yield None
        else:
            sent = read_manifests(log.path, {sequence: log.batches[sequence]})[sequence] if keeps_manifests else None
            yield pack_again(source.load(images), **how, sent=sent)
    yield from pack(source.load(listed), batch_size=options.batch_size, **how, number=len(rows))


def _unlogged(journal: Journal, log: SentLog) -> Iterator[tuple[int, AnsweredBatch]]:
    """Yield the batches of the journal that the log of what was sent has lost, which is kept less safely."""
    yield from ((sequence, journal.batches[sequence]) for sequence in journal.batches if sequence not in log.batches)


def _wants_probabilities(options: SubmitOptions) -> bool:
    return options.probabilities and not options.reads_numbers


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
        job_span(order, settings),
        _order_recorded(source, job, settings),
        _kept_when_interrupted(connection, order, keep=True),
        JobClient(connection, order, str(jobs_folder(settings)), lock="", call=call) as client,
    ):
        window = window_for(len(call(connection.ledger.workers)))
        sender = DetachedSender(connection, client, log, window, timeout=timeout, on_progress=on_progress)
        for _ in range(CHECKS):
            packed = _packed(source, options, log, sender.keeps, keeps_manifests=True)
            if sender.run(packed, recorded=isinstance(source, GrowingFolder)):
                return call(connection.ledger.job, job).state
    raise JobFailed(f"Redis loses batches of job {job} again and again. Look at its memory and its disk.")


@contextlib.contextmanager
def _kept_when_interrupted(connection: Connection, order: Order, *, keep: bool) -> Iterator[None]:
    """After an interrupt, or without Redis or workers, say how the job goes on. Cancel it if it cannot go on."""
    job, keep = order.job, keep and order.options.resumable
    try:
        yield
    except KeyboardInterrupt:
        if keep:
            raise KeyboardInterrupt(_how_it_goes_on(connection, order)) from None
        with contextlib.suppress(Exception):  # the client stops even if Redis cannot be reached
            connection.ledger.cancel(job)
            goes_on = "; the same command continues" if order.options.new else ""
            raise KeyboardInterrupt(f"job {job} is cancelled{goes_on}") from None
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
