"""The journal of a job: every answer that its client has kept, on disk before Redis is told to forget it.

A file of msgpack records `[sequence, manifest, [[start, result], …]]`, one for each batch, in the order of arrival. A
client that dies in mid-write leaves a torn last record; it is cut off when the journal is opened again, and the batch
is still in Redis.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgpack
import numpy as np

from model.errors import DataError, Failure, UsageError
from producer.jobs.results import NONE, Results
from worker.contract.wire import Manifest, Result

MAX_RECORD_BYTES = 256 * 1024 * 1024
"""Far above the names and answers of the largest batch."""


@dataclass(frozen=True, slots=True)
class AnsweredBatch:
    """One batch and its answers.

    Attributes:
        sequence: its number within the job.
        manifest: names and labels of its images.
        results: the answers to its parts, in the order of the images; one, unless the batch was split.
    """

    sequence: int
    manifest: Manifest
    results: Sequence[Result]

    @property
    def complete(self) -> bool:
        """Whether every image that reached a worker has its answer."""
        return sum(map(len, self.results)) == len(self.manifest.names) - len(self.manifest.failures)


class Journal:
    """The journal file of one job, for the one client that writes it; a context manager.

    Args:
        path: of the file; made with its folder if it is not there, continued if it is.

    Raises:
        DataError: the file is no journal.
        UsageError: it cannot be written, or another client writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path, "Make room there, or set DIGITMILL_DATA to another folder."):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            batches, intact = _read(path)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"Another process is at work on job {path.stem}. Wait for it, or end it first.") from None
        except BaseException:
            self._file.close()
            raise
        self._file.truncate(intact)
        self.kept = {batch.sequence for batch in batches}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
            self._file.close()  # tries again to write what the disk had no room for

    def keep(self, batches: Sequence[AnsweredBatch]) -> None:
        """Write batches, and return when they are on the disk.

        Raises:
            UsageError: the disk is full.
        """
        with _explained(self.path, f"Make room there; then `digitmill resume {self.path.stem}` goes on."):
            for batch in batches:
                record = [batch.sequence, batch.manifest.to_wire(), [result.to_wire() for result in batch.results]]
                self._file.write(msgpack.packb(record))
            self._file.flush()
            os.fsync(self._file.fileno())
        self.kept |= {batch.sequence for batch in batches}

    def batches(self) -> list[AnsweredBatch]:
        """Read back all that is kept."""
        return read_journal(self.path)


def read_journal(path: Path) -> list[AnsweredBatch]:
    """Read what a client has kept, also while it is still at it.

    Raises:
        DataError: the file is no journal.
    """
    return _read(path)[0]


@contextlib.contextmanager
def _explained(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise UsageError(f"The answers cannot be kept in {path} ({fault.strerror}). {remedy}") from fault


def _read(path: Path) -> tuple[list[AnsweredBatch], int]:
    """Return the batches of a journal, and how many of its bytes are whole records."""
    batches: list[AnsweredBatch] = []
    intact = 0
    with path.open("rb") as file:
        unpacker = msgpack.Unpacker(file, max_buffer_size=MAX_RECORD_BYTES)
        while True:
            try:
                record = unpacker.unpack()
            except (msgpack.OutOfData, ValueError, msgpack.UnpackException):
                return batches, intact
            match record:
                case [int(sequence), bytes(manifest), list(results)]:
                    parts = [Result.from_wire(result) for result in results]
                    batches.append(AnsweredBatch(sequence, Manifest.from_wire(manifest), parts))
                case _:
                    raise DataError(f"{path} is no journal of a job. Move it away.")
            intact = unpacker.tell()


def merge(batches: Sequence[AnsweredBatch]) -> Results:
    """Lay batches out as columns, in the order of submission."""
    ordered = sorted(batches, key=lambda batch: batch.sequence)
    names = [name for batch in ordered for name in batch.manifest.names]
    labels = [NONE if label is None else label for batch in ordered for label in batch.manifest.labels]
    digits = np.full(len(names), NONE, np.int8)
    confidences = np.full(len(names), np.nan, np.float32)
    wanted = any(result.probabilities is not None for batch in ordered for result in batch.results)
    probabilities = np.full((len(names), 10), np.nan, np.float32) if wanted else None
    models = [""] * len(names)
    failures: dict[int, Failure] = {}

    start = 0
    for batch in ordered:
        failed_at_source = batch.manifest.failures
        rows = np.array(
            [start + row for row in range(len(batch.manifest.names)) if row not in failed_at_source], np.intp
        )
        failures.update({start + row: failure for row, failure in failed_at_source.items()})
        start += len(batch.manifest.names)
        for result in batch.results:
            here, rows = rows[: len(result)], rows[len(result) :]
            digits[here] = result.digits
            confidences[here] = result.confidences
            if probabilities is not None and result.probabilities is not None:
                probabilities[here] = result.probabilities
            for row in here:
                models[row] = result.model
            failures.update({int(here[index]): failure for index, failure in result.failures.items()})
    failed = sorted(failures)
    digits[failed] = NONE
    confidences[failed] = np.nan
    if probabilities is not None:
        probabilities[failed] = np.nan
    return Results(
        names=names,
        labels=np.array(labels, np.int8),
        digits=digits,
        confidences=confidences,
        probabilities=probabilities,
        models=models,
        failures={row: failures[row] for row in failed},
    )
