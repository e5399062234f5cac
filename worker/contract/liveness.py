"""Tells which processes are alive, from the times of their last heartbeats."""

from typing import Any

ALIVE_SECONDS = 5.0
"""Seconds without a heartbeat after which a worker, a trainer or a scheduler counts as dead."""


def alive(client: Any, key: str) -> list[str]:
    """Return the names with a heartbeat in the last `ALIVE_SECONDS`, sorted.

    Args:
        client: Connection of `connection.connect`.
        key: Key of a sorted set: name of a process → unix ms of its last heartbeat.
    """
    seconds, microseconds = client.time()
    since = seconds * 1000 + microseconds // 1000 - int(ALIVE_SECONDS * 1000)
    return sorted(name.decode() for name in client.zrangebyscore(key, since, "+inf"))
