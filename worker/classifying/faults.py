"""Takes versions out of service if they harm the processes that classify with them."""

import logging

from model.errors import ModelError
from worker.contract.registry import Registry

STRIKES = 3
"""Number of times within `registry.STRIKES_SECONDS` that a version may end its process or fail, on any worker.

A sound version never does. One time could be an accident, such as a fault of the machine.
"""

_log = logging.getLogger(__name__)


class VersionFaults:
    """Records what versions do to their processes, and rolls them back.

    Every method raises redis-py's errors.

    Args:
        registry: Registry of the versions.
        name: Name of this worker, for the registry's history.
    """

    def __init__(self, registry: Registry, *, name: str) -> None:
        self._registry = registry
        self._worker = name

    def strike(self, version: str, what: str) -> None:
        """Count that a version ended its process or failed. After `STRIKES` it is taken out of service.

        Args:
            version: Name of the version. The baseline is not counted, because nothing could replace it.
            what: What it did, as a clause: "it ended its process (SIGSEGV)".
        """
        if version == self._registry.baseline.version:
            return
        strikes = self._registry.strike(version)
        _log.error("model %s: %s (fault %d of %d)", version, what, strikes, STRIKES)
        if strikes >= STRIKES:
            self.condemn(version, f"{what}, which was the last of {strikes} faults within minutes")

    def condemn(self, version: str, reason: str) -> None:
        """Let no worker classify with a version any more. If it is live, roll it back.

        Args:
            version: Name of the version.
            reason: Why, as a clause.
        """
        self._registry.condemn(version, reason)
        if self._registry.live() == version:
            self.withdraw(version, reason)

    def withdraw(self, version: str, reason: str, *, by: str = "") -> None:
        """Roll a live version back.

        Args:
            version: Name of the version. If it is not live any more, nothing happens.
            reason: Why, as a clause.
            by: Part of the worker that found the fault, for the history.
        """
        try:
            live = self._registry.withdraw(version, reason=reason, who=", ".join(filter(None, (self._worker, by))))
        except ModelError as obstacle:
            _log.warning("%s should not be live, because %s; it was not rolled back: %s", version, reason, obstacle)
        else:
            _log.error("rolled %s back to %s: %s", version, live, reason)
