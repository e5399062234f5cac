"""Waits for the end of a job that another process gathers, or that nobody gathers."""

import time
from collections.abc import Callable

from model.errors import UsageError
from producer.jobs.patience import NO_WORKER, Patience
from producer.jobs.recovery import Loss, find_loss, sender_of
from producer.jobs.sending import JobProgress
from producer.mill.connection import Connection, RetryingCaller
from worker.contract.errors import JobFailed, NoWorkers
from worker.contract.ledger import JobState, JobStatus, Owner
from worker.contract.liveness import ALIVE_SECONDS
from worker.settings import Settings

POLL_SECONDS = 0.2

SILENT_SECONDS = 10.0
"""Seconds without a new image or answer after which a client that does not report to Redis counts as silent."""


class JobWatch:
    """Follows one job until it has ended.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job.
        settings: Settings of this process.
        timeout: Seconds without progress, or without Redis, after which to give up.
        on_progress: Progress callback, called several times a second.
    """

    def __init__(
        self,
        connection: Connection,
        job: str,
        settings: Settings,
        *,
        timeout: float,
        on_progress: Callable[[JobStatus, JobProgress], None],
    ) -> None:
        self._connection = connection
        self._ledger = connection.ledger
        self._job = job
        self._settings = settings
        self._timeout = timeout
        self._on_progress = on_progress
        self._call = RetryingCaller(connection, timeout)
        self._patience = Patience(self._call)
        self._owned = connection.ledger.owned(job, Owner("", "", ""))
        self._seen: tuple[object, ...] = ()
        self._started = self._moved = self._next_search = time.monotonic()
        self._loss: Loss | None = None

    def await_end(self) -> JobStatus:
        """Wait until the job has ended; return its final status.

        Raises:
            JobFailed: There was no progress for `timeout` seconds, because the client of the job has ended, or because
                Redis has lost some of it.
            NoWorkers: There was none, because no worker answers.
            Unreachable: Redis did not answer for `timeout` seconds.
            UsageError: The record of the job is gone.
        """
        while True:
            status = self._status()
            if status is not None and status.state.ended:
                return status
            self._connection.reconciler.tick()
            if status is not None:
                self._follow(status)
            elif self._patience.exhausted:
                raise UsageError(
                    f"Redis has lost job {self._job}. Run `digitmill resume {self._job}` where it was submitted, which "
                    "sends it again."
                )
            time.sleep(POLL_SECONDS)

    def _status(self) -> JobStatus | None:
        """Return the job as it stands, or None if Redis has lost it. Its client may make it again."""
        try:
            return self._call(self._ledger.job, self._job)
        except UsageError:
            return None

    def _follow(self, status: JobStatus) -> None:
        """Look for progress, or for the reason why there is none, and give up after the timeout."""
        now = time.monotonic()
        if _counters(status) != self._seen:
            self._seen, self._moved = _counters(status), now
            self._patience.renew()
            self._loss = None
        elif self._patience.is_look_due():
            self._patience.look(status.problem, self._call(self._owned.queue))
            self._search(status, now)
            if self._patience.exhausted:
                # The last part may have been answered while this looked elsewhere.
                latest = self._status()
                if latest is None or _counters(latest) != self._seen:
                    return
                self._give_up(latest)
        self._on_progress(
            status,
            JobProgress(
                status.images,
                status.answered,
                status.failed,
                status.open,
                now - self._started,
                self._problem(status),
            ),
        )

    def _problem(self, status: JobStatus) -> str:
        if self._client_ended(status):
            return f"its client has ended; `digitmill resume {self._job}` there continues the job"
        if self._loss:
            return f"Redis has lost {self._loss.describe()}"
        problem = self._patience.problem
        return "" if problem == NO_WORKER and not status.open else problem  # then there is nothing to do for a worker

    def _search(self, status: JobStatus, now: float) -> None:
        """Look for lost batches of a detached job. The client of another job sends again what is lost."""
        if status.record.folder or now < self._next_search:
            return
        loss = self._call(find_loss, self._connection, status, self._settings)
        self._loss = loss if loss.batches else None
        # A large job takes long to look through, and must not do so all the time.
        self._next_search = time.monotonic() + 20 * (time.monotonic() - now)

    def _give_up(self, status: JobStatus) -> None:
        """Say why there is no progress.

        Raises:
            JobFailed: The client of the job has ended, or Redis has lost some of the job.
            NoWorkers: No worker answers.
        """
        job, where = self._job, sender_of(status)
        waited = f"Job {job} has made no progress for {self._timeout:.0f} s"
        remedy = f"Run `digitmill resume {job}` there, or `digitmill cancel {job}`."
        ended = JobFailed(f"{waited}, because its client has ended, on {where}. {remedy}")
        if self._client_ended(status):
            raise ended
        if self._loss:
            place = "Run" if self._loss.resumable else f"On {where}, run"
            raise JobFailed(
                f"{waited}, because Redis has lost {self._loss.describe()}. {place} `digitmill resume {job}`, which "
                "sends it again."
            )
        if status.open:
            try:
                self._patience.check()
            except NoWorkers as fault:
                raise NoWorkers(
                    f"{fault} The job waits for them, and `digitmill wait {job}` waits for the job."
                ) from None
        if self._silence(status) > ALIVE_SECONDS:
            raise ended
        raise JobFailed(
            f"{waited}. Its client, on {where}, is alive and waits, perhaps for its images. Look there, or run "
            f"`digitmill cancel {job}`."
        )

    def _client_ended(self, status: JobStatus) -> bool:
        """Return whether the job needs its client, which has ended."""
        return status.state is JobState.SUBMITTING and self._silence(status) > ALIVE_SECONDS

    def _silence(self, status: JobStatus) -> float:
        """Return the seconds since the client of a job was seen; infinity if it has ended."""
        if status.owner_seen is None:  # versions up to 0.2 do not report to Redis
            silent = time.monotonic() - self._moved > SILENT_SECONDS
            return float("inf") if silent else 0.0
        return client_silence(status, self._call(self._ledger.now))


def _counters(status: JobStatus) -> tuple[object, ...]:
    """Return what changes when a job makes progress."""
    return status.state, status.images, status.answered, status.unacknowledged, status.open


def client_silence(status: JobStatus, now: float) -> float:
    """Return the seconds since the client of a job was seen, by the clock of Redis; infinity if it has left.

    Args:
        status: Status of the job. Its client reports to Redis.
        now: Time of Redis: unix time, seconds.
    """
    # A client that was seen in the future was seen before the clock was set back.
    return abs(now - status.owner_seen) if status.owner_seen else float("inf")


def ended_client(status: JobStatus, now: float) -> str:
    """Return where the client of an unfinished job has ended, and what continues the job; "" if that is not known.

    Args:
        status: Status of the job.
        now: Time of Redis: unix time, seconds.
    """
    sent = not status.record.folder and status.state != "submitting"  # a detached job then needs no client
    if status.state.ended or sent or status.owner_seen is None or client_silence(status, now) <= ALIVE_SECONDS:
        return ""
    return f"its client has ended on {sender_of(status)}; `digitmill resume {status.identifier}` there continues it"
