"""Checks a Redis once at each start: nothing is believed about it that it does not say itself.

Everything is read with one INFO, because providers of Redis often forbid CONFIG.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import redis
from redis.exceptions import (
    BusyLoadingError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
)

from worker.contract.connection import in_cluster_mode
from worker.contract.errors import NotPermitted, UnsuitableServer

MIN_VERSION = (6, 2)
"""Oldest version that works: since this one, LPOP takes a count."""

KEEPS_ALL = "noeviction"

Command: TypeAlias = tuple[str, ...]
"""A command of Redis: its name, its key and its other arguments. A script has its checksum and 1 before its key."""


_WRITES = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
"""Facts that say whether Redis could write its files."""


def inspect_server(client: "redis.Redis", where: str, needs: Sequence[Command] = ()) -> tuple[str, ...]:
    """Check that a Redis loses nothing that it was told, and that its user may do what is needed.

    Args:
        client: Connection of `connection.connect`.
        where: Address of Redis without its password, for messages.
        needs: Commands that the user must be allowed to run. Redis is asked, but runs none of them.

    Returns:
        Warnings: a sentence about each thing that may lose data, or that could not be checked, with its remedy.

    Raises:
        NotPermitted: The user may not do what is needed. The message says what is missing.
        UnsuitableServer: Redis can never do the work. The message says what to change.
        RedisError: Redis does not answer. It is transient if Redis is still loading, or is a replica that may become
            the master.
    """
    facts = read_facts(client)
    try:
        _refuse(facts, where)
    except ReadOnlyError:
        client.connection_pool.disconnect()  # by now, the name or the Sentinels may lead to another server
        raise
    _check_rights(client, where, needs)
    return tuple(_warnings(facts, where))


def read_facts(client: "redis.Redis") -> dict[str, Any]:
    """Return what INFO says, or nothing if the user may not run it.

    Raises:
        RedisError: Redis does not answer, or is still loading its data.
    """
    try:
        facts: dict[str, Any] = client.info()
    except ResponseError as fault:
        if not isinstance(fault, NoPermissionError) and "unknown command" not in str(fault):
            raise
        client.ping()
        return {}
    if facts.get("loading") == 1:
        raise BusyLoadingError("Redis is loading its data")
    return facts


def _refuse(facts: dict[str, Any], where: str) -> None:
    version = tuple(map(int, re.findall(r"\d+", str(facts.get("redis_version", "")))[:2]))
    if version and version < MIN_VERSION:
        raise UnsuitableServer(
            f"{where} is Redis {facts['redis_version']}, which is too old. Install Redis or Valkey "
            f"{'.'.join(map(str, MIN_VERSION))} or newer."
        )
    if facts.get("redis_mode") == "sentinel":
        raise UnsuitableServer(
            f"{where} is a Sentinel, which keeps no data. Write sentinel://HOST:PORT/NAME in DIGITMILL_REDIS_URL, with "
            "the name of the master that it watches, or name that Redis itself."
        )
    if facts.get("cluster_enabled") == 1 or facts.get("redis_mode") == "cluster":
        raise UnsuitableServer(in_cluster_mode(where))
    if facts.get("role") in {"slave", "replica"}:
        raise ReadOnlyError(f"its master is {facts.get('master_host')}:{facts.get('master_port')}")
    policy = facts.get("maxmemory_policy", KEEPS_ALL)
    if policy != KEEPS_ALL:
        # Also with `volatile-…`, because most keys expire some day; and without a memory limit, because somebody may
        # set one while a job runs.
        raise UnsuitableServer(
            f"{where} may throw away images and answers when its memory is full (maxmemory-policy {policy}). "
            f"Set its maxmemory-policy to {KEEPS_ALL}."
        )


def _warnings(facts: dict[str, Any], where: str) -> list[str]:
    if not facts:
        unknown = f"{where} does not let its user run INFO, so digitmill cannot tell whether it may lose data."
        return [f"{unknown} Allow INFO, or make sure that it has maxmemory-policy {KEEPS_ALL} and appendonly yes."]
    found = []
    if "maxmemory_policy" not in facts:
        found.append(
            f"{where} does not say what it does when its memory is full. Make sure that it has maxmemory-policy "
            f"{KEEPS_ALL}."
        )
    if "aof_enabled" not in facts:
        found.append(f"{where} does not say whether it keeps its data on disk. Make sure that it has appendonly yes.")
    elif facts["aof_enabled"] == 0:
        found.append(
            f"{where} keeps no append-only file, so a restart of Redis loses jobs, answers and models. "
            "Set its appendonly to yes."
        )
    if any(facts.get(status) == "err" for status in _WRITES):
        found.append(
            f"{where} could not write its data to its disk, and may refuse every change until it can. Make room on "
            "that disk; the log of Redis says more."
        )
    return found


def _check_rights(client: "redis.Redis", where: str, needs: Sequence[Command]) -> None:
    """Check the rights of the user.

    Raises:
        NotPermitted: A right is missing.
    """
    if refusal := find_refusal(client, needs):
        [name, *arguments], _ = refusal
        user = client.connection_pool.connection_kwargs.get("username") or "default"
        raise NotPermitted(
            f"{where} does not let its user {user} run {name} on {arguments[2 if name == 'EVALSHA' else 0]}. "
            "Give the user this right, or name another in DIGITMILL_REDIS_URL; `digitmill redis-users` prints them."
        )


def find_refusal(client: "redis.Redis", needs: Sequence[Command]) -> tuple[Command, NoPermissionError] | None:
    """Return the first of some commands that the user of a connection may not run, or None. Nothing is run.

    Redis checks the rights of a command when a transaction takes it up. So the transaction is given up at its end, and
    nothing has happened. `ACL DRYRUN` does the same, but only administrators may run it.

    Args:
        client: Connection to Redis.
        needs: The commands.
    """
    if not needs:
        return None
    connection: Any = client.connection_pool.get_connection()
    try:
        connection.send_command("MULTI")
        connection.read_response()
        connection.send_packed_command(connection.pack_commands(needs))
        refusals = [(command, _refusal(connection)) for command in needs]
        connection.send_command("DISCARD")
        connection.read_response()
    except NoPermissionError:
        return None  # without transactions, only the commands themselves can tell
    except BaseException:
        connection.disconnect()
        raise
    finally:
        client.connection_pool.release(connection)
    return next(((command, fault) for command, fault in refusals if fault), None)


def _refusal(connection: Any) -> NoPermissionError | None:
    try:
        connection.read_response()
    except NoPermissionError as fault:
        return fault
    except ResponseError:
        pass  # such as a full memory, which ends by itself
    return None
