"""The stages from an image to what the network reads, for callers that want to look at each stage."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from cv2.typing import MatLike


class Stage(StrEnum):
    """The result of a stage. Each is an image, uint8 (height, width)."""

    IMAGE = "image"  # decoded, upright, one channel
    SHEET = "sheet"  # the sheet of paper alone, where it lies on a table
    INK = "ink"  # how far each pixel differs from paper, 255 where most
    DIGIT = "digit"  # mask of the digit's strokes, without other ink
    STROKES = "strokes"  # the digit cut out, its strokes brought to a usual width
    SHOWN = "shown"  # (28, 28): what the network reads


StageObserver: TypeAlias = Callable[[Stage, MatLike], None]
"""A function that is called with the image after each stage.

When normalisation looks at the digit more closely, it reports a stage again. The last report counts."""


def ignore_stage(_stage: Stage, _image: MatLike) -> None:
    """Do nothing: the observer for callers that do not look at the stages."""
