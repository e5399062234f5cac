"""The wire format: how batches, manifests and results travel. No other module knows a byte of it.

Each is a msgpack map with a format version (`model.records`); arrays are raw little-endian bytes. The format cannot
express anything executable, nothing is compressed, and sizes are checked before anything is built from them.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode
from model.records import Damaged, from_msgpack, to_msgpack
from worker.contract.errors import reading

VERSION = 1
SIDE = 28
_NO_LABEL = 255
_LABELS = frozenset([*range(10), _NO_LABEL])
_AGAIN = "Submit its job again."

_Failures = dict[int, tuple[str, str]]


class _BatchBody(NamedTuple):
    """A batch as it travels; exactly one of `raw` and `files` is there."""

    probabilities: bool
    raw: bytes | None = None
    files: list[bytes] | None = None


class _ManifestBody(NamedTuple):
    """A manifest as it travels: names as the bytes that Linux has, and a byte for each label."""

    names: list[bytes]
    labels: bytes
    failures: _Failures


class _ResultBody(NamedTuple):
    """A result as it travels."""

    model: str
    worker: str
    digits: bytes
    confidences: bytes
    probabilities: bytes | None
    failures: _Failures


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The images of one batch.

    Attributes:
        images: Either uint8 (n, 28, 28) in MNIST's convention, ready to classify; or n encoded files, which the worker
            decodes and normalises one by one.
        probabilities: Whether the sender wants the ten probabilities of each image.
    """

    images: NDArray[np.uint8] | tuple[bytes, ...]
    probabilities: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int) -> "Batch":
        """Return the images from `start` to `stop` as a batch of their own."""
        return Batch(self.images[start:stop], self.probabilities)

    def to_wire(self) -> bytes:
        """Encode the batch."""
        body: dict[str, Any] = {"probabilities": self.probabilities}
        if isinstance(self.images, np.ndarray):
            body["raw"] = np.ascontiguousarray(self.images).reshape(-1).data
        else:
            body["files"] = self.images
        return to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a batch; raw images are a read-only view.

        Raises:
            WireError: It is not a batch, or has a version that this program does not read.
        """
        with reading("This batch record", remedy=_AGAIN):
            probabilities, raw, files = from_msgpack(_BatchBody, data, version=VERSION)
            if raw is not None and files is None:
                _check(len(raw) % (SIDE * SIDE) == 0, "raw")
                return cls(np.frombuffer(raw, np.uint8).reshape(-1, SIDE, SIDE), probabilities)
            if files is None or raw is not None:
                raise Damaged("expected raw or files")
            return cls(tuple(files), probabilities)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the client alone knows about a batch; workers neither need nor see it.

    Attributes:
        names: Names of all images, including those that never left the client.
        labels: True digit or None, one for each name.
        failures: Images that could not be read at the source, by index into `names`. All others are in the batch, in
            this order.
    """

    names: tuple[str, ...]
    labels: tuple[int | None, ...]
    failures: dict[int, Failure]

    def to_wire(self) -> bytes:
        """Encode the manifest."""
        body = {
            # A file name on Linux may be any bytes; surrogateescape keeps those that are not UTF-8.
            "names": [name.encode("utf-8", "surrogateescape") for name in self.names],
            "labels": bytes(_NO_LABEL if label is None else label for label in self.labels),
            "failures": self.failures,
        }
        return to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a manifest.

        Raises:
            WireError: It is not a manifest, or has a version that this program does not read.
        """
        with reading("This manifest record", remedy=_AGAIN):
            names, labels, failures = from_msgpack(_ManifestBody, data, version=VERSION)
            _check(len(names) == len(labels) and _LABELS.issuperset(labels), "labels")
            return cls(
                tuple([name.decode("utf-8", "surrogateescape") for name in names]),
                tuple([None if label == _NO_LABEL else label for label in labels]),
                _known(failures, len(names)),
            )


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answers to one batch, or to a part of one: as many as the images asked about, in their order.

    Attributes:
        model: Version of the model that classified.
        worker: Name of the worker.
        digits: uint8 (n,), 0 to 9; without a meaning where the image failed.
        confidences: float32 (n,), 0 to 1; undefined where the image failed.
        probabilities: float32 (n, 10), or None unless asked for.
        failures: Failed images, by index.
    """

    model: str
    worker: str
    digits: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    failures: dict[int, Failure]

    def __len__(self) -> int:
        return len(self.digits)

    def to_wire(self) -> bytes:
        """Encode the result."""
        body = {
            "model": self.model,
            "worker": self.worker,
            "digits": self.digits.astype(np.uint8).tobytes(),
            "confidences": self.confidences.astype("<f4").tobytes(),
            "probabilities": None if self.probabilities is None else self.probabilities.astype("<f4").tobytes(),
            "failures": self.failures,
        }
        return to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a result.

        Raises:
            WireError: It is not a result, or has a version that this program does not read.
        """
        with reading("This result record", remedy=_AGAIN):
            model, worker, digits, confidences, probabilities, failures = from_msgpack(
                _ResultBody, data, version=VERSION
            )
            _check(max(digits, default=0) <= 9, "digits")
            _check(len(confidences) == 4 * len(digits), "confidences")
            _check(probabilities is None or len(probabilities) == 40 * len(digits), "probabilities")
            return cls(
                model,
                worker,
                np.frombuffer(digits, np.uint8),
                np.frombuffer(confidences, "<f4"),
                None if probabilities is None else np.frombuffer(probabilities, "<f4").reshape(-1, 10),
                _known(failures, len(digits)),
            )


def _check(right: bool, field: str) -> None:
    if not right:
        raise Damaged(f"{field}: of a wrong length or value")


def _known(failures: _Failures, count: int) -> dict[int, Failure]:
    """Return failures of `count` images, with codes that this version knows."""
    _check(all(0 <= index < count for index in failures), "failures")
    return {index: Failure(_known_code(code), sentence) for index, (code, sentence) in failures.items()}


def _known_code(code: str) -> FailureCode:
    try:
        return FailureCode(code)
    except ValueError:
        # A newer worker may know more codes than this client: the sentence still says what happened.
        return FailureCode.INTERNAL
