"""Show training images as normalisation leaves them, after they came as files: larger, on grey paper, a little noisy.

Normalisation changes what a file shows: it thickens thin strokes, removes paper and specks, and centres what remains,
stray marks included. A network that is trained on images as they are has not seen this.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import ImageError
from model.images.normalise import normalise


def normalised(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Put images on paper, and normalise them as a worker normalises files.

    Some are enlarged, some are dark on light, some have a sensor's noise, and some are normalised as they are. What
    normalisation refuses stays as it was.

    Args:
        images: Images, uint8 (n, 28, 28), light ink on black. They stay unchanged.
        random: Source of random numbers. The same state gives the same result.

    Returns:
        New images, uint8 (n, 28, 28), in the same order.
    """
    shown = images.copy()
    for image in shown:
        try:
            image[...] = normalise(_on_paper(image, random))
        except ImageError:
            continue
    return shown


def _on_paper(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image of any size and any levels that shows the same."""
    page = image
    if random.random() < 0.4:
        side = int(random.integers(32, 85))
        page = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    if random.random() < 0.4:
        paper, ink = random.uniform([170, 0], [255, 110])
        level = paper + (ink - paper) / 255 * page + random.normal(0, random.uniform(0, 4), page.shape)
        page = np.clip(level, 0, 255).astype(np.uint8)
    return page
