"""Checks what a program says about its images. A wrong value must be an error of this call alone."""

import math
from collections.abc import Iterable
from os import PathLike
from typing import Literal, TypeAlias

from model.errors import InputError, UsageError
from producer.calls.images import Floats

Several: TypeAlias = Literal["refuse", "read"]
"""What to do with an image of several digits: refuse it, or read all of its digits."""


def reads(several: Several) -> bool:
    """Return whether all digits of an image are read.

    Raises:
        UsageError: The option has another value than its two.
    """
    if several not in ("read", "refuse"):
        raise UsageError(f'several must be "read" or "refuse", not {several!r}.')
    return several == "read"


def seconds_of(timeout: float) -> float:
    """Return a timeout in seconds.

    Raises:
        UsageError: It is not a number of seconds, or it is infinite or negative.
    """
    try:
        seconds = float(timeout)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UsageError(f"timeout must be a number of seconds that is finite and 0 or more, not {timeout!r}.")
    return seconds


def check_floats(floats: Floats) -> Floats:
    """Return what to do with arrays of floats.

    Raises:
        UsageError: The option has another value than its two.
    """
    if floats not in ("refuse", "0..1"):
        raise UsageError(f'floats must be "refuse" or "0..1", not {floats!r}.')
    return floats


def check_confidence(min_confidence: float) -> float:
    """Return a confidence below which a prediction is for review.

    Raises:
        UsageError: It is not a number from 0 to 1.
    """
    if not (isinstance(min_confidence, int | float) and 0 <= min_confidence <= 1):
        raise UsageError(f"min_confidence must be a number from 0 to 1, not {min_confidence!r}.")
    return min_confidence


def check_many(images: Iterable[object]) -> None:
    """Check that these may be several images.

    Raises:
        InputError: They are one image, or nothing that can be iterated over.
    """
    if isinstance(images, str | bytes | bytearray | memoryview | PathLike) or not isinstance(images, Iterable):
        raise InputError(
            f"{type(images).__name__} is not several images. Give `classify_many` a list of them, or another iterable."
        )
