"""Pictures of a job's images for its report: read again from where they lie, and shown as the network saw them."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import inf, nan
from typing import NamedTuple, cast

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from model.errors import DigitmillError, FailureCode, ImageError, UsageError
from model.images.preprocess import preprocess_all
from model.images.raster import Grey
from model.images.stages import Stage
from model.inference.predictions import Predictions
from model.inference.variants import Inputs, read_inputs
from producer.calls.client import Client
from producer.jobs.results import Results
from producer.sources import ImageContent, Source
from worker.contract.wire import SIDE

MAX_SHOWN_PARTS = 8
"""Maximum number of digits in the picture of an image of several digits."""

MAX_ORIGINAL = 96
"""Length of the longer side of an original in the report, in pixels: a digit in it can be read."""

ASKING_SECONDS = 10.0
"""Longest wait for the probabilities of an image, in seconds. A report without them is better than none."""

_SAME = 0.02  # greatest difference between two answers of one version to one image, on machines of different kinds

_UNKNOWN = (nan,) * 10  # probabilities of an image that a worker refuses


class Picture(NamedTuple):
    """One image of a job for people to look at."""

    seen: Grey  # (28, 28) as the network saw it, light ink on black, or (28, 28 · n) for n digits side by side
    original: bytes | None = None  # WebP; None if the network saw the numbers of an array as they are
    probabilities: tuple[float, ...] | None = None  # of the digits 0 to 9, or None if they are unknown
    redrawn: bool = False  # whether normalisation drew it anew, so that a worker reads variants if it is not sure


@dataclass(slots=True)
class PictureReader:
    """Reads the pictures of a job's images. Call it with their indices in the results, the most important first.

    Attributes:
        source: Source of the images, or None if it is gone.
        results: All images of the job.
        mill: URL of a mill whose workers can say the ten probabilities, or None without one or after none answered.
        until: Monotonic time after which no more images are read.
        at_once: Number of images that are read all the same.
    """

    source: Source | None
    results: Results
    mill: str | None = None
    until: float = inf
    at_once: int = 0

    def __call__(self, indices: Sequence[int]) -> dict[int, Picture | None]:
        """Return the pictures of some images by index, without those that cannot be read. None was not read in time."""
        if self.source is None:
            return {}
        pictures: dict[int, Picture | None] = {}
        for some, deadline in ((indices[: self.at_once], inf), (indices[self.at_once :], self.until)):
            if some and time.monotonic() > deadline:
                pictures |= dict.fromkeys(some)
                continue
            # One pass reads all of them: a packed archive would otherwise be unpacked again for each image.
            of_name = {self.results.names[index]: index for index in some}
            for name, content in self.source.read_each(of_name) if of_name else ():
                if time.monotonic() > deadline:
                    pictures |= dict.fromkeys(index for index in some if index not in pictures)
                    break
                index = of_name[name]
                if picture := _picture(content, several=_shows_several(self.results, index)):
                    pictures[index] = picture
        self.at_once = max(0, self.at_once - len(indices))
        found = self._with_probabilities({index: each for index, each in pictures.items() if each})
        return {**pictures, **found}

    def _with_probabilities(self, pictures: dict[int, Picture]) -> dict[int, Picture]:
        results = self.results
        if results.numbers is not None:
            return pictures
        if (known := results.probabilities) is not None:
            return {
                index: picture._replace(
                    probabilities=None if index in results.failures else tuple(known[index].tolist())
                )
                for index, picture in pictures.items()
            }
        by_version: dict[str, list[int]] = defaultdict(list)
        for index in pictures:
            if index not in results.failures:
                by_version[results.models[index]].append(index)
        found = dict(pictures)
        for version, indices in by_version.items():
            asked = self._ask(version, [pictures[index] for index in indices])
            for index, shares in zip(indices, asked, strict=False):
                if abs(shares[results.digits[index]] - results.confidences[index]) <= _SAME:
                    found[index] = pictures[index]._replace(probabilities=shares)
        return found

    def _ask(self, version: str, pictures: Sequence[Picture]) -> list[tuple[float, ...]]:
        """Return the probabilities that a version gives each image, or [] if no worker says them.

        Those of an image that a worker refuses are not numbers.
        """
        if self.mill is None:
            return []
        try:
            # The job has counted these images, and they are the doubtful ones: twice, they would look like a drift.
            with Client(self.mill, timeout=ASKING_SECONDS, model=version, counted=False) as client:

                def classify(images: NDArray[np.uint8]) -> Predictions:
                    futures = [client.send(image) for image in images]
                    return Predictions.of(
                        np.array([future.result().probabilities or _UNKNOWN for future in futures], np.float32)
                    )

                seen = np.stack([cast("NDArray[np.uint8]", picture.seen) for picture in pictures])
                read = read_inputs(classify, Inputs(seen, np.array([picture.redrawn for picture in pictures])))
                return [tuple(shares) for shares in read.predictions.probabilities.tolist()]
        except UsageError:  # the mill does not have this version any more
            return []
        except DigitmillError:
            self.mill = None  # nobody answers, so the next version or page would wait as long, and in vain
            return []


def _picture(content: ImageContent, *, several: bool) -> Picture | None:
    if not isinstance(content, bytes):
        return Picture(content)
    stages: dict[Stage, MatLike] = {}
    try:
        normalised = preprocess_all(content, stages.__setitem__)
    except ImageError:
        return None
    parts = list(normalised.parts[:MAX_SHOWN_PARTS])
    seen = np.hstack(parts) if parts and several else normalised.shown
    return Picture(seen, _reduced(stages[Stage.IMAGE]), redrawn=not normalised.in_form)


def _reduced(image: MatLike) -> bytes:
    """Return an original as a small WebP file, whose sides are at most `MAX_ORIGINAL` pixels long."""
    scale = MAX_ORIGINAL / max(image.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in image.shape)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    file = BytesIO()
    # Few pixels would blur at this quality, and take little without loss.
    Image.fromarray(image).save(file, "WEBP", quality=75, method=2, lossless=image.size <= SIDE * SIDE)
    return file.getvalue()


def _shows_several(results: Results, index: int) -> bool:
    """Return whether an image was refused because it shows several digits, or read as a number of several digits."""
    if index in results.failures:
        return results.failures[index].code is FailureCode.SEVERAL_DIGITS
    return results.numbers is not None and len(results.numbers.read[index]) > 1
