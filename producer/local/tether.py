"""Run as a script, becomes the command given, after asking the kernel to end it when its parent is killed (Linux).

A script of its own and not a function run between fork and exec: that is unsafe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Tether this process to its parent, then become `sys.argv[1:]`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  a command line of our own


if __name__ == "__main__":
    main()
