"""What child processes have in common: how they start, how their memory is limited, and how they ended."""

import contextlib
import resource
import signal
import sys
from pathlib import Path


def command(module: str) -> list[str]:
    """Return the command line of a process that runs `main` of a module, with the packages that this process finds.

    Without `site` it starts sooner. A user's own files cannot take the place of a module.
    """
    program = f"import sys; sys.path[:] = sys.argv[1:]; from {module} import main; main()"
    return [sys.executable, "-S", "-P", "-c", program, *(str(Path(entry).absolute()) for entry in sys.path)]


def limit(kind: int, amount: int, hard: int | None = None) -> None:
    """Limit what this process may take from now on. A lower limit that is there already stays.

    Args:
        kind: One of the constants `RLIMIT_…` of `resource`.
        amount: The limit.
        hard: The hard limit, if it is another. At that of CPU time, the kernel sends SIGKILL instead of SIGXCPU.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (amount, amount if hard is None else hard))


def limit_memory(amount: int) -> None:
    """Limit the memory that this process may take from now on, in bytes, where the system enforces such a limit."""
    size = address_space()
    if size:
        limit(resource.RLIMIT_AS, size + amount)


def address_space() -> int:
    """Return the size of this process' address space in bytes, or 0 where the system does not tell, as on macOS."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def named_end(code: int) -> str:
    """Return how a process ended, in words.

    Args:
        code: Exit code, or minus the number of the signal that ended it.
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # most real-time signals have no names
        return f"signal {-code}"
