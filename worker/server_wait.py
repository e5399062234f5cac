"""Waits for Redis at the start of a role, and checks that it can be used."""

import logging
import math
import time

from redis.exceptions import ReadOnlyError, RedisError

from worker.contract.connection import connect, explain, retry_transient
from worker.contract.errors import UnsuitableServer
from worker.contract.lane.channels import answers
from worker.contract.lane.keys import CALLS
from worker.contract.ledger import keys as ledger
from worker.contract.queues import CLASSIFY_QUEUE, TRAIN_QUEUE
from worker.contract.server_check import Command, inspect_server
from worker.roles import Role
from worker.settings import without_password

FAILOVER_SECONDS = 60.0
"""Time that a replica has to become the master, before a process that needs a master gives up."""

_NO_SCRIPT = "0" * 40

_log = logging.getLogger(__name__)


def needs(role: Role) -> tuple[Command, ...]:
    """Return commands without whose rights a process of a role would run and do nothing."""
    if role is Role.WORKER:
        return (
            ("BRPOP", CLASSIFY_QUEUE, "1"),
            ("LPUSH", CLASSIFY_QUEUE, "-"),
            ("EVALSHA", _NO_SCRIPT, "1", ledger.OPEN),
            ("ZADD", ledger.WORKERS, "0", "-"),
            *(("BRPOP", calls, "1") for calls in CALLS.values()),
            ("PUBLISH", answers("-"), "-"),
        )
    from worker.contract.training import keys as training  # here, because workers know nothing of trainings

    if role is Role.TRAINER:
        return (
            ("BRPOP", TRAIN_QUEUE, "1"),
            ("LPUSH", TRAIN_QUEUE, "-"),
            ("EVALSHA", _NO_SCRIPT, "1", training.LEASE),
            ("ZADD", training.TRAINERS, "0", "-"),
        )
    return (
        ("LPUSH", TRAIN_QUEUE, "-"),
        ("EVALSHA", _NO_SCRIPT, "1", training.CURRENT),
        ("ZADD", training.SCHEDULERS, "0", "-"),
    )


def await_server(role: Role, url: str) -> None:
    """Wait until Redis answers, and check that it can be used.

    Args:
        role: Role of this process.
        url: URL of Redis.

    Raises:
        Unreachable: Redis refuses this process, so that waiting would not help.
        UnsuitableServer: Redis can never do the work, or has been a replica for `FAILOVER_SECONDS`.
    """
    client, where = connect(url), without_password(url)
    seen: set[str] = set()
    first_readonly: list[float] = []

    def on_wait(fault: RedisError) -> None:
        reason = explain(fault, where)
        if reason not in seen:
            _log.warning("waiting: %s", reason)
        seen.add(reason)
        if not isinstance(fault, ReadOnlyError):
            first_readonly.clear()
        elif not first_readonly:
            first_readonly.append(time.monotonic())
        elif time.monotonic() - first_readonly[0] > FAILOVER_SECONDS:
            raise UnsuitableServer(reason)

    inspect = retry_transient(
        lambda: inspect_server(client, where, needs(role)), timeout=math.inf, on_wait=on_wait, where=where
    )
    for sentence in inspect:
        _log.warning("%s", sentence)
    client.close()
