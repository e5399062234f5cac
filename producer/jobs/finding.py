"""Find the job that is meant, and whether it can be resumed here."""

from model.errors import UsageError
from producer.jobs.kept.journal import read_journal
from producer.jobs.kept.order import Order, find_order, jobs_folder, journal_path, read_order
from producer.jobs.recovery import damaged_parts, find_loss, sender_of
from producer.mill.connection import Connection
from worker.contract.ledger import JobState, JobStatus
from worker.settings import Settings


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
        UsageError: The job does not exist, was submitted elsewhere, or has ended without a loss.
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
    kept = read_journal(journal_path(settings, order.job))
    return sum(len(batch.manifest.names) for batch in kept.values()) == status.images
