"""What a classifying process notes in memory that it shares with the worker's main process.

A process that a model kills cannot say what it was doing. So it notes that beforehand, and those who outlive it read
the note. It also notes which models have passed their trial, so that the process that replaces it need not try them.
"""

import contextlib
import mmap
from collections.abc import Iterator

from worker.contract.ledger import Part

_PAGES = 8
"""Number of processes in a row that have a page of their own. Celery may tell of a death after the next one started."""

_ENTRY_BYTES = 512
_CLASSIFYING, _LOADING = 0, 1
_ENTRIES = 2  # for each process

_DIGEST_BYTES = 32
_DIGESTS = 16
"""Number of models that are remembered as passed."""


class ProcessNotes:
    """Notes of one classifying process after another. Create them before the first is forked."""

    def __init__(self) -> None:
        # The current page, the next place for a digest, the digests, and the pages.
        self._digests_at = 2
        self._pages_at = self._digests_at + _DIGESTS * _DIGEST_BYTES
        self._memory = mmap.mmap(-1, self._pages_at + _PAGES * _ENTRIES * _ENTRY_BYTES)
        self._member = ""

    # In a classifying process -------------------------------------------------------------------------------------

    def begin(self) -> str:
        """Begin a new page for this process.

        Returns:
            The version that the process before was loading when it ended, or "".
        """
        before, _ = self._read(self._memory[0], _LOADING)
        self._memory[0] = (self._memory[0] + 1) % _PAGES
        for entry in range(_ENTRIES):
            self._write(entry, "", "")
        return before

    @contextlib.contextmanager
    def classifying(self, version: str, part: Part) -> Iterator[None]:
        """Note that this process classifies a part with a version, until the block ends."""
        self._member = part.member
        self._write(_CLASSIFYING, version, self._member)
        try:
            yield
        finally:
            self._member = ""
            self._write(_CLASSIFYING, "", "")

    @contextlib.contextmanager
    def comparing(self, version: str) -> Iterator[None]:
        """Note that another version classifies the part in hand as well, until the block ends."""
        member, (before, _) = self._member, self._read(self._memory[0], _CLASSIFYING)
        self._write(_CLASSIFYING, version, member)
        try:
            yield
        finally:
            self._write(_CLASSIFYING, before, member)

    @contextlib.contextmanager
    def loading(self, version: str) -> Iterator[None]:
        """Note that this process loads a version, until the block ends. Only one thread at a time may load."""
        self._write(_LOADING, version, "")
        try:
            yield
        finally:
            self._write(_LOADING, "", "")

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

    # In the main process ------------------------------------------------------------------------------------------

    def died_on(self, part: Part) -> str:
        """Return the version that was classifying a part when its process ended, or "". Ask once."""
        for page in range(_PAGES):
            version, member = self._read(page, _CLASSIFYING)
            if version and member == part.member:
                self._memory[self._place(page, _CLASSIFYING)] = 0
                return version
        return ""

    def _write(self, entry: int, version: str, member: str) -> None:
        text = f"{version}\n{member}".encode("utf-8", "replace")[: _ENTRY_BYTES - 2] if version else b""
        place = self._place(self._memory[0], entry)
        self._memory[place] = 0  # a process may be killed at any moment, so an entry is valid only once it is complete
        self._memory[place + 1 : place + 1 + len(text) + 1] = text + b"\0"
        self._memory[place] = int(bool(text))

    def _read(self, page: int, entry: int) -> tuple[str, str]:
        place = self._place(page, entry)
        if not self._memory[place]:
            return "", ""
        text = self._memory[place + 1 : place + _ENTRY_BYTES].partition(b"\0")[0].decode("utf-8", "replace")
        version, _, member = text.partition("\n")
        return version, member

    def _place(self, page: int, entry: int) -> int:
        return self._pages_at + (page * _ENTRIES + entry) * _ENTRY_BYTES
