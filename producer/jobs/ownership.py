"""The client of a job: it owns the job while it gathers the answers, and tells others that it is alive."""

import contextlib
import secrets
import threading
import time
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from model.errors import UsageError
from producer.jobs.kept.order import Order, this_host
from producer.mill.connection import Connection, RetryingCaller
from worker.contract.errors import JobFailed, Unreachable
from worker.contract.ledger import Claimed, Owner, Ownership
from worker.contract.liveness import ALIVE_SECONDS

HEARTBEAT_SECONDS = 1.0
"""Interval at which a client reports that it is alive."""

_TAKE_SECONDS = 0.25


class JobClient:
    """A context manager for the time in which this process sends or gathers one job.

    On entry it creates the job if Redis does not have it, and becomes its owner. A detached job has no owner: then this
    only reports that its sender is alive.

    Args:
        connection: Connection to the mill.
        order: Order of the job, which this user gave on this machine.
        folder: Folder of the order and of the journal.
        lock: Name of the lock on the journal that this process holds (`files.lock_name`).
        call: Caller that retries transient faults of Redis.
        take_over: Whether to become the owner although the journal of the former owner is elsewhere.

    Attributes:
        owned: The job as its client sees it.

    Raises:
        JobFailed: On entry, the identifier belongs to another job.
        Unreachable: On entry, Redis did not answer in time.
        UsageError: On entry, another client owns the job.
    """

    def __init__(
        self,
        connection: Connection,
        order: Order,
        folder: str,
        *,
        lock: str,
        call: RetryingCaller,
        take_over: bool = False,
    ) -> None:
        token = "" if order.detached else secrets.token_hex(16)
        self.owned = connection.ledger.owned(order.job, Owner(token, this_host(), folder, lock))
        self._ledger = connection.ledger
        self._order = order
        self._call = call
        self._take_over = take_over
        self._heartbeat = threading.Thread(target=self._beat, name="job heartbeat", daemon=True)
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.claim()
        self._heartbeat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if isinstance(value, Unreachable):
            return  # this client counts as dead a few seconds later
        self._heartbeat.join(HEARTBEAT_SECONDS)
        with contextlib.suppress(RedisError):
            self.owned.leave()

    def claim(self) -> None:
        """Create the job if Redis does not have it, and become its owner.

        Raises:
            JobFailed: The identifier belongs to another job.
            Unreachable: Redis did not answer in time.
            UsageError: Another client owns the job.
        """
        if self._order.detached:
            self._create()
            return
        deadline, seen = time.monotonic() + 2 * ALIVE_SECONDS, None
        while True:
            claimed = self._call(self.owned.own, take_over=self._take_over)
            match claimed.outcome:
                case Ownership.OWNED:
                    return
                case Ownership.GONE:
                    self._create()
                    continue
                case Ownership.ELSEWHERE:
                    raise UsageError(self._elsewhere(claimed))
            # Its owner lives if it reports again. If it was killed, it counts as dead after some seconds.
            if (seen is not None and claimed.silent_seconds < seen) or time.monotonic() > deadline:
                raise UsageError(
                    f"Job {self._order.job} belongs to a client that is running on {claimed.host} with the folder "
                    f"{claimed.folder}. Wait until it ends, or stop it there with Ctrl-C, which keeps the job."
                )
            seen = claimed.silent_seconds
            time.sleep(_TAKE_SECONDS)

    def reclaim(self) -> None:
        """Become the owner again, because Redis says that this client is not.

        Redis may have forgotten it.

        Raises:
            JobFailed: Another client owns the job.
            Unreachable: Redis did not answer in time.
        """
        try:
            self.claim()
        except UsageError:
            status = self._call(self._ledger.job, self._order.job)
            raise JobFailed(
                f"Job {self._order.job} was taken over by another client, on {status.owner_host} with the folder "
                f"{status.owner_folder}. `digitmill show {self._order.job}` shows how it goes on."
            ) from None

    def _create(self) -> None:
        created = self._call(
            self._ledger.create,
            self._order.job,
            self._order.record(),
            creator=creator_of(self._order),
            created=self._order.created,
        )
        if not created:
            raise JobFailed(
                f"The job {self._order.job} in Redis is not the one that was submitted here. Submit it again."
            )

    def _elsewhere(self, claimed: Claimed) -> str:
        job, here = self._order.job, self.owned.owner.folder
        return (
            f"The answers of job {job} are on {claimed.host} in {claimed.folder}. Run `digitmill resume {job}` there. "
            f"If nobody can, and {here} has a copy of the files {job}.*, add --take-over."
        )

    def _beat(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(RedisError):
                self.owned.hold()
            self._ended.wait(HEARTBEAT_SECONDS)


def creator_of(order: Order) -> str:
    """Return what tells this job from another one that got the same identifier by chance."""
    return f"{order.host}:{order.client}:{order.created}"
