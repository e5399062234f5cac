"""Reads the images of a batch as the network takes them."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded

from model.errors import Failure, FailureCode, ImageError
from model.images.decoding.pillow import MayBeCostly
from model.images.doubts import Doubt
from model.images.normalise import Normalised
from model.images.preprocess import preprocess_all
from model.inference.several import find_several, sort_out
from model.inference.variants import Inputs, Readings
from worker.classifying.answers import Answers
from worker.contract.wire import SIDE, Batch

MAX_PARTS = 8192
"""Number of digits in images that may show several after which no further image is decoded. They have 6 MiB."""

Preprocess: TypeAlias = Callable[[bytes], Normalised]

_BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on this image.")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadImages:
    """The images of a batch as the network takes them.

    Attributes:
        inputs: n images, at least one; black where decoding failed.
        failures: Failures by index.
        doubtful: Images that may show several digits, by index. The network decides, unless it is certain.
        doubts: Doubts of the image path, by index.
        several: Whether all digits of an image are wanted. If not, an image with several is a failure.
    """

    inputs: Inputs
    failures: dict[int, Failure]
    doubtful: dict[int, Normalised]
    doubts: dict[int, Doubt]
    several: bool

    def __len__(self) -> int:
        return len(self.inputs.images)

    def first(self, count: int) -> "ReadImages":
        """Return the first images."""
        return ReadImages(
            self.inputs.at(slice(count)),
            {index: failure for index, failure in self.failures.items() if index < count},
            {index: image for index, image in self.doubtful.items() if index < count},
            {index: doubt for index, doubt in self.doubts.items() if index < count},
            self.several,
        )

    def add(self, index: int, image: Normalised) -> None:
        """Add an image, and note why it is doubtful, and whether it may show several digits or is refused for that."""
        self.inputs.images[index] = image.shown
        if image.doubt is not None:
            self.doubts[index] = image.doubt
        if self.several and len(image.parts) == image.total:
            self.doubtful[index] = image
        elif self.several and len(image.parts):
            self.failures[index] = Failure(
                FailureCode.SEVERAL_DIGITS,
                f"The image shows {image.total} digits, and at most {len(image.parts)} are read. Cut it up.",
            )
        else:
            sort_out(index, image, self.failures, self.doubtful)
        self.inputs.redrawn[index] = not image.in_form and index not in self.failures

    def answers(self, readings: Readings) -> Answers:
        """Return the answers, given what was read in the images and, after them, in the parts of doubtful ones."""
        predictions, count = readings.predictions, len(self)
        found = find_several(readings, self.doubtful, count)
        if self.several:
            return Answers(predictions, count, self.failures, found, self.doubts)
        refused = {index: self.doubtful[index].as_several.failure for index in found}
        return Answers(predictions, count, self.failures | refused, {}, self.doubts)


def read(batch: Batch, seconds: float, preprocess: Preprocess = preprocess_all) -> ReadImages:
    """Return the images of a batch as the network takes them, or the first of them if the others take too long.

    Args:
        batch: The images. Each file is decoded and normalised on its own.
        seconds: Time after which no further file is decoded.
        preprocess: Function that decodes and normalises a file.

    Raises:
        MayBeCostly: `preprocess` decodes only files that are certainly cheap, and one is not.
        SoftTimeLimitExceeded: The batch took too long.
    """
    if isinstance(batch.images, np.ndarray):
        drawn = batch.images.reshape(len(batch), -1).any(axis=1)
        blank = {} if drawn.all() else dict.fromkeys(np.flatnonzero(~drawn).tolist(), _BLANK)
        return ReadImages(Inputs(batch.images, np.zeros(len(batch), bool)), blank, {}, {}, batch.several)
    return _decode(batch.images, seconds, preprocess, several=batch.several)


def _decode(files: tuple[bytes, ...], seconds: float, preprocess: Preprocess, *, several: bool) -> ReadImages:
    """Decode and normalise each file on its own.

    Args:
        files: Contents of image files.
        seconds: Time after which no further file is decoded.
        preprocess: Function that decodes and normalises a file.
        several: Whether all digits of an image are wanted.

    Returns:
        The images of the first n files, at least one.
    """
    deadline = time.monotonic() + seconds
    blank = np.zeros((len(files), SIDE, SIDE), np.uint8)
    read = ReadImages(Inputs(blank, np.zeros(len(files), bool)), {}, {}, {}, several)
    parts = 0
    for index, file in enumerate(files):
        if index and (time.monotonic() > deadline or parts > MAX_PARTS):
            return read.first(index)
        try:
            image = preprocess(file)
            read.add(index, image)
            parts += len(image.parts)
        except ImageError as fault:
            read.failures[index] = fault.failure
        except (SoftTimeLimitExceeded, MayBeCostly):
            raise
        except Exception:
            _log.exception("digitmill itself failed to decode an image")
            read.failures[index] = Failure(
                FailureCode.INTERNAL, "digitmill itself failed on this image. The worker's log says how. Report it."
            )
    return read
