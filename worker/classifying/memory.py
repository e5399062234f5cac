"""What memory processes take, what they keep for later, and how they give the rest back to the system."""

import contextlib
import ctypes
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_FILE_WORDS = 5  # after the address of a mapping: rights, offset, device, inode and path

IDLE_SECONDS = 1.0
"""Seconds without work after which a process gives back what it keeps for its next work."""

MEASURE_SECONDS = 10.0
"""Interval between two measurements. The kernel walks through all pages of a process, which takes a millisecond."""

KEPT_BYTES = 32 * 2**20
"""Free memory in bytes that the C heap of a classifying process keeps for its next image.

It is also the size from which glibc takes a block from the system by itself. glibc accepts no larger one."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>


def keep_memory() -> None:
    """Let the C heap keep up to `KEPT_BYTES` of what an image took, if the C library can (glibc: mallopt(3)).

    A picture of 1000 × 1000 pixels in colour takes blocks of 3 MB. Without this call, glibc gives them back to the
    system at once, and the kernel clears each page that glibc takes again. This costs four tenths of the time of such a
    PNG file.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        set_option(_M_TRIM_THRESHOLD, KEPT_BYTES)
        set_option(_M_MMAP_THRESHOLD, KEPT_BYTES)


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
    keeps 15 of 50 MB. Only mappings that this process cannot write to, and has not written to, are given back. They
    belong to programs and libraries, which stay where they are. In the place of any other file, another thread might
    meanwhile have put data.
    """
    # Line by line, because all lines together would take 2.5 MB.
    with contextlib.suppress(OSError), Path("/proc/self/smaps").open(encoding="utf-8", errors="replace") as lines:
        for start, stop in _unchanged_files(lines, program=str(Path("/proc/self/exe").readlink())):
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_DONTNEED)


def _unchanged_files(lines: Iterable[str], program: str = "") -> Iterator[tuple[int, int]]:
    """Yield where libraries or a program are mapped for reading alone, without copied pages (proc_pid_smaps(5)).

    A copy that the system has swapped out counts as `Swap` and not as `Anonymous`. It too would be lost.
    """
    place = ""
    for line in lines:
        first, *words = line.split()
        if not first.endswith(":"):  # the address of the next mapping; then come its rights, and last its file
            file = words[-1] if len(words) == _FILE_WORDS else ""
            stays = ".so" in os.path.basename(file) or file == program != ""  # noqa: PTH119  for hundreds of lines
            place = first if stays and words[0].startswith("r-") else ""
        elif first == "Anonymous:" and words[0] != "0":
            place = ""
        elif first == "Swap:" and place and words[0] == "0":  # which comes after `Anonymous`
            start, stop = place.split("-")
            yield int(start, 16), int(stop, 16)


class IdleMemory:
    """Gives memory back when a process has been idle for a while. Its next work takes it again, in a millisecond.

    After batches of 4,096 raw images and of PNG files, a classifying process gives back 9 of 40 MB. Giving back after
    each batch would cost 0.3 µs an image.

    Args:
        worked: Function that returns how often the process has begun to work.
        is_working: Function that returns whether it works now.
        clock: Function that returns a time in seconds, which is never set back.
    """

    def __init__(
        self, worked: Callable[[], int], is_working: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._worked, self._is_working, self._clock = worked, is_working, clock
        self._seen, self._idle_since = -1, clock()
        self._kept = True  # whether there may be something to give back

    def tick(self) -> None:
        """Give memory back if the process has been idle for `IDLE_SECONDS`, and has not done so since it worked."""
        worked, now = self._worked(), self._clock()
        if worked != self._seen or self._is_working():
            self._seen, self._idle_since, self._kept = worked, now, True
        elif self._kept and now >= self._idle_since + IDLE_SECONDS:
            give_back_memory()
            give_back_files()
            self._kept = False


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
