"""Decide the form of an array file from a sample of its images."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError
from producer.sources.arrays.appearance import Polarity, find_polarity, frame_of, lie_on_their_side
from producer.sources.arrays.conversion import ChooseForm, to_bytes
from producer.sources.arrays.shapes import Layout, find_layout
from producer.sources.arrays.values import Values, as_they_are, find_values
from producer.sources.form import UNCHANGED, Form

SAMPLE = 1000
"""Maximum number of images that are looked at, evenly spread over the file. They take 60 to 90 ms on a busy machine."""

_SAMPLE_BYTES = 2**26  # of the sample; an image in MNIST's form has at most 6 kB, but pictures may be large
_PICTURES = (Polarity.GREY, Polarity.MIXED)  # files that need more than one rule for all images


def form_chooser(*, as_is: bool, form: Form | None) -> ChooseForm:
    """Return the function that chooses the form of a file.

    Args:
        as_is: Whether to send the numbers of a file as they are, whatever they look like.
        form: Form that was decided before, or None to decide now.
    """
    if form is not None:
        return lambda _array, _name: form
    return partial(decide, as_is=as_is)


def decide(array: NDArray[Any], name: str, *, as_is: bool = False) -> Form:
    """Return the form of an array file.

    Args:
        array: Array of images, whose layout is known (`find_layout`). Only a sample of it is read.
        name: Name of the file, for messages.
        as_is: Whether to send its numbers as they are. Then nothing is recognised but shape and range.

    Raises:
        UsageError: Its numbers cannot be turned into images.
    """
    layout = find_layout(array)
    if layout is None or array.size == 0:
        return UNCHANGED
    images = layout.arrange(array)
    count = max(1, min(SAMPLE, _SAMPLE_BYTES // images[0].nbytes))
    sample = images[np.unique(np.linspace(0, len(images) - 1, count).astype(np.intp))]
    try:
        values = as_they_are(sample) if as_is else find_values(sample, frame_of(layout.size))
    except UsageError as fault:
        raise UsageError(f"{name!r}, {array.dtype} {array.shape}, {fault}") from None
    if as_is:
        said = f"{name!r} is sent as it is, because of --as-is."
        return Form(values.black, values.white, layout.last, pictures=not layout.is_mnist, sentence=said)
    polarity = Polarity.LIGHT
    if layout.is_mnist:
        polarity = find_polarity(_levels(sample, values))
    pictures = not layout.is_mnist or polarity in _PICTURES
    inverted = polarity is Polarity.DARK
    background, ink = (values.white, values.black) if inverted else (values.black, values.white)
    form = Form(background, ink, layout.last, values.wrapped, pictures)
    sideways = layout.is_mnist and not pictures and lie_on_their_side(to_bytes(sample, form))
    sentence = _describe(array, name, layout, values, polarity, sideways=sideways)
    return replace(form, sentence=sentence)


def _levels(sample: NDArray[Any], values: Values) -> NDArray[np.float32]:
    """Return numbers as 0 for black to 1 for white."""
    pixels = to_bytes(sample, Form(values.black, values.white, wrapped=values.wrapped))
    return pixels.astype(np.float32) / np.float32(255)


def _describe(
    array: NDArray[Any], name: str, layout: Layout, values: Values, polarity: Polarity, *, sideways: bool
) -> str:
    """Return what was recognised and is done, in one or two sentences, or "" if there is nothing to say."""
    found, done = [], []
    height, width = layout.size
    if not layout.is_mnist:
        what = "in colour" if len(layout.shape) > 2 else "not 28 by 28 pixels"
        found.append(f"its images are {what} ({height} by {width})")
    elif array.shape[-2:] != layout.shape:
        done.append("read as 28 by 28 pixels")
    if values.words:
        found.append(values.words)
        done.append("stretched to 0 to 255")
    if polarity is Polarity.DARK:
        found.append("it has dark ink on white")
        done.append("inverted")
    elif polarity is Polarity.GREY:
        found.append("it has dark ink on grey")
    elif polarity is Polarity.MIXED:
        found.append("it has dark ink on light in some images, and light ink on dark in others")
    if not layout.is_mnist or polarity in _PICTURES:
        done.append("prepared like image files")
    said = []
    if done:
        found.insert(0, f"{name!r} is {array.dtype} {array.shape}")
        overruled = " --as-is sends its values as they are." if found[1:] and layout.is_mnist else ""
        said.append(f"{_listed(found)}, so its images are {_listed(done)}.{overruled}")
    if sideways:
        said.append(
            f"Most digits in {name!r} are wider than tall, as if rows and columns were swapped. They are sent like "
            "that. If they are swapped, save numpy.swapaxes(images, 1, 2)."
        )
    return " ".join(said)


def _listed(words: list[str]) -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
