"""The wire format: how batches, manifests and results travel. No other module knows a byte of it.

Everything is msgpack, a map with a format version (`worker.contract.codec`); arrays are raw little-endian bytes. Nothing
executable can be expressed in it, nothing is compressed, and sizes are checked before anything is built from them.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode
from worker.contract.codec import pack, unpack
from worker.contract.errors import WireError

VERSION = 1
SIDE = 28
_NO_LABEL = 255


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The images of one batch.

    Attributes:
        images: either uint8 (n, 28, 28) in MNIST's convention, ready to classify; or n encoded files, which the
            worker decodes and normalises one by one.
        probabilities: whether the ten probabilities of each image are wanted back.
    """

    images: NDArray[np.uint8] | tuple[bytes, ...]
    probabilities: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int) -> "Batch":
        """Return the images from `start` to `stop` as a batch of their own."""
        return Batch(self.images[start:stop], self.probabilities)

    def to_wire(self) -> bytes:
        """Encode."""
        body: dict[str, Any] = {"probabilities": self.probabilities}
        if isinstance(self.images, np.ndarray):
            body["raw"] = np.ascontiguousarray(self.images).tobytes()
        else:
            body["files"] = list(self.images)
        return pack(body, version=VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode; raw images are a read-only view into `data`.

        Raises:
            WireError: not a batch, or of a version that this program does not read.
        """
        body = _unpack(data, "batch")
        match body:
            case {"raw": bytes(raw), "probabilities": bool(probabilities)} if len(raw) % (SIDE * SIDE) == 0:
                return cls(np.frombuffer(raw, np.uint8).reshape(-1, SIDE, SIDE), probabilities)
            case {"files": list(files), "probabilities": bool(probabilities)} if all(
                isinstance(file, bytes) for file in files
            ):
                return cls(tuple(files), probabilities)
        raise WireError("This batch record is damaged. Submit its job again.")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the client alone knows of a batch: never needed, never seen by a worker.

    Attributes:
        names: of every image, those included that never left the client.
        labels: true digit or None, one for each name.
        failures: images that could not be read at the source, by index into `names`. All others are in the batch, in
            this order.
    """

    names: tuple[str, ...]
    labels: tuple[int | None, ...]
    failures: dict[int, Failure]

    def to_wire(self) -> bytes:
        """Encode."""
        return pack(
            {
                # A file name on Linux is any bytes; surrogateescape keeps those that are no UTF-8.
                "names": [name.encode("utf-8", "surrogateescape") for name in self.names],
                "labels": bytes(_NO_LABEL if label is None else label for label in self.labels),
                "failures": _failures_to_wire(self.failures),
            },
            version=VERSION,
        )

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode.

        Raises:
            WireError: not a manifest, or of a version that this program does not read.
        """
        match _unpack(data, "manifest"):
            case {"names": list(names), "labels": bytes(labels), "failures": dict(failures)} if (
                len(names) == len(labels)
                and all(isinstance(name, bytes) for name in names)
                and all(label <= 9 or label == _NO_LABEL for label in labels)
            ):
                return cls(
                    tuple(name.decode("utf-8", "surrogateescape") for name in names),
                    tuple(None if label == _NO_LABEL else label for label in labels),
                    _failures_from_wire(failures, len(names)),
                )
        raise WireError("This manifest record is damaged. Submit its job again.")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answers to one batch, or to a part of one; as many as images were asked, in their order.

    Attributes:
        model: version of the model that classified.
        worker: name of the worker.
        digits: uint8 (n,), 0 to 9; without a meaning where the image failed.
        confidences: float32 (n,), 0 to 1; undefined where the image failed.
        probabilities: float32 (n, 10), or None unless asked for.
        failures: by index.
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
        """Encode."""
        probabilities = None if self.probabilities is None else self.probabilities.astype("<f4").tobytes()
        return pack(
            {
                "model": self.model,
                "worker": self.worker,
                "digits": self.digits.astype(np.uint8).tobytes(),
                "confidences": self.confidences.astype("<f4").tobytes(),
                "probabilities": probabilities,
                "failures": _failures_to_wire(self.failures),
            },
            version=VERSION,
        )

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode.

        Raises:
            WireError: not a result, or of a version that this program does not read.
        """
        match _unpack(data, "result"):
            case {
                "model": str(model),
                "worker": str(worker),
                "digits": bytes(digits),
                "confidences": bytes(confidences),
                "probabilities": bytes() | None as probabilities,
                "failures": dict(failures),
            } if (
                len(confidences) == 4 * len(digits)
                and (probabilities is None or len(probabilities) == 40 * len(digits))
                and max(digits, default=0) <= 9
            ):
                return cls(
                    model,
                    worker,
                    np.frombuffer(digits, np.uint8),
                    np.frombuffer(confidences, "<f4"),
                    None if probabilities is None else np.frombuffer(probabilities, "<f4").reshape(-1, 10),
                    _failures_from_wire(failures, len(digits)),
                )
        raise WireError("This result record is damaged. Submit its job again.")


def _failures_to_wire(failures: dict[int, Failure]) -> dict[int, list[str]]:
    return {index: [str(failure.code), failure.sentence] for index, failure in failures.items()}


def _failures_from_wire(failures: dict[Any, Any], count: int) -> dict[int, Failure]:
    decoded: dict[int, Failure] = {}
    for index, value in failures.items():
        match value:
            case [str(code), str(sentence)] if isinstance(index, int) and 0 <= index < count:
                decoded[index] = Failure(_known_code(code), sentence)
            case _:
                raise WireError("A failure in this record is damaged. Submit its job again.")
    return decoded


def _known_code(code: str) -> FailureCode:
    try:
        return FailureCode(code)
    except ValueError:
        # A newer worker may know more codes than this client: the sentence still says what happened.
        return FailureCode.INTERNAL


def _unpack(data: bytes, kind: str) -> dict[str, Any]:
    return unpack(data, version=VERSION, kind=kind, remedy="Submit its job again.")
