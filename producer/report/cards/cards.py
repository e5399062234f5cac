"""The cards as data. The scripts of the page draw them, filter them, and write the corrections of a person as a table.

Each column of a page has one value for each of its cards, so that a page of 2,000 cards stays small.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from model.metrics import align
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
    causes = [_causes(results, selection, index) for index in indices]
    counts = Counter(cause for each in causes for cause in each)
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
            for position, index in enumerate(indices)
            if (visible := printable(results.names[index])) != _written(results.names[index])
        },
        "causes": {cause: words for cause, words in CAUSES.items() if cause in counts},
        "counts": counts,
        "cards": {
            "index": list(indices),
            "name": [_written(results.names[index]) for index in indices],
            "label": [_text(results.label(index)) for index in indices],
            "read": [_text(results.answer(index)) for index in indices],
            "confidence": [_confidence(results, index) for index in indices],
            "pairs": [_pairs(results, index) for index in indices],
            "causes": causes,
            "reason": [_reason(results, index) for index in indices],
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


def _causes(results: Results, selection: Selection, index: int) -> list[str]:
    """Return why there is a card for an image, as codes."""
    failure, doubt = results.failures.get(index), results.doubts.get(index)
    if failure:
        return [str(failure.code)]
    found = [MISTAKE] if results.label(index) not in (None, results.answer(index)) else []
    if doubt and selection.doubted[index]:
        found.append(str(doubt.code))
    if selection.min_confidence is not None and results.confidences[index] < selection.min_confidence:
        found.append(UNSURE)
    return found


def _reason(results: Results, index: int) -> str:
    """Return what the image path says about one image, or ""."""
    if index in results.failures:
        return _written(results.failures[index].sentence)
    return _written(results.doubts[index].reason) if index in results.doubts else ""


def _pairs(results: Results, index: int) -> list[str]:
    """Return each true digit beside the digit that was read in its place, such as "72"; "" stands for none."""
    if results.numbers is None:
        return [f"{_text(results.label(index)) or ''}:{_text(results.answer(index)) or ''}"]
    label, read = results.numbers.labels[index], results.numbers.read[index]
    if not label:
        return [f":{digit}" for digit in read]
    aligned = align([label], [read], [results.numbers.confidences[index]])
    pairs = zip(aligned.labels.tolist(), aligned.digits.tolist(), strict=True)
    return [":".join("" if digit < 0 else str(digit) for digit in pair) for pair in pairs]


def _confidence(results: Results, index: int) -> float | None:
    return None if index in results.failures else round(float(results.confidences[index]), 6)


def _text(label: object) -> str | None:
    return None if label is None else str(label)


def _written(text: str) -> str:
    """Return a text as the tables write it: bytes that are not UTF-8 as Python prints them."""
    return text.encode("utf-8", "backslashreplace").decode()
