"""What a Redis says about itself: its version, its memory, its files, its copies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ServerState:
    """Redis as it stands. What it does not say is "", 0 or None.

    Attributes:
        software: `redis`, or `valkey`.
        version: Version of that software.
        uptime_seconds: Time since its start.
        clients: Number of connections.
        memory_bytes: Memory that its data takes.
        memory_limit_bytes: Limit of that memory; 0 for none.
        policy: What it does at that limit (`maxmemory-policy`).
        append_only: Whether it keeps an append-only file; None if it does not say.
        append_only_ok: Whether its last write to that file, and its last rewrite, succeeded.
        snapshot_ok: Whether its last snapshot succeeded.
        snapshot_age_seconds: Time since the last snapshot that succeeded.
        changes_since_snapshot: Number of changes since then.
        saving: Whether a child process writes a snapshot or a new append-only file now.
        last_fork_seconds: Time for which the last fork of such a child stopped everything else.
        role: `master`, or `slave` for a replica.
        replicas: Number of replicas that are connected.
        replication_lag_seconds: Time since the slowest of them last reported; None without replicas.
    """

    software: str
    version: str
    uptime_seconds: int
    clients: int
    memory_bytes: int
    memory_limit_bytes: int
    policy: str
    append_only: bool | None
    append_only_ok: bool
    snapshot_ok: bool
    snapshot_age_seconds: float | None
    changes_since_snapshot: int
    saving: bool
    last_fork_seconds: float
    role: str
    replicas: int
    replication_lag_seconds: float | None

    @property
    def memory_share(self) -> float:
        """The share of the limit of memory that is in use, from 0 to 1; 0 without a limit."""
        return self.memory_bytes / self.memory_limit_bytes if self.memory_limit_bytes else 0.0

    @classmethod
    def from_info(cls, facts: Mapping[str, Any], *, now: float) -> Self:
        """Return the state from what INFO says (`server_check.read_facts`).

        Args:
            facts: The facts by name.
            now: Time of Redis: unix time, seconds.
        """

        def number(name: str) -> int:
            value = facts.get(name, 0)
            return value if isinstance(value, int) else 0

        count = number("connected_slaves")
        replicas = [facts.get(f"slave{index}") for index in range(count)]
        lags = [each["lag"] for each in replicas if isinstance(each, dict) and isinstance(each.get("lag"), int)]
        saved = number("rdb_last_save_time")
        return cls(
            software=str(facts.get("server_name", "redis")),
            version=str(facts.get("valkey_version") or facts.get("redis_version", "")),
            uptime_seconds=number("uptime_in_seconds"),
            clients=number("connected_clients"),
            memory_bytes=number("used_memory"),
            memory_limit_bytes=number("maxmemory"),
            policy=str(facts.get("maxmemory_policy", "")),
            append_only=bool(facts["aof_enabled"]) if "aof_enabled" in facts else None,
            append_only_ok="err" not in (facts.get("aof_last_write_status"), facts.get("aof_last_bgrewrite_status")),
            snapshot_ok=facts.get("rdb_last_bgsave_status") != "err",
            snapshot_age_seconds=max(now - saved, 0.0) if saved else None,
            changes_since_snapshot=number("rdb_changes_since_last_save"),
            saving=bool(number("rdb_bgsave_in_progress") or number("aof_rewrite_in_progress")),
            last_fork_seconds=number("latest_fork_usec") / 1e6,
            role=str(facts.get("role", "")),
            replicas=count,
            replication_lag_seconds=max(lags) if lags else None,
        )
