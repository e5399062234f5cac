"""The priority of a training: classification comes first."""

import contextlib
from pathlib import Path

NICENESS = 15
"""A process of niceness 15 gets a thirtieth of a core that one of niceness 0 wants too."""


def lower_session(leader: int) -> None:
    """Give all processes of a session the niceness `NICENESS` towards those of other sessions.

    Where Linux groups processes by session, as it does on many desktops and servers, the niceness of a process counts
    only within its group, and each group has a niceness of its own: "The autogroup feature" in sched(7). Elsewhere
    nothing happens, and the niceness of the process counts.

    Args:
        leader: Process that leads the session.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{leader}/autogroup").write_text(str(NICENESS), encoding="utf-8")
