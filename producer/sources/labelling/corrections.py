"""Corrections: label files that the page of a report saves, which have the pictures that a person looked at."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import ImageError, UsageError
from producer.sources.labelling.label_file import LabelFile, Truth
from worker.contract.wire import SIDE

NOT_A_DIGIT = "not a digit"
"""Verdict of a person on an image that nobody should teach."""

_PNG = "data:image/png;base64,"
_MAX_PICTURE = 4096  # characters; the largest PNG file of such an image, as text, is far smaller


def merge(paths: Sequence[Path], names: Sequence[str]) -> dict[str, Truth]:
    """Return what several label files say about each image.

    Args:
        paths: The files.
        names: Titles of name columns; see `LabelFile.read`.

    Raises:
        UsageError: A file cannot be read, or two files contradict each other about one name: by different labels, or
            because one of them says that it is not a digit.
    """
    merged: dict[str, Truth] = {}
    of: dict[str, Path] = {}
    for path in paths:
        for name, truth in LabelFile.read(path, names).truths.items():
            said, before = _said(truth), _said(merged[name]) if name in merged else ""
            if said and before and said != before:
                raise UsageError(
                    f"{name!r} {before} in {str(of[name])!r}, and {said} in {str(path)!r}. Remove one of these rows."
                )
            if not before:
                merged[name], of[name] = truth, path
    return merged


def _said(truth: Truth) -> str:
    """Return what a row says about its image, in words, or "" if it says nothing."""
    if truth.label is not None:
        return f"has the label {truth.label}"
    return "is not a digit" if truth.verdict == NOT_A_DIGIT else ""


def describe_skipped(truths: Mapping[str, Truth]) -> str | None:
    """Return in words how many images have no label, and how many of them are not digits, or None if all have one."""
    left = [truth for truth in truths.values() if truth.label is None]
    if not left:
        return None
    note = f"Rows without a label are skipped: {len(left):,} of {len(truths):,}."
    others = sum(truth.verdict == NOT_A_DIGIT for truth in left)
    return f"{note} {others:,} of them {'is not a digit' if others == 1 else 'are not digits'}." if others else note


def picture_of(truth: Truth) -> NDArray[np.uint8] | None:
    """Return the picture in a row, uint8 (28, 28), light ink on black, or None if there is not a valid one."""
    from model.images.decoding.decode import decode

    text = truth.picture
    if not text.startswith(_PNG) or len(text) > _MAX_PICTURE:
        return None
    try:
        pixels = np.asarray(decode(b64decode(text.removeprefix(_PNG), validate=True)), np.uint8)
    except (ImageError, ValueError):
        return None
    return pixels if pixels.shape == (SIDE, SIDE) else None
