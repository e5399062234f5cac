"""The wire format: how batches, manifests and results travel. No other module knows their bytes.

Each is a msgpack map with a format version (`model.records`). Arrays are raw little-endian bytes. The format cannot
express anything executable, and nothing is compressed. Sizes and lengths (`worker.contract.validation.bounds`) are
checked before anything is built from them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias, TypeVar, cast

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from model.records import Damaged, from_msgpack, from_raw, text_from_raw, to_msgpack
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import (
    MAX_BATCH_BYTES,
    MAX_DIGITS,
    MAX_IMAGES,
    MAX_MANIFEST_BYTES,
    MAX_RESULT_BYTES,
    MAX_SENTENCE,
)
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import reading

VERSION = 1
"""Version of everything but what `NUMBERS_VERSION` is for."""

NUMBERS_VERSION = 2
"""Version of batches in which all digits of an image are wanted, of the answers to them, and of manifests with numbers.

Programs that only know version 1 refuse them, so none answers a number as a single digit or hides its other digits."""

Label: TypeAlias = int | str
"""True digit of an image, 0 to 9. Or its true number in a job that reads all digits: a string of 1 to `MAX_DIGITS`
digits, whose zeros at the beginning count; or an integer, which does not say whether there are any."""

SIDE = 28
"""Side of an image that travels, in pixels."""

_VERSIONS: tuple[int, ...] = (VERSION, NUMBERS_VERSION)
_NO_LABEL = 255
_LABELS = frozenset([*range(10), _NO_LABEL])
_DIGITS = frozenset([*range(10), None])
_REMEDY = "Submit its job again."
_NIL = Raw(b"\xc0")
_MAX_SHARE = 1.001  # rounding may lift a sum of ten probabilities above 1
_Code = TypeVar("_Code", FailureCode, DoubtCode)


class _BatchBody(Struct, frozen=True):  # msgspec refuses a `Raw` with a default in a dataclass
    """A batch as it travels, with exactly one of `raw` and `files`."""

    probabilities: bool
    raw: memoryview | None = None
    files: Raw = _NIL  # list[bytes]
    several: bool = False  # only in version 2


class _ManifestBody(Struct, frozen=True):
    """A manifest as it travels: names in the bytes of the file system, and one byte for each label or `numbers`."""

    names: Raw  # list[bytes]
    failures: Raw  # index → pair of code and sentence
    labels: bytes = b""
    numbers: Raw = _NIL  # list[int | str | None], only in version 2


class _ResultBody(Struct, frozen=True):
    """A result as it travels."""

    model: str
    worker: str
    digits: bytes
    confidences: bytes
    probabilities: bytes | None
    failures: Raw  # as in a manifest
    counts: bytes | None = None  # one byte for each image, only in version 2
    doubts: Raw = _NIL  # index → pair of code and reason; absent without doubts


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The images of one batch.

    Attributes:
        images: Either uint8 (n, 28, 28) in MNIST's convention, ready to classify, or n encoded files, which the worker
            decodes and normalises one by one.
        probabilities: Whether the sender wants the ten probabilities of each image. Nobody gets them with `several`.
        several: Whether the sender wants all digits of each file. Without it, a file with several digits is an error.
            A raw image always has one digit.
    """

    images: NDArray[np.uint8] | tuple[bytes, ...]
    probabilities: bool = False
    several: bool = False
    _encoded: bytes = field(default=b"", repr=False)  # the same in the wire format, or b"" if nobody has encoded it

    @classmethod
    def of_arrays(cls, arrays: Sequence[NDArray[np.uint8]], *, probabilities: bool = False) -> Self:
        """Return a batch of raw images that is encoded already, so that a client copies them once and not twice.

        Args:
            arrays: The images in pieces, uint8 (m, 28, 28) each. They may change afterwards.
            probabilities: Whether the sender wants the ten probabilities of each image.
        """
        encoded = _encoded_raw(arrays, probabilities=probabilities, several=False)
        size = sum(array.nbytes for array in arrays)
        images = np.frombuffer(encoded, np.uint8, offset=len(encoded) - size).reshape(-1, SIDE, SIDE)
        return cls(images, probabilities, _encoded=encoded)

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int) -> "Batch":
        """Return the images from `start` to before `stop` as a batch of their own."""
        return Batch(self.images[start:stop], self.probabilities, self.several)

    def to_wire(self) -> bytes:
        """Encode the batch."""
        if self._encoded:
            return self._encoded
        if isinstance(self.images, np.ndarray):
            return _encoded_raw([self.images], probabilities=self.probabilities, several=self.several)
        several, version = _marks(several=self.several)
        body = {"probabilities": self.probabilities, "files": self.images, **several}
        return to_msgpack(body, version=version)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a batch. Raw images become a read-only view of the data.

        Raises:
            WireError: The data is not a batch, or has a version that this program does not read.
        """
        with reading("This batch record", remedy=_REMEDY):
            _check_size(data, MAX_BATCH_BYTES)
            body = from_msgpack(_BatchBody, data, version=_VERSIONS)
            if body.raw is not None and body.files == _NIL:
                count, rest = divmod(len(body.raw), SIDE * SIDE)
                _check(rest == 0 and count <= MAX_IMAGES, "raw")
                images = np.frombuffer(body.raw, np.uint8).reshape(-1, SIDE, SIDE)
                return cls(images, body.probabilities, body.several)
            if body.raw is not None:
                raise Damaged("expected raw or files")
            files = tuple(from_raw(list[bytes], body.files, at_most=MAX_IMAGES))
            return cls(files, body.probabilities, body.several)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What only the client knows about a batch. Workers neither need it nor see it.

    Attributes:
        names: Names of all images, including those that could not be read.
        labels: True digit or number, or None if it is unknown; one for each name.
        failures: Failures of the images that could not be read at the source, by index into `names`. All other images
            are in the batch, in this order.
    """

    names: tuple[str, ...]
    labels: tuple[Label | None, ...]
    failures: dict[int, Failure]

    def to_wire(self) -> bytes:
        """Encode the manifest."""
        # A file name on Linux may be any bytes; surrogateescape keeps those that are not UTF-8.
        try:
            names = list(map(str.encode, self.names))
        except UnicodeEncodeError:
            names = [name.encode("utf-8", "surrogateescape") for name in self.names]
        failures = _cut(self.failures)
        different = set(self.labels)
        if not different <= _DIGITS:
            return to_msgpack({"names": names, "numbers": self.labels, "failures": failures}, version=NUMBERS_VERSION)
        digits = cast("tuple[int, ...]", self.labels)
        if None in different:
            digits = tuple([_NO_LABEL if label is None else label for label in digits])
        labels = bytes(digits)
        return to_msgpack({"names": names, "labels": labels, "failures": failures}, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a manifest.

        Raises:
            WireError: The data is not a manifest, or has a version that this program does not read.
        """
        with reading("This manifest record", remedy=_REMEDY):
            _check_size(data, MAX_MANIFEST_BYTES)
            body = from_msgpack(_ManifestBody, data, version=_VERSIONS)
            names = from_raw(list[bytes], body.names, at_most=MAX_IMAGES)
            labels = _labels(body)
            _check(len(names) == len(labels), "labels")
            return cls(
                tuple([name.decode("utf-8", "surrogateescape") for name in names]),
                labels,
                _known(body.failures, len(names)),
            )


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answers to one batch, or to a part of one: one for each of its n images, in their order.

    There are m digits: one for each image, or as many as `counts` says.

    Attributes:
        model: Version of the model that classified.
        worker: Name of the worker.
        digits: uint8 (m,), 0 to 9; undefined where the image failed.
        confidences: float32 (m,), 0 to 1; undefined where the image failed.
        probabilities: float32 (n, 10), or None if the client did not ask for them.
        failures: Failures, by index of the image.
        counts: uint8 (n,), number of digits of each image, which come one after the other: 0 exactly where the image
            failed, and at most `MAX_DIGITS`. None if each image, also one that failed, has one digit. With it,
            `probabilities` is None.
        doubts: Doubts of the image path, by index of the image. Older programs ignore them.
    """

    model: str
    worker: str
    digits: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    failures: dict[int, Failure]
    counts: NDArray[np.uint8] | None = None
    doubts: dict[int, Doubt] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.digits if self.counts is None else self.counts)

    @classmethod
    def failed(cls, count: int, failure: Failure, *, worker: str = "none") -> Self:
        """Return a result that gives each of `count` images the same error row."""
        digits = np.zeros(count, np.uint8)
        return cls("", worker, digits, digits.astype(np.float32), None, dict.fromkeys(range(count), failure))

    def to_wire(self) -> bytes:
        """Encode the result."""
        body: dict[str, Any] = {
            "model": self.model,
            "worker": self.worker,
            "digits": self.digits.astype(np.uint8).tobytes(),
            "confidences": self.confidences.astype("<f4").tobytes(),
            "probabilities": None if self.probabilities is None else self.probabilities.astype("<f4").tobytes(),
            "failures": _cut(self.failures),
        }
        if self.doubts:
            body["doubts"] = _cut(self.doubts)
        if self.counts is not None:
            return to_msgpack({**body, "counts": self.counts.astype(np.uint8).tobytes()}, version=NUMBERS_VERSION)
        return to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a result.

        Raises:
            WireError: The data is not a result, or has a version that this program does not read.
        """
        with reading("This result record", remedy=_REMEDY):
            _check_size(data, MAX_RESULT_BYTES)
            body = from_msgpack(_ResultBody, data, version=_VERSIONS)
            digits, probabilities = len(body.digits), body.probabilities
            count = digits if body.counts is None else len(body.counts)
            _check(not body.model or identifiers.is_valid(Kind.VERSION, body.model), "model")
            _check(identifiers.is_valid(Kind.PROCESS, body.worker), "worker")
            _check(count <= MAX_IMAGES and max(body.digits, default=0) <= 9, "digits")
            _check(len(body.confidences) == 4 * digits, "confidences")
            expected = 40 * digits if body.counts is None else None
            _check(probabilities is None or len(probabilities) == expected, "probabilities")
            failures = _known(body.failures, count)
            return cls(
                body.model,
                body.worker,
                np.frombuffer(body.digits, np.uint8),
                _shares(body.confidences, "confidences"),
                None if probabilities is None else _shares(probabilities, "probabilities").reshape(-1, 10),
                failures,
                None if body.counts is None else _counts(body.counts, digits, failures),
                _known_doubts(body.doubts, count),
            )


def _encoded_raw(arrays: Iterable[NDArray[np.uint8]], *, probabilities: bool, several: bool) -> bytes:
    """Return a batch of raw images in the wire format. The images are at its end."""
    marks, version = _marks(several=several)
    pieces = [np.ascontiguousarray(array).reshape(-1).data for array in arrays]
    return to_msgpack({"probabilities": probabilities, **marks}, version=version, last=("raw", pieces))


def _marks(*, several: bool) -> tuple[dict[str, Any], int]:
    """Return what else a batch says if all digits of each image are wanted, and its version."""
    return ({"several": True}, NUMBERS_VERSION) if several else ({}, VERSION)


def _check(right: bool, name: str) -> None:
    if not right:
        raise Damaged(f"{name}: of a wrong length or value")


def _labels(body: _ManifestBody) -> tuple[Label | None, ...]:
    if body.numbers == _NIL:
        _check(_LABELS.issuperset(body.labels), "labels")
        return tuple([None if label == _NO_LABEL else label for label in body.labels])
    numbers = from_raw(list[int | str | None], body.numbers, at_most=MAX_IMAGES)
    _check(not body.labels and all(number is None or _is_label(number) for number in numbers), "numbers")
    return tuple(numbers)


def _is_label(number: Label) -> bool:
    return is_number(number) if isinstance(number, str) else number >= 0


def is_number(text: str) -> bool:
    """Return whether a text is a number that a label may be: 1 to `MAX_DIGITS` digits 0 to 9."""
    return len(text) <= MAX_DIGITS and text.isascii() and text.isdigit()


def _counts(data: bytes, digits: int, failures: Mapping[int, Failure]) -> NDArray[np.uint8]:
    counts = np.frombuffer(data, np.uint8)
    _check(int(counts.sum(dtype=np.int64)) == digits and max(data, default=0) <= MAX_DIGITS, "counts")
    _check(set(np.flatnonzero(counts == 0).tolist()) == failures.keys(), "counts")
    return counts


def _check_size(data: bytes, at_most: int) -> None:
    if len(data) > at_most:
        raise Damaged(f"it has {len(data):,} bytes, and at most {at_most:,} are allowed")


def _shares(data: bytes, name: str) -> NDArray[np.float32]:
    """Return numbers from 0 to 1. Neither NaN nor infinity is one, and both would spoil every sum and every report."""
    shares = np.frombuffer(data, "<f4")
    _check(not len(shares) or bool(shares.min() >= 0 and shares.max() <= _MAX_SHARE), name)
    return shares


def _cut(pairs: Mapping[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    """Return pairs of a code and a sentence whose sentences are not longer than readers accept."""
    return {index: (code, sentence[:MAX_SENTENCE]) for index, (code, sentence) in pairs.items()}


def _known(failures: Raw, count: int) -> dict[int, Failure]:
    """Return the failures of `count` images. Codes that this version does not know become `INTERNAL`."""
    found = _pairs("failures", failures, count)
    return {
        index: Failure(known_code(code, FailureCode.INTERNAL), sentence) for index, (code, sentence) in found.items()
    }


def _known_doubts(doubts: Raw, count: int) -> dict[int, Doubt]:
    """Return the doubts about `count` images. Codes that this version does not know become `OTHER`."""
    found = {} if doubts == _NIL else _pairs("doubts", doubts, count)
    return {index: Doubt(known_code(code, DoubtCode.OTHER), reason) for index, (code, reason) in found.items()}


def _pairs(name: str, data: Raw, count: int) -> dict[int, tuple[str, str]]:
    """Return the pairs of a code and a sentence of some of `count` images."""
    found = from_raw(dict[int, tuple[str, Raw]], data, at_most=count)
    _check(all(0 <= index < count for index in found), name)
    return {index: (code, text_from_raw(sentence, at_most=MAX_SENTENCE)) for index, (code, sentence) in found.items()}


def known_code(code: str, otherwise: _Code) -> _Code:
    """Return a code of an enumeration, or another one if it does not have this code."""
    try:
        return type(otherwise)(code)
    except ValueError:
        # A newer worker may know more codes than this client. The sentence still says what happened.
        return otherwise
