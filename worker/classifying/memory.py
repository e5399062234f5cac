"""What memory processes take, and how they give it back to the system."""

import contextlib
import ctypes
import mmap
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_FILE_WORDS = 5  # after the address of a mapping: rights, offset, device, inode and path

MEASURE_SECONDS = 10.0
"""Interval between two measurements. The kernel walks through all pages of a process, which takes a millisecond."""


def give_back_memory() -> None:
    """Return the free pages of the C heap to the system, if the C library can (glibc can).

    Models come and go as a few large blocks among many small ones, and glibc keeps the gaps between them. After 200
    loads a process is 5 MB larger without this call, and 1 MB with it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def give_back_files() -> None:
    """Return the pages of libraries to the system (Linux), which reads those that are needed again from its cache.

    The start of a library touches most of its pages, and the work touches few of them again: a worker's main process
    keeps 15 of 50 MB. Only mappings that this process cannot write to, and has not written to, are given back.
    """
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines()
        for start, stop in _unchanged_files(lines):
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_DONTNEED)


def _unchanged_files(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where files are mapped for reading alone, and none of their pages is a copy (proc_pid_smaps(5)).

    A copy that the system has swapped out counts as `Swap` and not as `Anonymous`. It too would be lost.
    """
    place = ""
    for line in lines:
        first, *words = line.split()
        if not first.endswith(":"):  # the address of the next mapping; then come its rights, and last its file
            is_file = len(words) == _FILE_WORDS and words[-1].startswith("/")
            place = first if is_file and words[0].startswith("r-") else ""
        elif first == "Anonymous:" and words[0] != "0":
            place = ""
        elif first == "Swap:" and place and words[0] == "0":  # which comes after `Anonymous`
            start, stop = place.split("-")
            yield int(start, 16), int(stop, 16)


class ProcessMemory:
    """Measures how much memory some processes take together. What they share counts once."""

    def __init__(self) -> None:
        self._bytes = 0
        self._measured = float("-inf")

    def bytes(self, processes: Iterable[int]) -> int:
        """Return the memory in bytes, measured at most `MEASURE_SECONDS` ago; 0 where the system does not say.

        Args:
            processes: Ids of the processes. Those that have ended, and 0, take none.
        """
        if time.monotonic() > self._measured + MEASURE_SECONDS:
            self._bytes = sum(map(_proportional_bytes, processes))
            self._measured = time.monotonic()
        return self._bytes


def _proportional_bytes(process: int) -> int:
    """Return the proportional set size of a process (Linux: proc_pid_smaps(5)), in bytes, or 0 if nobody says."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0
