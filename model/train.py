"""From data to a model with its card: train, export, judge, write. `python -m model.train --help`.

TensorFlow is imported by the functions that need it: asking for help should not take seconds.
"""

import argparse
import dataclasses
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from model import metrics, mnist, samples
from model.calibration import fit_temperature
from model.card import CURVES, MODEL, WEIGHTS, Card, Data, Epoch, Score, Scores
from model.classifier import Classifier
from model.digits import Dataset, hold_out, sha256
from model.errors import DigitmillError, ModelError
from model.recipe import Recipe

LEAST_AGREEMENT = 0.995
"""On how many images the export must name the same digit as the network it came from."""


def train(
    data: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 1,
    name: str | None = None,
    parent: str | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Card:
    """Train a network, export it, judge both, and write the model into `folder`.

    The card is written last, so a folder with a card is complete.

    Args:
        data: training images, of which `recipe.validation` are held out, and test images, which are only reported.
        recipe: how to train.
        folder: made if need be; gets model.tflite, weights.safetensors, curves.png and card.json.
        seed: of every random number.
        name: first part of the version; by default the time, UTC.
        parent: version of the live model that this one is meant to replace.
        on_epoch: told after each epoch.

    Returns:
        The model's card.

    Raises:
        DataError: there are not enough images.
        ModelError: the export does not agree with the network it came from.
    """
    from model.curves import draw
    from model.export import CALIBRATION_IMAGES, to_int8
    from model.fit import fit
    from model.network import dump_weights, logits

    created = datetime.now(UTC)
    training, validation = hold_out(data.train, recipe.validation)
    network, epochs = fit(training, validation, recipe, seed=seed, on_epoch=on_epoch)
    model, weights = to_int8(network, training.images[:CALIBRATION_IMAGES]), dump_weights(network)
    int8 = Classifier(model)
    temperature = fit_temperature(int8.logits(validation.images), validation.labels)

    predicted = Classifier(model, temperature=temperature).classify(data.test.images)
    reference = logits(network, data.test.images).argmax(axis=1)
    agreement = _score(reference, predicted.digits)
    if agreement.accuracy < LEAST_AGREEMENT:
        raise ModelError(
            f"The int8 export agrees with its network on {agreement.accuracy:.2%} of the test images only, not on "
            f"{LEAST_AGREEMENT:.2%}. Train for more epochs, or on more images."
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(model)
    (folder / WEIGHTS).write_bytes(weights)
    draw(epochs, folder / CURVES)
    card = Card(
        version=f"{name or created.strftime('%Y%m%d-%H%M%S')}-{hashlib.sha256(model).hexdigest()[:8]}",
        created=created.isoformat(timespec="seconds"),
        parent=parent,
        data=Data(data.name, sha256(data.train, data.test), len(training), len(validation), len(data.test)),
        seed=seed,
        recipe=dataclasses.asdict(recipe),
        epochs=epochs,
        validation=Scores(
            _score(validation.labels, logits(network, validation.images).argmax(axis=1)),
            _score(validation.labels, int8.classify(validation.images).digits),
        ),
        test=Scores(_score(data.test.labels, reference), _score(data.test.labels, predicted.digits)),
        agreement=agreement,
        per_class=metrics.per_class(data.test.labels, predicted.digits),
        confusion=metrics.confusion(data.test.labels, predicted.digits).tolist(),
        temperature=temperature,
        calibration_error=metrics.expected_calibration_error(data.test.labels, predicted.digits, predicted.confidences),
        files={each: hashlib.sha256((folder / each).read_bytes()).hexdigest() for each in (MODEL, WEIGHTS, CURVES)},
    )
    card.write(folder)
    return card


def _score(true: metrics.Integers, found: metrics.Integers) -> Score:
    return Score.of(int((true == found).sum()), len(true))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    # Before TensorFlow is imported: it would greet everyone with what its build could do on other machines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        data, recipe = _data(options), _recipe(options)
        print(f"{data.name}: {len(data.train):,} images to train and validate on, {len(data.test):,} to test on")
        card = train(data, recipe, options.out, seed=options.seed, name=options.name, on_epoch=_printer(recipe.epochs))
    except DigitmillError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(f"{card.version} in {options.out}")
    for part, scores in (("validation", card.validation), ("test", card.test)):
        for kind, score in scores._asdict().items():
            print(f"{part} {kind}: {score.accuracy:.2%} of {score.total:,} ({score.low:.2%} to {score.high:.2%})")
    print(f"float and int8 agree on {card.agreement.accuracy:.2%}; temperature {card.temperature:.3f}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m model.train", description="Train a model and write it into a folder.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the model goes")
    parser.add_argument("--data", choices=["mnist", "samples"], default="mnist", help="samples: scikit-learn's digits")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="has MNIST's four IDX files or mnist.npz")
    parser.add_argument("--quick", action="store_true", help="at least 99.0 %% in about a minute")
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--batch-size", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--name", help="first part of the version; by default the time")
    parser.epilog = "Example: python -m model.train --quick --mnist ~/mnist --out /tmp/model"
    return parser


def _data(options: argparse.Namespace) -> Dataset:
    return samples.load() if options.data == "samples" else mnist.load(options.mnist)


def _recipe(options: argparse.Namespace) -> Recipe:
    recipe = Recipe.small() if options.data == "samples" else Recipe.quick() if options.quick else Recipe()
    chosen = {"epochs": options.epochs, "batch_size": options.batch_size}
    return dataclasses.replace(recipe, **{name: value for name, value in chosen.items() if value is not None})


def _printer(epochs: int) -> Callable[[Epoch], None]:
    """Prints one line per epoch."""

    def show(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.number:>{len(str(epochs))}}/{epochs}  loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.2%}  "
            f"validation loss {epoch.validation_loss:.4f}  accuracy {epoch.validation_accuracy:.2%}  "
            f"{epoch.seconds:.1f} s  {(epochs - epoch.number) * epoch.seconds:.0f} s left",
            flush=True,
        )

    return show


if __name__ == "__main__":
    sys.exit(main())
