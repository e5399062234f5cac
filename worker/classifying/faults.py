"""Takes versions out of service if they harm the processes that classify with them."""

import logging
import re
import signal
from pathlib import Path

from model.errors import ModelError
from worker.contract.registry import Registry

STRIKES = 3
"""Number of times within `registry.STRIKES_SECONDS` that a version may end its process or fail, on any worker.

A sound version never does. One time could be an accident, such as a fault of the machine.
"""

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Signals with which native code ends its own process."""

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


def how_it_ended(code: int, *, too_slow: bool, out_of_memory: bool) -> str:
    """Return how a process that classifies ended by its own doing, or "" if somebody killed it.

    Args:
        code: Exit code of the process, or the negative number of the signal that ended it.
        too_slow: Whether its worker ended it, because it took too long.
        out_of_memory: Whether the kernel has killed a process to free memory.
    """
    if too_slow:
        return "it did not end in time"
    if -code in _CRASHES:
        return signal.Signals(-code).name
    if code >= 0:
        return f"exit code {code}"
    return "out of memory" if -code == signal.SIGKILL and out_of_memory else ""


def count_oom_kills() -> int:
    """Return how many processes the kernel has killed to free memory, or 0 where it does not say."""
    try:
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
