"""The wire format: how batches, manifests and results travel. No other module knows their bytes.

Each is a msgpack map with a format version (`model.records`). Arrays are raw little-endian bytes. The format cannot
express anything executable, and nothing is compressed. Sizes and lengths (`worker.contract.validation.bounds`) are
checked before anything is built from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from model.errors import Failure, FailureCode
from model.records import Damaged, from_msgpack, from_raw, text_from_raw, to_msgpack
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import (
    MAX_BATCH_BYTES,
    MAX_IMAGES,
    MAX_MANIFEST_BYTES,
    MAX_RESULT_BYTES,
    MAX_SENTENCE,
)
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import reading

VERSION = 1

SIDE = 28
"""Side of an image that travels, in pixels."""

_NO_LABEL = 255
_LABELS = frozenset([*range(10), _NO_LABEL])
_REMEDY = "Submit its job again."
_NIL = Raw(b"\xc0")
_MAX_SHARE = 1.001  # rounding may lift a sum of ten probabilities above 1


class _BatchBody(Struct, frozen=True):  # msgspec refuses a `Raw` with a default in a dataclass
    """A batch as it travels, with exactly one of `raw` and `files`."""

    probabilities: bool
    raw: memoryview | None = None
    files: Raw = _NIL  # list[bytes]


@dataclass(frozen=True, slots=True)
class _ManifestBody:
    """A manifest as it travels: names in the bytes of the file system, and one byte for each label."""

    names: Raw  # list[bytes]
    labels: bytes
    failures: Raw  # index → pair of code and sentence


@dataclass(frozen=True, slots=True)
class _ResultBody:
    """A result as it travels."""

    model: str
    worker: str
    digits: bytes
    confidences: bytes
    probabilities: bytes | None
    failures: Raw  # as in a manifest


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The images of one batch.

    Attributes:
        images: Either uint8 (n, 28, 28) in MNIST's convention, ready to classify, or n encoded files, which the worker
            decodes and normalises one by one.
        probabilities: Whether the sender wants the ten probabilities of each image.
    """

    images: NDArray[np.uint8] | tuple[bytes, ...]
    probabilities: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int) -> "Batch":
        """Return the images from `start` to before `stop` as a batch of their own."""
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
        """Decode a batch. Raw images become a read-only view of the data.

        Raises:
            WireError: The data is not a batch, or has a version that this program does not read.
        """
        with reading("This batch record", remedy=_REMEDY):
            _check_size(data, MAX_BATCH_BYTES)
            body = from_msgpack(_BatchBody, data, version=VERSION)
            if body.raw is not None and body.files == _NIL:
                count, rest = divmod(len(body.raw), SIDE * SIDE)
                _check(rest == 0 and count <= MAX_IMAGES, "raw")
                return cls(np.frombuffer(body.raw, np.uint8).reshape(-1, SIDE, SIDE), body.probabilities)
            if body.raw is not None:
                raise Damaged("expected raw or files")
            return cls(tuple(from_raw(list[bytes], body.files, at_most=MAX_IMAGES)), body.probabilities)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What only the client knows about a batch. Workers neither need it nor see it.

    Attributes:
        names: Names of all images, including those that could not be read.
        labels: True digit, 0 to 9, or None if it is unknown; one for each name.
        failures: Failures of the images that could not be read at the source, by index into `names`. All other images
            are in the batch, in this order.
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
            "failures": _cut(self.failures),
        }
        return to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a manifest.

        Raises:
            WireError: The data is not a manifest, or has a version that this program does not read.
        """
        with reading("This manifest record", remedy=_REMEDY):
            _check_size(data, MAX_MANIFEST_BYTES)
            body = from_msgpack(_ManifestBody, data, version=VERSION)
            names = from_raw(list[bytes], body.names, at_most=MAX_IMAGES)
            _check(len(names) == len(body.labels) and _LABELS.issuperset(body.labels), "labels")
            return cls(
                tuple([name.decode("utf-8", "surrogateescape") for name in names]),
                tuple([None if label == _NO_LABEL else label for label in body.labels]),
                _known(body.failures, len(names)),
            )


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answers to one batch, or to a part of one: one for each of its n images, in their order.

    Attributes:
        model: Version of the model that classified.
        worker: Name of the worker.
        digits: uint8 (n,), 0 to 9; undefined where the image failed.
        confidences: float32 (n,), 0 to 1; undefined where the image failed.
        probabilities: float32 (n, 10), or None if the client did not ask for them.
        failures: Failures, by index of the image.
    """

    model: str
    worker: str
    digits: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    failures: dict[int, Failure]

    def __len__(self) -> int:
        return len(self.digits)

    @classmethod
    def failed(cls, count: int, failure: Failure, *, worker: str = "none") -> Self:
        """Return a result that gives each of `count` images the same error row."""
        digits = np.zeros(count, np.uint8)
        return cls("", worker, digits, digits.astype(np.float32), None, dict.fromkeys(range(count), failure))

    def to_wire(self) -> bytes:
        """Encode the result."""
        body = {
            "model": self.model,
            "worker": self.worker,
            "digits": self.digits.astype(np.uint8).tobytes(),
            "confidences": self.confidences.astype("<f4").tobytes(),
            "probabilities": None if self.probabilities is None else self.probabilities.astype("<f4").tobytes(),
            "failures": _cut(self.failures),
        }
        return to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a result.

        Raises:
            WireError: The data is not a result, or has a version that this program does not read.
        """
        with reading("This result record", remedy=_REMEDY):
            _check_size(data, MAX_RESULT_BYTES)
            body = from_msgpack(_ResultBody, data, version=VERSION)
            count, probabilities = len(body.digits), body.probabilities
            _check(not body.model or identifiers.is_valid(Kind.VERSION, body.model), "model")
            _check(identifiers.is_valid(Kind.PROCESS, body.worker), "worker")
            _check(count <= MAX_IMAGES and max(body.digits, default=0) <= 9, "digits")
            _check(len(body.confidences) == 4 * count, "confidences")
            _check(probabilities is None or len(probabilities) == 40 * count, "probabilities")
            return cls(
                body.model,
                body.worker,
                np.frombuffer(body.digits, np.uint8),
                _shares(body.confidences, "confidences"),
                None if probabilities is None else _shares(probabilities, "probabilities").reshape(-1, 10),
                _known(body.failures, count),
            )


def _check(right: bool, name: str) -> None:
    if not right:
        raise Damaged(f"{name}: of a wrong length or value")


def _check_size(data: bytes, at_most: int) -> None:
    if len(data) > at_most:
        raise Damaged(f"it has {len(data):,} bytes, and at most {at_most:,} are allowed")


def _shares(data: bytes, name: str) -> NDArray[np.float32]:
    """Return numbers from 0 to 1. Neither NaN nor infinity is one, and both would spoil every sum and every report."""
    shares = np.frombuffer(data, "<f4")
    _check(not len(shares) or bool(shares.min() >= 0 and shares.max() <= _MAX_SHARE), name)
    return shares


def _cut(failures: Mapping[int, Failure]) -> dict[int, Failure]:
    """Return failures whose sentences are not longer than readers accept."""
    return {index: Failure(code, sentence[:MAX_SENTENCE]) for index, (code, sentence) in failures.items()}


def _known(failures: Raw, count: int) -> dict[int, Failure]:
    """Return the failures of `count` images. Codes that this version does not know become `INTERNAL`."""
    found = from_raw(dict[int, tuple[str, Raw]], failures, at_most=count)
    _check(all(0 <= index < count for index in found), "failures")
    return {
        index: Failure(_known_code(code), text_from_raw(sentence, at_most=MAX_SENTENCE))
        for index, (code, sentence) in found.items()
    }


def _known_code(code: str) -> FailureCode:
    try:
        return FailureCode(code)
    except ValueError:
        # A newer worker may know more codes than this client. The sentence still says what happened.
        return FailureCode.INTERNAL
