"""The cards as data. The scripts of the page draw them, filter them, and write the corrections of a person as a table.

Each column of a page has one value for each of its cards, so that a page of 2,000 cards stays small.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.metrics import CLASSES, align
from model.printable import printable
from producer.jobs.results import Results
from producer.pictures import Picture
from producer.report.rendering import data_uri
from producer.report.selection import Selection
from producer.report.wording import CAUSES, percent

PER_PAGE: Final = 2000
"""Maximum number of cards on one page."""

MISTAKE, UNSURE = "mistake", "confidence"
"""Causes for a card, beside the codes of doubts and `several_digits`."""

_SHARES = 4  # decimals of the probabilities
_CONFIDENCE_DECIMALS = 6
_DIGITS: Final = [*map(str, range(CLASSES)), None]
"""The texts of digits. `NONE` is the last."""


def pages_of(selection: Selection) -> list[list[int]]:
    """Return the indices of the images on each page. There is always a first page."""
    cards = selection.cards
    return [cards[start : start + PER_PAGE] for start in range(0, max(1, len(cards)), PER_PAGE)]


def card_data(
    job: str,
    results: Results,
    selection: Selection,
    pictures: Mapping[int, Picture],
    indices: Sequence[int],
    *,
    root: str,
    page: int,
    late: int,
) -> dict[str, Any]:
    """Return the data of one page, as JSON values.

    Args:
        job: Identifier of the job.
        results: All images of the job.
        selection: Images that people should look at.
        pictures: Pictures by index.
        indices: Images of this page.
        root: Text before an image's name that makes it a path, or "".
        page: Number of the page, from 1.
        late: Number of pictures that were not read in time.
    """
    shown = [pictures.get(index) for index in indices]
    part = results.some(indices)
    names = [_written(name) for name in part.names]
    labels, read = _texts(part)
    causes = _causes(part, selection.doubted[indices], selection.min_confidence)
    counts = Counter(chain.from_iterable(causes))
    return {
        "job": job,
        "images": len(results),
        "page": page,
        "root": _written(root),
        "teachable": results.numbers is None,
        "below": None if selection.min_confidence is None else percent(selection.min_confidence, 0),
        "late": late,
        "visible": {
            position: visible
            for position, (name, written) in enumerate(zip(part.names, names, strict=True))
            if (visible := printable(name)) != written
        },
        "causes": {cause: words for cause, words in CAUSES.items() if cause in counts},
        "counts": counts,
        "cards": {
            "index": list(indices),
            "name": names,
            "label": labels,
            "read": read,
            "confidence": _confidences(part),
            "pairs": _pairs(part, labels, read),
            "causes": causes,
            "reason": _reasons(part),
            "probabilities": [
                [round(share, _SHARES) for share in picture.probabilities]
                if picture and picture.probabilities
                else None
                for picture in shown
            ],
            "seen": [data_uri(picture.seen) if picture else None for picture in shown],
            "original": [
                "data:image/webp;base64," + b64encode(picture.original).decode("ascii")
                if picture and picture.original
                else None
                for picture in shown
            ],
        },
    }


# One image at a time, these would take most of the time of the report of a large job.


def _texts(part: Results) -> tuple[list[str | None], list[str | None]]:
    """Return what each image shows, and what was read; None stands for nothing."""
    if part.numbers is None:
        return [_DIGITS[digit] for digit in part.labels.tolist()], [_DIGITS[digit] for digit in part.digits.tolist()]
    return [label or None for label in part.numbers.labels.tolist()], [
        read or None for read in part.numbers.read.tolist()
    ]


def _causes(part: Results, doubted: NDArray[np.bool_], min_confidence: float | None) -> list[list[str]]:
    """Return why there is a card for each image, as codes.

    Args:
        part: The images.
        doubted: Whether each is for review, bool (n,).
        min_confidence: Confidence below which an image is listed for review, or None.
    """
    wrong = part.labelled & ~part.right
    unsure = np.zeros(len(part), np.bool_) if min_confidence is None else part.confidences < min_confidence
    kinds: list[list[str]] = [[], [UNSURE], [MISTAKE], [MISTAKE, UNSURE]]
    causes = [kinds[kind] for kind in (2 * wrong + unsure).tolist()]
    for row, doubt in part.doubts.items():
        if doubted[row]:
            causes[row] = [*([MISTAKE] if wrong[row] else []), str(doubt.code), *([UNSURE] if unsure[row] else [])]
    return [[str(part.failures[row].code)] if row in part.failures else each for row, each in enumerate(causes)]


def _confidences(part: Results) -> list[float | None]:
    shares = part.confidences.astype(np.float64).round(_CONFIDENCE_DECIMALS).tolist()
    return [None if row in part.failures else share for row, share in enumerate(shares)]


def _pairs(part: Results, labels: Sequence[str | None], read: Sequence[str | None]) -> list[list[str]]:
    """Return each true digit beside the digit that was read in its place, such as "7:2"; "" stands for none."""
    pairs = [[f"{label or ''}:{digit or ''}"] for label, digit in zip(labels, read, strict=True)]
    if part.numbers is None:
        return pairs
    return [
        _aligned(label, number, shares)
        for label, number, shares in zip(
            part.numbers.labels.tolist(), part.numbers.read.tolist(), part.numbers.confidences, strict=True
        )
    ]


def _aligned(label: str, read: str, confidences: list[float]) -> list[str]:
    if not label:
        return [f":{digit}" for digit in read]
    aligned = align([label], [read], [confidences])
    pairs = zip(aligned.labels.tolist(), aligned.digits.tolist(), strict=True)
    return [":".join("" if digit < 0 else str(digit) for digit in pair) for pair in pairs]


def _reasons(part: Results) -> list[str]:
    """Return what the image path says about each image, or ""."""
    reasons = [""] * len(part)
    for row, doubt in part.doubts.items():
        reasons[row] = _written(doubt.reason)
    for row, failure in part.failures.items():
        reasons[row] = _written(failure.sentence)
    return reasons


def _written(text: str) -> str:
    """Return a text as the tables write it: bytes that are not UTF-8 as Python prints them."""
    return text.encode("utf-8", "backslashreplace").decode()
