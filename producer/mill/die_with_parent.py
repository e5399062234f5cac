"""Run as a script, becomes the command given, after asking the kernel to signal it when its parent dies (Linux).

A script of its own and not a function run between fork and exec: that is unsafe in a process with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask for the signal that is the first argument, then become the command that the others are."""
    _, number, *command = sys.argv
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
    os.execv(command[0], command)  # noqa: S606  a command line of our own


if __name__ == "__main__":
    main()
