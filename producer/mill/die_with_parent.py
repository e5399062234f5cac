"""A script that becomes another command. On Linux the kernel signals that command when its parent dies.

This is a script, not a function that runs between fork and exec, because such a function is unsafe in a process with
threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask the kernel for the signal that the first argument names, then run the command in the other arguments."""
    _, number, *command = sys.argv
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
    os.execv(command[0], command)  # noqa: S606  the supervisor builds this command line


if __name__ == "__main__":
    main()
