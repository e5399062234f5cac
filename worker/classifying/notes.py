"""What a classifying process notes in memory that it shares with the worker's main process.

A process that a model kills cannot say what it was doing. So it notes that beforehand, and those who outlive it read
the note. It also notes which models have passed their trial, so that the process that replaces it need not try them.
"""

import contextlib
import mmap
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from worker.contract.ledger import Part

_PAGES = 8
"""Number of processes in a row that have a page of their own. Celery may tell of a death after the next one started."""

_ENTRY_BYTES = 512
_PART, _CLASSIFYING, _LOADING = range(3)
_ENTRIES = 3  # for each process

_DIGEST_BYTES = 32
_DIGESTS = 16
"""Number of models that are remembered as passed."""


class Death(NamedTuple):
    """What a process was doing with its models when it ended."""

    classifying: str  # version that was running, or ""
    loading: str  # version that was being loaded, or ""


class ProcessNotes:
    """Notes of one classifying process after another. Create them before the first is forked.

    Attributes:
        parts: Number of parts that this process has begun to work on.
    """

    def __init__(self) -> None:
        self.parts = 0
        # The current page, the next place for a digest, the digests, and the pages.
        self._digests_at = 2
        self._pages_at = self._digests_at + _DIGESTS * _DIGEST_BYTES
        self._memory = mmap.mmap(-1, self._pages_at + _PAGES * _ENTRIES * _ENTRY_BYTES)

    # In a classifying process -------------------------------------------------------------------------------------

    def begin(self) -> str:
        """Begin a new page for this process.

        Returns:
            The version that the process before was loading when it ended, or "".
        """
        before = self._read(self._memory[0], _LOADING)
        self._memory[0] = (self._memory[0] + 1) % _PAGES
        for entry in range(_ENTRIES):
            self._write(entry, "")
        return before

    def working(self, part: Part) -> AbstractContextManager[None]:
        """Return a context in which this process works on a part."""
        self.parts += 1
        return self._noting(_PART, part.member)

    def classifying(self, version: str) -> AbstractContextManager[None]:
        """Return a context in which this process classifies with a version. Contexts may be nested."""
        return self._noting(_CLASSIFYING, version)

    def loading(self, version: str) -> AbstractContextManager[None]:
        """Return a context in which this process loads a version. Only one thread at a time may load."""
        return self._noting(_LOADING, version)

    @contextlib.contextmanager
    def _noting(self, entry: int, text: str) -> Iterator[None]:
        before = self._read(self._memory[0], entry)
        self._write(entry, text)
        try:
            yield
        finally:
            self._write(entry, before)

    def add_passed(self, digest: bytes) -> None:
        """Remember that the model with this SHA-256 has passed its trial."""
        place = self._memory[1] % _DIGESTS
        start = self._digests_at + place * _DIGEST_BYTES
        self._memory[start : start + _DIGEST_BYTES] = digest
        self._memory[1] = (place + 1) % _DIGESTS

    def has_passed(self, digest: bytes) -> bool:
        """Return whether the model with this SHA-256 has passed its trial in this worker."""
        digests = self._memory[self._digests_at : self._pages_at]
        return any(digests[start : start + _DIGEST_BYTES] == digest for start in range(0, len(digests), _DIGEST_BYTES))

    # In other processes -------------------------------------------------------------------------------------------

    def is_working(self) -> bool:
        """Return whether the classifying process works on a part now."""
        return bool(self._memory[self._place(self._memory[0], _PART)])

    def died_on(self, part: Part) -> Death:
        """Return what the process that ended while it worked on a part was doing. Ask once."""
        for page in range(_PAGES):
            if self._read(page, _PART) == part.member:
                self._memory[self._place(page, _PART)] = 0
                return Death(self._read(page, _CLASSIFYING), self._read(page, _LOADING))
        return Death("", "")

    def last_death(self) -> Death:
        """Return what the last process was doing when it ended. No other has begun since."""
        return Death(self._read(self._memory[0], _CLASSIFYING), self._read(self._memory[0], _LOADING))

    def _write(self, entry: int, text: str) -> None:
        content = text.encode("utf-8", "replace")
        place = self._place(self._memory[0], entry)
        self._memory[place] = 0  # a process may be killed at any moment, so an entry is valid only once it is complete
        if 0 < len(content) <= _ENTRY_BYTES - 2:
            self._memory[place + 1 : place + 1 + len(content) + 1] = content + b"\0"
            self._memory[place] = 1

    def _read(self, page: int, entry: int) -> str:
        place = self._place(page, entry)
        if not self._memory[place]:
            return ""
        return self._memory[place + 1 : place + _ENTRY_BYTES].partition(b"\0")[0].decode("utf-8", "replace")

    def _place(self, page: int, entry: int) -> int:
        return self._pages_at + (page * _ENTRIES + entry) * _ENTRY_BYTES
