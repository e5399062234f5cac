"""All that a client needs of one Redis."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import redis

from worker.contract.connection import retry_transient
from worker.contract.doorbell import Doorbell
from worker.contract.ledger import Ledger
from worker.contract.reconciler import Reconciler
from worker.contract.registry import Registry

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Connection:
    """All that a client needs of one Redis."""

    client: "redis.Redis"
    ledger: Ledger
    doorbell: Doorbell
    reconciler: Reconciler
    registry: Registry
    where: str

    def retry_transient(
        self, call: Callable[[], _Value], *, timeout: float, on_wait: Callable[[object], None] | None = None
    ) -> _Value:
        """Call Redis, patiently; see `worker.contract.connection.retry_transient`."""
        return retry_transient(call, timeout=timeout, on_wait=on_wait, where=self.where)
