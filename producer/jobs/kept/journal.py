"""The journal of a job: a file that keeps each answer before the client lets Redis delete it.

The file has one msgpack record `[sequence, manifest, [result, …], digest]` for each batch, in the order of arrival.
Manifest and results are the bytes of the wire format. Versions up to 0.2 wrote no digest; their journals are only read
for reports. A client that dies while it writes leaves a torn last record. Opening the journal again cuts that record
off; Redis still has the batch.

A process that has a journal open keeps only the places of the batches in memory, because the names and answers of a
large job would fill it.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from model.errors import DataError
from producer.jobs.kept.files import Extent, RecordFile, open_job_file, read_record, read_records
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
        batches: Batches in the journal.

    Raises:
        DataError: The file is not a journal.
        UsageError: The file cannot be written, or another process has it open.
    """

    batches: "KeptBatches"

    def _load(self, file: BinaryIO) -> int:
        self.batches, intact = KeptBatches(self.path), 0
        for record, place in read_records(file):
            self.batches.add(_sequence_of(record, self.path), place)
            intact = place.stop
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
        places = self._append(
            (
                [sequence, encoded or manifest.to_wire(), results, digest]
                for sequence, manifest, results, digest, encoded, _ in received
            ),
            durable=True,
        )
        for batch, place in zip(batches, places, strict=True):
            self.batches.add(batch.sequence, place)
        return batches


class KeptBatches(Mapping[int, AnsweredBatch]):
    """The batches of a journal by sequence number, in the order of arrival, each read from the file when asked for.

    Looking one up raises DataError if the file has changed, and WireError if an answer in it is damaged or has a format
    that this program does not read.

    Args:
        path: File of the journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[int, Extent] = {}

    def add(self, sequence: int, place: Extent) -> None:
        """Add a batch whose record is at a place of the file."""
        self._places[sequence] = place

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __getitem__(self, sequence: int) -> AnsweredBatch:
        place = self._places[sequence]
        with self._path.open("rb") as file:
            return _answered(read_record(file, place), self._path)


def create_journal(path: Path) -> None:
    """Create an empty journal and its folder.

    Raises:
        UsageError: The file cannot be written.
    """
    open_job_file(path).close()


def _sequence_of(record: object, path: Path) -> int:
    """Return the sequence number in a record of a journal.

    Raises:
        DataError: It is not one.
    """
    match record:
        case [int(sequence), bytes(), list()] | [int(sequence), bytes(), list(), bytes()]:
            return sequence
    raise DataError(f"{path} is not the journal of a job. Move it away.")


def _answered(record: object, path: Path) -> AnsweredBatch:
    """Return the batch in a record of a journal.

    Raises:
        DataError: It is not one.
        WireError: An answer is damaged, or has a format that this program does not read.
    """
    match record:
        case [int(sequence), bytes(manifest), list(results)]:
            digest = b""
        case [int(sequence), bytes(manifest), list(results), bytes(digest)]:
            pass
        case _:
            raise DataError(f"{path} is not the journal of a job. Move it away.")
    return ReceivedBatch(sequence, Manifest.from_wire(manifest), results, digest).decode()


def read_journal(path: Path) -> KeptBatches:
    """Return the whole batches of a journal, or none if the file does not exist. Its client may still be writing it.

    Raises:
        DataError: The file is not a journal.
    """
    kept = KeptBatches(path)
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for record, place in read_records(file):
            kept.add(_sequence_of(record, path), place)
    return kept
