"""How many cores a process may use: the cores that it is bound to, and the share of them that its container grants."""

import os
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return the number of cores that this process is bound to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def granted_cores(group: Path = CONTROL_GROUP, *, bound: int | None = None) -> float:
    """Return how much CPU time this process may use, in cores. A container often grants less than all of its cores.

    Args:
        group: Folder in which the kernel shows the limits of the container (Documentation/admin-guide/cgroup-v2.rst:
            `cpu.max`; Documentation/scheduler/sched-bwc.rst: the two files of version 1).
        bound: Number of cores that this process is bound to; `cores()` by default.
    """
    bound = cores() if bound is None else bound
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            files = (group / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period"))
            quota, period = (file.read_text(encoding="utf-8") for file in files)
        granted = float(quota) / float(period)  # `max` is not a number, and -1 is below 0: both mean "no limit"
    except (OSError, ValueError):
        return bound
    return min(bound, granted) if granted > 0 else bound
