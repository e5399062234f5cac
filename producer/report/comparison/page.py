"""The page about two jobs on the same images. It has no script and loads nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from producer.report.comparison.matching import Compared
from producer.report.files import generated_by, replace_page
from producer.report.rendering import data_uri, environment
from worker.contract.wire import SIDE, Label

COMMAND = "digitmill compare"

MAX_PICTURED = 100
"""Maximum number of images of each kind that the page shows. The JSON names all."""

MAX_PAIRS = 20
"""Maximum number of pairs of different answers that the page lists."""


class Answered(NamedTuple):
    """What a job says about an image."""

    answer: Label | None  # None if the image failed
    confidence: float
    review: bool
    error: str  # sentence, or ""


class ComparedTile(NamedTuple):
    """One image with both answers."""

    name: str
    image: str | None  # `data:` address, or None if the image could not be read again
    width: int  # of the picture, in pixels; its height is 28
    label: Label | None
    a: Answered
    b: Answered


class Kind(NamedTuple):
    """The images that changed in one way."""

    title: str
    total: int
    tiles: list[ComparedTile]


def kinds(compared: Compared) -> dict[str, NDArray[np.intp]]:
    """Return the images that changed in each way, by its title."""
    return {
        "Were wrong, are right": compared.won,
        "Were right, are wrong": compared.lost,
        "Are answered differently, and neither is known to be right": compared.otherwise,
        "Are for review now": compared.to_review,
        "Are not for review any more": compared.from_review,
    }


def pictured(compared: Compared) -> list[int]:
    """Return the images that the page shows, each once."""
    return list(dict.fromkeys(image for found in kinds(compared).values() for image in found[:MAX_PICTURED].tolist()))


def write_comparison(path: Path, compared: Compared, pictures: Mapping[int, NDArray[np.uint8]]) -> None:
    """Write the page. Replace nothing but such a page.

    Args:
        path: File to write. Its folder is created if necessary.
        compared: Both jobs.
        pictures: Pixels of the images of `pictured`, uint8 (28, 28 · n), without those that could not be read again.

    Raises:
        UsageError: There is another file, or the file cannot be written.
    """
    replace_page(path, render(compared, pictures), COMMAND)


def render(compared: Compared, pictures: Mapping[int, NDArray[np.uint8]]) -> str:
    """Return the page as HTML, with the arguments of `write_comparison`."""
    addresses = {image: data_uri(pixels) for image, pixels in pictures.items()}

    def answered(side: str, image: int) -> Answered:
        found = compared.a if side == "a" else compared.b
        row = int(found.rows[image])
        failure = found.results.failures.get(row)
        return Answered(
            found.answer(image),
            float(found.results.confidences[row]),
            bool(found.review[image]),
            failure.sentence if failure else "",
        )

    def tile(image: int) -> ComparedTile:
        return ComparedTile(
            compared.a.results.names[int(compared.a.rows[image])],
            addresses.get(image),
            pictures[image].shape[1] if image in pictures else SIDE,
            compared.labels[image],
            answered("a", image),
            answered("b", image),
        )

    def kind(title: str, images: NDArray[np.intp]) -> Kind:
        return Kind(title, len(images), [tile(image) for image in images[:MAX_PICTURED].tolist()])

    changed: Sequence[Kind] = [kind(title, images) for title, images in kinds(compared).items()]
    pairs = compared.pairs()
    return (
        environment()
        .get_template("comparison/comparison.html.j2")
        .render(
            mark=generated_by(COMMAND),
            c=compared,
            labelled=int(compared.labelled.sum()),
            agreed=int(compared.same.sum()),
            changed=[each for each in changed if each.total],
            pairs=pairs[:MAX_PAIRS],
            more_pairs=max(len(pairs) - MAX_PAIRS, 0),
        )
    )
