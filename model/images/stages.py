"""The steps from an image to what the network is shown, for whoever wants to watch them."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from cv2.typing import MatLike


class Stage(StrEnum):
    """What is there after a step; all are uint8 (height, width)."""

    IMAGE = "image"  # decoded, upright, one channel
    SHEET = "sheet"  # the sheet of paper alone, where it lies on a table
    INK = "ink"  # how far each pixel differs from paper, 255 where most
    DIGIT = "digit"  # 255 where strokes of the digit are; what else there was of ink is left out
    STROKES = "strokes"  # the digit cut out, its strokes brought to a usual width
    SHOWN = "shown"  # (28, 28): what the network is shown


StageObserver: TypeAlias = Callable[[Stage, MatLike], None]
"""Told the image after each step. A step may come again, when the digit is looked at closer: the last time counts."""


def ignore_stage(_step: Stage, _image: MatLike) -> None:
    """The observer that does not look."""
