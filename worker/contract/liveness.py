"""Tells which processes are alive, from the times of their last heartbeats."""

from typing import Any

from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import Kind

ALIVE_SECONDS = 5.0
"""Seconds without a heartbeat after which a worker, a trainer or a scheduler counts as dead."""

SILENT_SECONDS = 3.0
"""Seconds without a heartbeat after which a worker is shown as silent."""

GONE_SECONDS = 10.0
"""Seconds without a heartbeat after which a worker is not shown any more, and Redis forgets its report."""

SLACK_SECONDS = 1.0
"""Time by which a heartbeat may lie in the future. A later one was sent before the clock of Redis was set back."""


def alive(client: Any, key: str) -> list[str]:
    """Return the names with a heartbeat in the last `ALIVE_SECONDS`, sorted. What cannot be a name is left out.

    Args:
        client: Connection of `connection.connect`.
        key: Key of a sorted set: name of a process → unix ms of its last heartbeat.
    """
    seconds, microseconds = client.time()
    now = seconds * 1000 + microseconds // 1000
    since, until = now - int(ALIVE_SECONDS * 1000), now + int(SLACK_SECONDS * 1000)
    names = client.zrangebyscore(key, since, until)
    return sorted(name.decode() for name in names if identifiers.is_valid(Kind.PROCESS, name))
