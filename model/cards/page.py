"""A model's card as a Markdown page, for people who find the model's folder. card.json is the source of its figures."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final

from model.cards.card import CURVES, Card, Epoch, FamilyRobustness, Robustness, Score, Seeded, ThresholdEffect
from model.metrics import BINS
from model.printable import printable

PAGE: Final = "card.md"

_FAMILIES: Final = {"mnist_c": "MNIST-C", "unseen": "Corruptions that no training shows"}
"""Titles of the families of corruptions."""


def write_card(card: Card, folder: Path) -> None:
    """Write the page and then card.json into `folder`. The caller must first write the files that they name.

    Raises:
        ModelError: A figure is not finite, which JSON cannot express.
        OSError: A file cannot be written.
    """
    (folder / PAGE).write_text(page(card), encoding="utf-8")
    card.write(folder)


def page(card: Card) -> str:
    """Return the page, Markdown. It has no sections for fields that an old card lacks."""
    sections = [
        f"# Model `{_line(card.version)}`",
        _overview(card),
        _uses(card),
        "## Accuracy",
        _accuracy(card),
        _seeds(card.seeds),
        "### By digit",
        _per_class(card),
        "### Confusion",
        "Each row is a true digit, each column a predicted digit.\nThe counts are the int8 model's on the test images.",
        _table(["", *range(10)], ([f"**{digit}**", *row] for digit, row in enumerate(card.confusion))),
        "## Confidence",
        _confidence(card),
        *_corrupted_images(card),
        *(_doubts(card.doubts) if card.doubts else ()),
        "## Training",
        _training(card),
        f"![Loss and accuracy by epoch]({CURVES})" if CURVES in card.files else "",
        "## Files",
        _table(["file", "SHA-256"], ((name, f"`{digest}`") for name, digest in card.files.items())),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _overview(card: Card) -> str:
    test = card.test.int8
    size = f"\nIt has {card.size.parameters:,} parameters and takes {card.size.bytes:,} bytes." if card.size else ""
    return (
        f"The model reads {_percent(test.accuracy)} of {test.total:,} test images ({_line(card.data.name)}) correctly "
        f"(Wilson's 95 % interval: {_percent(test.low)} to {_percent(test.high)}).{size}\n"
        "digitmill writes this page from card.json, which holds the exact figures."
    )


def _uses(card: Card) -> str:
    parts = [f"## What it is for\n\n{card.intended_use}"] if card.intended_use else []
    if card.not_for:
        parts.append("## What it must not be used for\n\n" + "\n".join(f"- {each}" for each in card.not_for))
    return "\n\n".join(parts)


def _accuracy(card: Card) -> str:
    """Return the accuracies of the float network and of its int8 export."""
    rows = [
        (f"{part}, {scores.int8.total:,} images", _score(scores.float), _score(scores.int8))
        for part, scores in (("test", card.test), ("validation", card.validation))
    ]
    return (
        _table(["", "float", "int8 (serves)"], rows)
        + f"\n\nBoth name the same digit on {_score(card.agreement)} of the validation images."
        + "\nThe ranges are 95 % intervals."
    )


def _seeds(seeds: Sequence[Seeded]) -> str:
    if len(seeds) < 2:
        return ""
    floats = [each.test.float.accuracy for each in seeds]
    int8s = [each.test.int8.accuracy for each in seeds]
    names = [str(each.seed) for each in seeds] + ["**mean**", "standard deviation"]
    columns = [[_percent(share, 3) for share in (*way, mean(way), stdev(way))] for way in (floats, int8s)]
    return (
        "### By seed\n\nThese trainings differ only in the seed.\nThe figures are accuracies on the test images.\n\n"
        + _table(["seed", "float", "int8"], zip(names, *columns, strict=True))
    )


def _per_class(card: Card) -> str:
    rows = (
        (digit, f"{each.support:,}", *map(_percent, (each.precision, each.recall, each.f1)))
        for digit, each in enumerate(card.per_class)
    )
    return _table(["digit", "test images", "precision", "recall", "F1"], rows)


def _confidence(card: Card) -> str:
    text = (
        f"The temperature {card.temperature:.3f}, fitted on the validation images, calibrates the confidences.\nThe "
        f"expected calibration error on the test images is {_percent(card.calibration_error)}, over {BINS} bins of "
        "equal width."
    )
    if not card.reliability:
        return text
    count = len(card.reliability)
    rows = (
        (f"{number / count:.2f} to {(number + 1) / count:.2f}", each.images, _percent(each.confidence), _percent(right))
        for number, each in enumerate(card.reliability)
        if each.confidence is not None and (right := each.accuracy) is not None
    )
    return text + "\n\n" + _table(["confidence", "test images", "mean confidence", "accuracy"], rows)


def _corrupted_images(card: Card) -> Iterable[str]:
    if card.robustness:
        yield "## Corrupted images"
        yield from _robustness(card.robustness, "corruptions", card.recipe)
    for module, found in card.families.items():
        yield f"### {_FAMILIES.get(module, _line(module))}"
        yield from _robustness(found, module, card.recipe if module != "unseen" else {})


def _robustness(found: Robustness, module: str, recipe: dict[str, Any]) -> Iterable[str]:
    ways = found.network, found.path
    first, second = (next(iter(way.values())).total for way in ways)
    some = f"{second:,} of them" if second < first else "They"
    yield (
        f"The table shows the accuracy on test images under the corruptions of `model/evaluation/{_line(module)}.py`, "
        f"seed {found.seed}, with 95 % intervals.\nThe network read {first:,} images as they are.\n{some} were "
        "also decoded and normalised from files, like a user's images.\nAn image that was refused counts as wrong."
    )
    if recipe.get("degradation", recipe.get("wear")):
        yield "Training degraded its images in similar ways, so these corruptions are not entirely new to the model."
    means = [_percent(mean(score.accuracy for score in way.values())) for way in ways]
    rows = [[name.replace("_", " "), *(_score(way[name]) for way in ways)] for name in found.network]
    head, last = ["corruption", "as they are", "as files"], ["**mean**", *means]
    if isinstance(found, FamilyRobustness):
        wrong = [score.accuracy for score in found.confidently_wrong.values()]
        head, last = [*head, "as files, misread at 0.8 or more"], [*last, _percent(mean(wrong))]
        rows = [[*row, _percent(share)] for row, share in zip(rows, wrong, strict=True)]
    yield _table(head, [*rows, last])


def _doubts(doubts: Sequence[ThresholdEffect]) -> Iterable[str]:
    yield "## Images without a digit"
    yield (
        "Suppose that people check each image whose confidence is below a threshold.\nThe table shows how many of "
        f"{doubts[0].passed.total:,} images without a digit pass unchecked (letters, signs, scribbles and so on, drawn "
        "by the rules of `model/augmentation/outliers.py`), and how many test images people must check.\nTraining may "
        "use images that follow the same rules.\n`benchmarks/not_a_digit.py` measures with other images."
    )
    rows = [
        (
            f"{each.threshold:g}",
            _percent(each.passed.accuracy),
            _percent(each.doubted.accuracy) if each.doubted else "",
            f"{each.caught.correct:,} of {each.caught.total:,}" if each.caught else "",
        )
        for each in doubts
    ]
    yield _table(["threshold", "no digit, unchecked", "read correctly, checked", "misread, checked"], rows)


def _training(card: Card) -> str:
    data = card.data
    facts: list[tuple[str, object]] = [
        ("created", card.created),
        ("parent", f"`{card.parent}`" if card.parent else "none"),
        *([("refined from", f"`{_line(card.start or card.parent)}`")] if card.refined else []),
        ("data", f"{data.name}: {data.train:,} to train, {data.validation:,} to validate, {data.test:,} to test"),
        ("SHA-256 of the data", f"`{data.sha256}`"),
        ("seed", card.seed),
        ("time", _time(card)),
        *([("order of computing", f"`{_line(card.graph)}`")] if card.graph else []),
        *_augmentation(card.epochs),
        *_flat(card.recipe),
    ]
    return _table(["", ""], facts)


def _time(card: Card) -> str:
    if card.training_seconds is not None:
        return f"{card.training_seconds / 60:.1f} minutes"
    own = f"{sum(epoch.seconds for epoch in card.epochs) / 60:.1f} minutes"
    return f"{own}, plus the time for its teacher networks" if card.recipe.get("teachers") else own


def _augmentation(epochs: Sequence[Epoch]) -> Iterable[tuple[str, object]]:
    """Yield the row for the share of a processor's time that augmentation took, if all epochs have measured it.

    If the share is nearly 100 %, the network may have waited for images.
    """
    making = [epoch.augmentation for epoch in epochs if epoch.augmentation is not None]
    seconds = sum(epoch.seconds for epoch in epochs)
    if seconds and len(making) == len(epochs):
        yield "augmentation", f"{_percent(sum(making) / seconds, 0)} of the time of one processor"


def _flat(recipe: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    """Yield the recipe in the form that `python -m model.training --set` takes."""
    for name, value in recipe.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"`{prefix}{name}`", f"{value:.4g}" if isinstance(value, float) else value


def _score(score: Score) -> str:
    return f"{_percent(score.accuracy)} ({_percent(score.low)} to {_percent(score.high)})"


def _percent(share: float, decimals: int = 2) -> str:
    return f"{100 * share:.{decimals}f} %"


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table. Each cell is escaped, so that its content cannot break the table."""
    head = list(head)
    lines: list[Iterable[object]] = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(content: object) -> str:
    return _line(content).replace("\\", "\\\\").replace("|", "\\|")


def _line(content: object) -> str:
    """Return a text on one line, without characters that control a terminal and without HTML."""
    return printable(" ".join(str(content).split())).replace("<", "\\<")
