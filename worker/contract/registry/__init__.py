"""The registry: every published model, which of them is live, and why.

It lies in Redis, which every worker reaches. So a worker on any host needs only one URL, and no shared volume.
"""

from worker.contract.registry.records import (
    Alias,
    Aliases,
    BestChange,
    Canary,
    Fence,
    LiveChange,
    PublishedVersion,
    Retention,
)
from worker.contract.registry.registry import HISTORY_KEPT, STRIKES_SECONDS, Registry
from worker.contract.registry.service_counts import ServiceCounts
from worker.contract.validation.identifiers import LIVE

__all__ = [
    "HISTORY_KEPT",
    "LIVE",
    "STRIKES_SECONDS",
    "Alias",
    "Aliases",
    "BestChange",
    "Canary",
    "Fence",
    "LiveChange",
    "PublishedVersion",
    "Registry",
    "Retention",
    "ServiceCounts",
]
