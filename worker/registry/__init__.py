"""The registry: every published model, which of them is live, and how that came about.

In Redis, the one thing that every worker reaches: no shared volume, and a worker on any host needs one URL.
"""

from worker.registry.records import LIVE, Alias, Aliases, Fence, Move, Published, Watched
from worker.registry.registry import HISTORY_KEPT, VERSIONS_KEPT, Registry
from worker.registry.tally import Tally

__all__ = [
    "HISTORY_KEPT",
    "LIVE",
    "VERSIONS_KEPT",
    "Alias",
    "Aliases",
    "Fence",
    "Move",
    "Published",
    "Registry",
    "Tally",
    "Watched",
]
