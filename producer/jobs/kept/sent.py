"""What a client has sent: a file with the digest and the names of each batch, so that both can be checked later.

The file has one msgpack record `[sequence, images, rows, digest, manifest]` for each batch, in the order of sending. A
client writes it before it sends the batch. If a batch is there twice, the later record counts. When the source has no
more, `[batches]` follows. A client does not wait for the disk: if the power fails, the job is sent again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from producer.jobs.kept.files import Extent, RecordFile, read_record, read_records
from worker.contract.wire import SIDE, Batch, Manifest

_WEIGHTS = np.frombuffer(hashlib.shake_128(b"digitmill").digest(SIDE * SIDE), "<u8") | np.uint64(1)


@dataclass(frozen=True, slots=True)
class SentBatch:
    """One batch that was sent, or is about to be.

    Attributes:
        images: Number of images that travel.
        rows: Number of images with those that could not be read.
        digest: Digest of its images, names, labels and failures.
        place: Place of its record in the file.
    """

    images: int
    rows: int
    digest: bytes
    place: Extent


def digest_of(batch: Batch, manifest: bytes) -> bytes:
    """Return a digest of a batch, with its names and labels. It tells whether somebody has changed an image.

    Args:
        batch: Images.
        manifest: Names, labels and failures in the wire format.
    """
    digest = hashlib.sha256(manifest)
    digest.update(bytes([batch.probabilities | batch.several << 1]))
    if isinstance(batch.images, np.ndarray):
        digest.update(_fingerprints(batch.images).tobytes())
    else:
        for file in batch.images:
            digest.update(len(file).to_bytes(8, "big"))
            digest.update(file)
    return digest.digest()


def _fingerprints(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each image, in much less time than SHA-256 over the pixels would take.

    Args:
        images: uint8 (n, 28, 28).

    Returns:
        uint64 (n,): a sum modulo 2^64, in which each eight pixels have an odd weight of their own. So a change of any
        eight pixels changes it, and one of more pixels almost surely does.
    """
    words = np.ascontiguousarray(images).reshape(len(images), SIDE * SIDE).view("<u8")
    sums: NDArray[np.uint64] = np.einsum("ij,j->i", words, _WEIGHTS)
    return sums.astype("<u8")


class SentLog(RecordFile):
    """A context manager for the file of one job, open for the one client that sends it.

    Args:
        path: File to continue, or to create together with its folder.

    Attributes:
        path: The file.
        lock: Name of the lock on the file (`files.lock_name`).
        batches: Batches that were sent, by sequence number.
        total: Number of batches of the source, or None if it was not sent to its end.

    Raises:
        DataError: The file is not such a log.
        UsageError: The file cannot be written, or another process has it open.
    """

    batches: dict[int, SentBatch]
    total: int | None

    def _load(self, file: BinaryIO) -> int:
        self.batches, self.total, intact = _read(file, self.path)
        return intact

    def add(self, sequence: int, batch: Batch, rows: int, digest: bytes, manifest: bytes) -> None:
        """Record a batch that is about to be sent. Do nothing if the same batch is recorded already.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
        """
        if (before := self.batches.get(sequence)) and before.digest == digest:
            return
        [place] = self._append([[sequence, len(batch), rows, digest, manifest]])
        self.batches[sequence] = SentBatch(len(batch), rows, digest, place)

    def finish(self, batches: int) -> None:
        """Record that the source has no more batches. Do nothing if that is recorded already.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
        """
        if self.total is None:
            self._append([[batches]])
            self.total = batches


def read_sent(path: Path) -> dict[int, SentBatch]:
    """Return the batches in the file of a job, by sequence number, or nothing if there is no file.

    Raises:
        DataError: The file is not such a log.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path)[0]
    except FileNotFoundError:
        return {}


def read_manifests(path: Path, batches: Mapping[int, SentBatch]) -> dict[int, Manifest]:
    """Return the names and labels of some batches of a job.

    Args:
        path: File of the job.
        batches: Some of its batches.

    Raises:
        DataError: The file is not such a log.
        WireError: A manifest is damaged.
    """
    found = {}
    with path.open("rb") as file:
        for sequence, batch in batches.items():
            match read_record(file, batch.place):
                case [_, _, _, _, bytes(manifest)]:
                    found[sequence] = Manifest.from_wire(manifest)
                case _:
                    raise _not_a_log(path)
    return found


def content_differs(path: Path, other: Path) -> bool:
    """Return whether the files of two jobs prove that images of the same names and labels differ.

    Args:
        path: File of a job, which may be missing.
        other: File of the other job.

    Raises:
        DataError: One of the files is not such a log.
        WireError: A manifest is damaged.
    """
    sent, others = read_sent(path), read_sent(other)
    for sequence in sent.keys() & others.keys():
        if sent[sequence].digest != others[sequence].digest:
            one = read_manifests(path, {sequence: sent[sequence]})[sequence]
            two = read_manifests(other, {sequence: others[sequence]})[sequence]
            if one.to_wire() == two.to_wire():
                return True
    return False


def _read(file: BinaryIO, path: Path) -> tuple[dict[int, SentBatch], int | None, int]:
    """Return the batches of a log, their total number if it is known, and the size of its whole records in bytes."""
    batches: dict[int, SentBatch] = {}
    total: int | None = None
    intact = 0
    for record, place in read_records(file):
        match record:
            case [int(sequence), int(images), int(rows), bytes(digest), bytes()]:
                batches[sequence] = SentBatch(images, rows, digest, place)
            case [int(count)]:
                total = count
            case _:
                raise _not_a_log(path)
        intact = place.stop
    return batches, total, intact


def _not_a_log(path: Path) -> DataError:
    return DataError(f"{path} does not list the batches of a job. Move it away.")
