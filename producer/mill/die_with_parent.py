"""Run as a script: become another command that the kernel signals when its parent dies (Linux).

This is a script, not a function that runs between fork and exec, because such a function is unsafe in a process with
threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask for the signal in the first argument, then become the command in the others."""
    _, number, *command = sys.argv
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
    os.execv(command[0], command)  # noqa: S606  the supervisor builds this command line


if __name__ == "__main__":
    main()
