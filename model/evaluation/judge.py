"""How good a network and its export are: the figures of a model's card. `python -m model.evaluation.judge --help`.

The command judges a model that was trained before: to check that it does here what its card says, to bring an older
card up to date, and to note how models trained from other seeds came out. The model stays the same and keeps its name,
so a registry that has it goes on telling its first card.
"""
# ruff: noqa: T201 - a command line prints

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model import metrics
from model.augmentation import outliers
from model.cards.card import (
    CARD,
    WEIGHTS,
    Bin,
    Card,
    Doubt,
    Robustness,
    Score,
    Scores,
    Seeded,
    Size,
    read_file,
    read_model,
)
from model.cards.intended_use import INTENDED_USE, NOT_FOR
from model.cards.page import PAGE, write_card
from model.data import mnist, sample_digits
from model.data.digits import Dataset, Digits, hold_out, sha256
from model.errors import DataError, DigitmillError, ModelError, UsageError
from model.evaluation.robustness import as_files, directly, evenly, robustness
from model.inference.calibration import fit_temperature
from model.inference.classifier import Classifier, Predictions
from model.network.saving import writing
from model.network.tensorflow_import import import_tensorflow

MIN_AGREEMENT = 0.995
"""On which share of the validation images the export must name the same digit as the network it came from."""

MAX_FILES = 2000
"""Test images whose corruptions go the way of users' files: 15 kinds of them take about 12 s of one processor."""

CORRUPTION_SEED = 0

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Of confidence, for `Card.doubts`."""

DRAWN = 2000
"""Images of no digit, for the same."""


def judge(network: Any, model: bytes, validation: Digits, test: Digits) -> dict[str, Any]:
    """What the card says of how good the network and its export are, and of what they are good for.

    Args:
        network: as `model.network.network.build` gives it, trained.
        model: content of its model.tflite.
        validation: what the temperature is fitted on, and where network and export must agree.
        test: what is reported.

    Returns:
        Fields of a `Card`.

    Raises:
        ModelError: they do not agree. On few images one may differ by chance, so the upper end of the interval decides.
    """
    from model.network.network import logits

    outputs = Classifier(model).logits(validation.images)
    reference, exported = logits(network, validation.images).argmax(axis=1), outputs.argmax(axis=1)
    agreement = Score.between(reference, exported)
    if agreement.high < MIN_AGREEMENT:
        raise ModelError(
            f"The int8 export agrees with its network on only {agreement.accuracy:.2%} of the validation images, not "
            f"on {MIN_AGREEMENT:.2%}. Train for more epochs, or on more images."
        )
    temperature = fit_temperature(outputs, validation.labels)
    classifier = Classifier(model, temperature=temperature)
    tested = classifier.classify(test.images)
    return {
        "validation": Scores(Score.between(validation.labels, reference), Score.between(validation.labels, exported)),
        "test": Scores(
            Score.between(test.labels, logits(network, test.images).argmax(axis=1)),
            Score.between(test.labels, tested.digits),
        ),
        "agreement": agreement,
        "per_class": metrics.per_class(test.labels, tested.digits),
        "confusion": metrics.confusion(test.labels, tested.digits).tolist(),
        "temperature": temperature,
        "calibration_error": metrics.expected_calibration_error(test.labels, tested.digits, tested.confidences),
        "reliability": _bins(tested, test),
        "robustness": Robustness(
            CORRUPTION_SEED,
            robustness(directly(classifier), test, seed=CORRUPTION_SEED),
            robustness(as_files(classifier), evenly(test, MAX_FILES), seed=CORRUPTION_SEED),
        ),
        "doubts": _doubts(tested, test, classifier),
        "size": Size(network.count_params(), len(model)),
        "intended_use": INTENDED_USE,
        "not_for": list(NOT_FOR),
    }


def _bins(tested: Predictions, test: Digits) -> list[Bin]:
    columns = metrics.reliability(test.labels, tested.digits, tested.confidences)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Bin(images, accuracy, confidence) if images else Bin(0, None, None) for images, accuracy, confidence in rows
    ]


def _doubts(tested: Predictions, test: Digits, classifier: Classifier) -> list[Doubt]:
    """Drawn by the rules that training draws by, but from random numbers of their own: no independent measure.

    That is benchmarks/not_a_digit.py.
    """
    drawn = outliers.draw(DRAWN, np.random.default_rng(list(b"judge")), test.images)
    passing = classifier.classify(drawn).confidences
    right = tested.digits == test.labels
    return [
        Doubt(
            threshold,
            Score.of(int((passing >= threshold).sum()), DRAWN),
            _below(tested.confidences[right], threshold),
            _below(tested.confidences[~right], threshold),
        )
        for threshold in THRESHOLDS
    ]


def _below(confidences: metrics.Floats, threshold: float) -> Score | None:
    return Score.of(int((confidences < threshold).sum()), len(confidences)) if len(confidences) else None


def judge_again(folder: Path, data: Dataset, others: Sequence[Path] = ()) -> Card:
    """Judge the model in `folder` on the data that it was trained and judged on, and write its card anew.

    Args:
        folder: of the model.
        data: the same images as when it was trained.
        others: folders of models that were trained on the same data by the same recipe from other seeds; their test
            accuracy goes on the card. Without any, what stands there stays.

    Returns:
        The new card.

    Raises:
        DataError: these are other data.
        ModelError: files are missing or altered, or network and export do not agree.
        UsageError: one of the others was trained in another way, or TensorFlow is not installed.
    """
    card, model = read_model(folder)
    if sha256(data.train, data.test) != card.data.sha256:
        raise DataError(f"{card.version} was trained and judged on other images than these. Name the same data.")
    read_file(folder, card, WEIGHTS)
    seeds = _seeds(card, [Card.read(other) for other in others])
    _, validation = hold_out(data.train, card.recipe["validation"])
    import_tensorflow()
    from model.network.network import load_weights

    card = replace(card, **judge(load_weights(folder / WEIGHTS), model, validation, data.test))
    if seeds:
        card = replace(card, seeds=sorted([*seeds, Seeded(card.seed, card.test)]))
    with writing(folder):
        write_card(card, folder)
    return card


def _seeds(card: Card, others: Sequence[Card]) -> list[Seeded]:
    """The other seeds: of these cards, or without any those that stand on the card already."""
    for other in others:
        if (other.data, other.recipe) != (card.data, card.recipe):
            raise UsageError(
                f"{other.version} was trained on other data or by another recipe than {card.version}. Name models that "
                "differ in the seed alone."
            )
    numbers = [each.seed for each in (card, *others)]
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"The seeds of these models are not all different: {', '.join(map(str, numbers))}.")
    return [Seeded(each.seed, each.test) for each in others] or [each for each in card.seeds if each.seed != card.seed]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        "python -m model.evaluation.judge",
        description="Judge a model that was trained before, and write its card anew.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the model")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="has MNIST's four IDX files or mnist.npz")
    parser.add_argument(
        "--seeds", type=Path, nargs="+", default=[], metavar="FOLDER", help="models that differ in the seed alone"
    )
    parser.epilog = "Example: python -m model.evaluation.judge /tmp/model --mnist ~/mnist"
    options = parser.parse_args(arguments)
    try:
        before = Card.read(options.folder)
        data = sample_digits.load() if before.data.name == "samples" else mnist.load(options.mnist)
        card = judge_again(options.folder, data, options.seeds)
    except DigitmillError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for kind, old, new in zip(Scores._fields, before.test, card.test, strict=True):
        print(
            f"{card.version} {kind}: {new.accuracy:.2%} of {new.total:,} test images; its card said {old.accuracy:.2%}"
        )
    print(f"Written: {options.folder / CARD} and {options.folder / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
