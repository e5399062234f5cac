"""How many cores a process may use: those it is bound to, and the share of them that its container grants."""

import os
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process is bound to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def granted_cores(group: Path = CONTROL_GROUP) -> float:
    """Return how many cores' time this process may use, which in a container is often less than what it is bound to.

    Args:
        group: where the kernel shows the limits of the container (Documentation/admin-guide/cgroup-v2.rst: `cpu.max`;
            Documentation/scheduler/sched-bwc.rst: the two files of version 1).
    """
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        granted = float(quota) / float(period)  # `max`, or -1: no limit
    except (OSError, ValueError):
        return cores()
    return min(cores(), granted) if granted > 0 else cores()
