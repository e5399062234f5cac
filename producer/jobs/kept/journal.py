"""The journal of a job: a file that keeps each answer before the client lets Redis delete it.

The file has one msgpack record `[sequence, manifest, [result, …], digest]` for each batch, in the order of arrival.
Manifest and results are the bytes of the wire format. Versions up to 0.2 wrote no digest; their journals are only read
for reports. A client that dies while it writes leaves a torn last record. Opening the journal again cuts that record
off; Redis still has the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from model.errors import DataError, Failure
from model.images.doubts import Doubt
from producer.jobs.kept.files import RecordFile, open_job_file, read_records
from producer.jobs.results import NONE, Numbers, Results
from worker.contract.wire import Manifest, Result


@dataclass(frozen=True, slots=True)
class AnsweredBatch:
    """One batch and its answers.

    Attributes:
        sequence: Number of the batch within its job.
        manifest: Names and labels of the images.
        results: Answers to the parts of the batch, in the order of the images. A batch that was not split has one.
        digest: Digest of the batch as it was sent (`sent.digest_of`), or b"" if it is unknown.
    """

    sequence: int
    manifest: Manifest
    results: Sequence[Result]
    digest: bytes = b""

    @property
    def complete(self) -> bool:
        """Whether every image that reached a worker has its answer."""
        return sum(map(len, self.results)) == len(self.manifest.names) - len(self.manifest.failures)


class ReceivedBatch(NamedTuple):
    """One batch and its answers as they came from Redis."""

    sequence: int
    manifest: Manifest
    results: Sequence[bytes]  # in the wire format, in the order of the images
    digest: bytes = b""
    encoded: bytes = b""  # the manifest in the wire format, or b"" to encode it again
    decoded: Sequence[Result] = ()  # the results, or () to decode them

    def decode(self) -> AnsweredBatch:
        """Decode the answers.

        Raises:
            WireError: An answer is damaged, or has a format that this program does not read.
        """
        results = self.decoded or [Result.from_wire(result) for result in self.results]
        return AnsweredBatch(self.sequence, self.manifest, results, self.digest)


class Journal(RecordFile):
    """A context manager for the journal file of one job, open for the one client that writes it.

    Args:
        path: File to continue, or to create together with its folder.

    Attributes:
        path: The file.
        lock: Name of the lock on the file (`files.lock_name`).
        batches: Batches in the journal, in the order of arrival: first those that the file had when it was opened.

    Raises:
        DataError: The file is not a journal.
        UsageError: The file cannot be written, or another process has it open.
        WireError: An answer in the file is damaged, or has a format that this program does not read.
    """

    batches: list[AnsweredBatch]

    def _load(self, file: BinaryIO) -> int:
        self.batches, intact = _read(file, self.path)
        return intact

    def keep(self, received: Sequence[ReceivedBatch]) -> list[AnsweredBatch]:
        """Write batches to the disk; return them decoded, in the same order.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
            WireError: An answer is damaged. Then the journal writes none of the batches.
        """
        if not received:
            return []
        batches = [batch.decode() for batch in received]
        self._append(
            (
                [sequence, encoded or manifest.to_wire(), results, digest]
                for sequence, manifest, results, digest, encoded, _ in received
            ),
            durable=True,
        )
        self.batches += batches
        return batches


def create_journal(path: Path) -> None:
    """Create an empty journal and its folder.

    Raises:
        UsageError: The file cannot be written.
    """
    open_job_file(path).close()


def read_journal(path: Path) -> list[AnsweredBatch]:
    """Return the whole batches of a journal, in the order of arrival. Its client may be writing it meanwhile.

    Raises:
        DataError: The file is not a journal.
        WireError: An answer in the file is damaged, or has a format that this program does not read.
    """
    with path.open("rb") as file:
        return _read(file, path)[0]


def _read(file: BinaryIO, path: Path) -> tuple[list[AnsweredBatch], int]:
    """Return the batches of a journal, and the number of bytes that its whole records take."""
    batches: list[AnsweredBatch] = []
    intact = 0
    for record, _, stop in read_records(file):
        match record:
            case [int(sequence), bytes(manifest), list(results)]:
                digest = b""
            case [int(sequence), bytes(manifest), list(results), bytes(digest)]:
                pass
            case _:
                raise DataError(f"{path} is not the journal of a job. Move it away.")
        batches.append(ReceivedBatch(sequence, Manifest.from_wire(manifest), results, digest).decode())
        intact = stop
    return batches, intact


def merge(batches: Sequence[AnsweredBatch], *, several: bool = False, probabilities: bool = False) -> Results:
    """Return the answers of batches as columns, in the order of submission.

    Args:
        batches: Completely answered batches of one job, in any order.
        several: Whether the job asked for all digits of each image.
        probabilities: Whether it asked for the ten probabilities. Without it, they are there if an answer has them.
    """
    ordered = sorted(batches, key=lambda batch: batch.sequence)
    names = [name for batch in ordered for name in batch.manifest.names]
    labels = [label for batch in ordered for label in batch.manifest.labels]
    # Whoever has no order of the job still gets what the answers hold.
    several = several or any(result.counts is not None for batch in ordered for result in batch.results)
    several = several or str in set(map(type, labels))
    read: dict[int, tuple[str, list[float]]] = {}
    digits = np.full(len(names), NONE, np.int8)
    confidences = np.full(len(names), np.nan, np.float32)
    probabilities = probabilities or any(
        result.probabilities is not None for batch in ordered for result in batch.results
    )
    ten = np.full((len(names), 10), np.nan, np.float32) if probabilities else None
    models = np.full(len(names), "", np.object_)
    failures: dict[int, Failure] = {}
    doubts: dict[int, Doubt] = {}

    start = 0
    for batch in ordered:
        failed_at_source = batch.manifest.failures
        failures.update({start + row: failure for row, failure in failed_at_source.items()})
        stop = start + len(batch.manifest.names)
        rows = np.arange(start, stop)
        if failed_at_source:
            rows = np.delete(rows, list(failed_at_source))  # no worker saw these
        start = stop
        for result in batch.results:
            part, rows = rows[: len(result)], rows[len(result) :]
            if several:
                read.update(zip(part.tolist(), _numbers_of(result), strict=True))
            if result.counts is None:
                digits[part] = result.digits
                confidences[part] = result.confidences
                if ten is not None and result.probabilities is not None:
                    ten[part] = result.probabilities
            models[part] = result.model
            failures.update({int(part[index]): failure for index, failure in result.failures.items()})
            doubts.update({int(part[index]): doubt for index, doubt in result.doubts.items()})
    failed = sorted(failures)
    digits[failed] = NONE
    confidences[failed] = np.nan
    if ten is not None:
        ten[failed] = np.nan
    numbers = None
    if several:
        read.update(dict.fromkeys(failed, ("", [])))
        answers = [read[row] for row in range(len(names))]
        numbers = Numbers.of(labels, [number for number, _ in answers], [shares for _, shares in answers])
        labels = [_digit(label) for label in numbers.labels.tolist()]
        digits[:] = [_digit(number) for number in numbers.read.tolist()]
        confidences[:] = [min(shares, default=np.nan) for shares in numbers.confidences]
    return Results(
        names=names,
        labels=np.array([NONE if label is None else label for label in labels], np.int8),
        digits=digits,
        confidences=confidences,
        probabilities=ten,
        models=models.tolist(),
        failures={row: failures[row] for row in failed},
        numbers=numbers,
        doubts={row: doubts[row] for row in sorted(doubts.keys() - failures.keys())},
    )


def _numbers_of(result: Result) -> list[tuple[str, list[float]]]:
    """Return the number that was read in each image, and the confidences of its digits."""
    digits, confidences = "".join(map(str, result.digits.tolist())), result.confidences.tolist()
    counts = [1] * len(result) if result.counts is None else result.counts.tolist()
    stops = list(accumulate(counts))
    return [
        (digits[stop - count : stop], confidences[stop - count : stop])
        for count, stop in zip(counts, stops, strict=True)
    ]


def _digit(number: str) -> int:
    """Return the digit of a number that has one digit, or `NONE`."""
    return int(number) if len(number) == 1 else NONE
