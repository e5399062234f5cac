"""The results of a job that has ended, from its journal on this machine and from Redis."""

import contextlib
from collections import ChainMap, Counter, defaultdict
from collections.abc import Mapping
from typing import Any, cast

from model.cards.card import Card
from model.errors import DataError, ModelError
from producer.jobs.kept.columns import merge
from producer.jobs.kept.journal import AnsweredBatch, ReceivedBatch, read_journal
from producer.jobs.kept.order import journal_path, read_order
from producer.jobs.patience import TIMEOUT_SECONDS
from producer.jobs.recovery import find_loss, sender_of
from producer.jobs.results import FinishedJob, JobInfo, Results
from producer.mill.connection import Connection, RetryingCaller
from worker.contract.errors import JobFailed, Unreachable
from worker.contract.ledger import JobState, JobStatus, Part, cover
from worker.contract.validation.bounds import MAX_TEXT
from worker.settings import Settings


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
    in_redis = {batch.sequence: batch for batch in _answers_in_redis(connection, job, timeout=timeout)}
    kept = read_journal(journal_path(settings, job))
    batches: Mapping[int, AnsweredBatch] = ChainMap(cast("Any", kept), in_redis)  # which only reads
    results = merge(batches, several=status.record.options.get("several") == "read")
    if len(results) != status.images and status.state is not JobState.CANCELLED:
        raise _answers_missing(connection, status, batches, settings, call)
    workers: Counter[str] = Counter()
    for batch in batches.values():
        for result in batch.results:
            workers[result.worker] += len(result)
    read_as = how_read(status, settings)
    source, seconds = status.record.source, status.seconds
    info = JobInfo(job, source, status.state, status.created, seconds, [], dict(workers), read_as)
    return FinishedJob(results, info, card_of(connection, results, call))


def how_read(status: JobStatus, settings: Settings) -> str:
    """Return how the array file of a job was read, in words, as its order or else Redis says; "" if nothing is said."""
    with contextlib.suppress(DataError):  # the answers are good without the order
        if order := read_order(settings, status.identifier):
            return order.options.read_as
    match status.record.options.get("form"):
        case {"sentence": str(sentence)}:
            return sentence[:MAX_TEXT]
    return ""


def _answers_in_redis(connection: Connection, job: str, *, timeout: float) -> list[AnsweredBatch]:
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
        batches = []
        for sequence, parts in by_sequence.items():
            if sequence in manifests:
                manifest = manifests[sequence]
                whole = Part(job, sequence, 0, len(manifest.names) - len(manifest.failures))
                results = ledger.results(cover(parts, whole) or [], with_damaged=False)
                batches.append(ReceivedBatch(sequence, manifest, list(results.values())).decode())
        return [batch for batch in batches if batch.complete]

    return connection.retry_transient(read, timeout=timeout)


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


def card_of(connection: Connection, results: Results, call: RetryingCaller) -> Card | None:
    """Return the card of the version that classified most images, or None where there is none."""
    versions = results.versions.counts()
    del versions[""]
    if not versions:
        return None
    [(version, _)] = versions.most_common(1)
    try:
        return call(connection.registry.card, version)
    except (ModelError, Unreachable):  # a report without a card is better than none
        return None
