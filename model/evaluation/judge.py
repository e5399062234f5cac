"""Judge a network and its export, for the figures of a model's card. `python -m model.evaluation --help`.

The command judges a model that was trained earlier. It checks that the model performs here as its card says, brings an
older card up to date, and adds the accuracies of models that were trained with other seeds. The model and its name stay
the same, so a registry that holds the model keeps its first card.

With `--export`, the command first exports the network again, as this version of digitmill exports it. That makes
another model with the same weights, whose name ends in the first digits of the new SHA-256.
"""
# ruff: noqa: T201 - a command line prints

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import metrics
from model.augmentation import outliers
from model.cards.card import (
    CARD,
    MODEL,
    WEIGHTS,
    Bin,
    Card,
    Robustness,
    Score,
    Scores,
    Seeded,
    Size,
    ThresholdEffect,
    read_file,
    read_model,
)
from model.cards.intended_use import INTENDED_USE, NOT_FOR
from model.cards.page import PAGE, write_card
from model.data import mnist, sample_digits
from model.data.digits import Dataset, Digits, hold_out, sha256
from model.errors import DataError, DigitmillError, ModelError, UsageError
from model.evaluation.corruptions import CORRUPTIONS
from model.evaluation.mnist_c import MNIST_C
from model.evaluation.robustness import as_files, directly, evenly, robustness, whole_robustness
from model.evaluation.unseen import UNSEEN
from model.inference.calibration import fit_temperature, softmax
from model.inference.classifier import Classifier, require_litert
from model.inference.predictions import Predictions
from model.network.saving import writing
from model.network.tensorflow_import import import_tensorflow
from model.printable import printable
from model.wording import percent

MIN_AGREEMENT = 0.995
"""Minimum share of the validation images on which the export and its network must name the same digit."""

MAX_FILES = 2000
"""Maximum number of test images that are corrupted and read as files. All 15 kinds take half a minute on one core."""

FAMILY_STEP = 20
"""One in so many test images is read for `Card.families`: of MNIST's 500, whose 27 kinds take about 15 s.

`benchmarks/mnist_c.py` reads more of them."""

CORRUPTION_SEED = 0
"""Seed of the corruptions, for the card."""

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Thresholds of confidence for `Card.doubts`."""

DRAWN = 2000
"""Number of drawn images without a digit for `Card.doubts`."""


def judge(network: Any, model: bytes, validation: Digits, test: Digits) -> dict[str, Any]:
    """Measure a network and its export.

    Args:
        network: Trained network, as `model.network.network.build` makes it.
        model: Content of its model.tflite.
        validation: Images on which the temperature is fitted, and on which network and export must agree.
        test: Images for the reported figures.

    Returns:
        Fields of a `Card`: figures, intended use, and what the model is not for.

    Raises:
        ModelError: Network and export do not agree. A few images may differ by chance, so the upper end of the interval
            decides.
        UsageError: LiteRT is not installed.
    """
    from model.network.network import logits

    outputs = Classifier(model).logits(validation.images)
    reference, exported = logits(network, validation.images).argmax(axis=1), outputs.argmax(axis=1)
    agreement = Score.between(reference, exported)
    if agreement.high < MIN_AGREEMENT:
        raise ModelError(
            f"The int8 export agrees with its network on only {percent(agreement.accuracy, 2)} of the validation "
            f"images; {percent(MIN_AGREEMENT, 2)} are required. Train for more epochs, or on more images."
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
            robustness(directly(classifier), test, CORRUPTIONS, seed=CORRUPTION_SEED),
            robustness(as_files(classifier), evenly(test, MAX_FILES), CORRUPTIONS, seed=CORRUPTION_SEED),
        ),
        "families": {
            name: whole_robustness(classifier, test[::FAMILY_STEP], kinds, seed=CORRUPTION_SEED)
            for name, kinds in (("mnist_c", MNIST_C), ("unseen", UNSEEN))
        },
        "doubts": _doubts(tested, test, classifier),
        "mean_confidences": _mean_confidences(softmax(outputs, temperature), validation.labels),
        "size": Size(network.count_params(), len(model)),
        "intended_use": INTENDED_USE,
        "not_for": list(NOT_FOR),
    }


def _mean_confidences(probabilities: NDArray[np.float32], labels: metrics.Integers) -> list[float]:
    own = probabilities[np.arange(len(labels)), labels]
    # Without any image of a digit, nothing is known to be typical of it, so no image is.
    return [float(own[labels == digit].mean()) if (labels == digit).any() else 1.0 for digit in range(10)]


def _bins(tested: Predictions, test: Digits) -> list[Bin]:
    columns = metrics.reliability(test.labels, tested.digits, tested.confidences)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Bin(images, accuracy, confidence) if images else Bin(0, None, None) for images, accuracy, confidence in rows
    ]


def _doubts(tested: Predictions, test: Digits, classifier: Classifier) -> list[ThresholdEffect]:
    """Measure what each threshold of confidence does.

    The images without a digit follow the rules that training uses, with other random numbers. So this measure is not
    independent. `benchmarks/not_a_digit.py` gives an independent one.
    """
    drawn = outliers.draw(DRAWN, np.random.default_rng(list(b"judge")), test)
    passing = classifier.classify(drawn).confidences
    right = tested.digits == test.labels
    return [
        ThresholdEffect(
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
    """Judge a model again on the data that it was trained and tested on, and rewrite its card.

    Args:
        folder: Folder of the model.
        data: The same images as in its training.
        others: Folders of models that were trained on the same data with the same recipe and other seeds. Their test
            accuracies go on the card. Without others, the card keeps the accuracies that it has.

    Returns:
        The new card.

    Raises:
        DataError: The data are not those of the training.
        ModelError: Files are missing or altered, or network and export do not agree.
        UsageError: One of the others has other data, another recipe or the same seed; TensorFlow, safetensors or LiteRT
            is not installed; or the card cannot be written.
    """
    require_litert()
    card, model = read_model(folder)
    _, validation = _split(card, data)
    read_file(folder, card, WEIGHTS)
    seeds = _seeds(card, [Card.read(other) for other in others])
    import_tensorflow()
    from model.network.network import load_weights

    card = replace(card, **judge(load_weights(folder / WEIGHTS), model, validation, data.test))
    if seeds:
        card = replace(card, seeds=sorted([*seeds, Seeded(card.seed, card.test)], key=lambda each: each.seed))
    with writing(folder):
        write_card(card, folder)
    return card


def export_again(folder: Path, data: Dataset, target: Path) -> Card:
    """Export the network of a model again into another folder, judge it, and write its card.

    Args:
        folder: Folder of the model.
        data: The same images as in its training; those that calibrate the export are the same, too.
        target: Folder for the new model. It is created if necessary.

    Returns:
        The new card.

    Raises:
        DataError: The data are not those of the training.
        ModelError: Files are missing or altered, or network and export do not agree.
        UsageError: TensorFlow, safetensors or LiteRT is not installed; or `target` cannot be written.
    """
    require_litert()
    card = Card.read(folder)
    training, validation = _split(card, data)
    contents = {name: read_file(folder, card, name) for name in card.files}
    import_tensorflow()
    from model.network.export import CALIBRATION_IMAGES, GRAPH, to_int8
    from model.network.network import load_weights

    network = load_weights(folder / WEIGHTS)
    contents[MODEL] = model = to_int8(network, training.images[:CALIBRATION_IMAGES])
    digest = hashlib.sha256(model).hexdigest()
    card = replace(
        card,
        version=f"{card.version.rpartition('-')[0]}-{digest[:8]}",
        files={**card.files, MODEL: digest},
        graph=GRAPH,
        **judge(network, model, validation, data.test),
    )
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (target / name).write_bytes(content)
        write_card(card, target)
    return card


def _split(card: Card, data: Dataset) -> tuple[Digits, Digits]:
    """Return the images on which a model was trained, and those that were held out.

    Raises:
        DataError: The data are not those of the training.
    """
    if sha256(data.train, data.test) != card.data.sha256:
        raise DataError(f"{card.version} was trained and tested on other images than these. Name the same data.")
    return hold_out(data.train, card.recipe["validation"])


def _seeds(card: Card, others: Sequence[Card]) -> list[Seeded]:
    """Return the figures of the other seeds: from the other cards or, without any, from the card itself.

    Raises:
        UsageError: One of the others has other data, another recipe or the same seed.
    """
    for other in others:
        if (other.data, other.recipe) != (card.data, card.recipe):
            raise UsageError(
                f"{other.version} was trained on other data or with another recipe than {card.version}. Name models "
                "that differ only in the seed."
            )
    numbers = [each.seed for each in (card, *others)]
    if len(set(numbers)) < len(numbers):
        raise UsageError(
            f"The seeds of these models are not all different: {', '.join(map(str, numbers))}. Name one model per seed."
        )
    return [Seeded(each.seed, each.test) for each in others] or [each for each in card.seeds if each.seed != card.seed]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: Arguments of the command. By default those of the process.
    """
    parser = argparse.ArgumentParser(
        "python -m model.evaluation",
        description="Judge a trained model again, and rewrite its card.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the model")
    parser.add_argument(
        "--mnist", type=Path, metavar="FOLDER", help="folder that holds MNIST's four IDX files or mnist.npz"
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--seeds",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of models that differ only in the seed; their accuracies go on the card",
    )
    either.add_argument(
        "--export", type=Path, metavar="FOLDER", help="export the network again into this folder, and judge that model"
    )
    parser.epilog = "Example: python -m model.evaluation /tmp/model --mnist ~/mnist"
    options = parser.parse_args(arguments)
    try:
        before = Card.read(options.folder)
        data = sample_digits.load() if before.data.name == "samples" else mnist.load(options.mnist)
        target = options.export or options.folder
        if options.export:
            card = export_again(options.folder, data, target)
        else:
            card = judge_again(target, data, options.seeds)
    except DigitmillError as error:
        print(f"Error: {printable(str(error))}", file=sys.stderr)
        return 1
    for kind in ("float", "int8"):
        old, new = getattr(before.test, kind), getattr(card.test, kind)
        print(
            f"{printable(card.version)} {kind}: {percent(new.accuracy, 2)} of {new.total:,} test images; "
            f"its card said {percent(old.accuracy, 2)}"
        )
    print(f"Wrote {target / CARD} and {target / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
