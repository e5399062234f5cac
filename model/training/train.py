"""Make a model from data: train, export, judge, and write it with its card. `python -m model.training --help`.

The functions that need TensorFlow import it themselves, because `--help` should not take seconds.
"""
# ruff: noqa: T201 - a command line prints

import argparse
import dataclasses
import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.cards.card import CARD, CURVES, MODEL, WEIGHTS, Card, Data, read_file
from model.cards.page import PAGE, write_card
from model.data import mnist, sample_digits
from model.data.digits import Dataset, hold_out, sha256
from model.errors import DigitmillError, ModelError, UsageError
from model.evaluation.judge import judge
from model.inference.classifier import require_litert
from model.network.saving import writing
from model.network.tensorflow_import import import_tensorflow
from model.printable import printable
from model.training.recipe import Recipe
from model.wording import percent

if TYPE_CHECKING:
    import keras

    from model.training.fit import EpochReport


CHECKPOINTS = "training"
"""Folder, beside the model's files, that keeps the state of a running training."""

_NUMBERS: dict[Any, Callable[[str], float]] = {int: int, float: float}
"""The parsers of the recipe's numbers, by their declared types."""


def train(
    data: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 1,
    name: str | None = None,
    parent: str | None = None,
    start: "tuple[str, keras.Model] | None" = None,
    taught: int = 0,
    on_epoch: "Callable[[EpochReport], None]" = lambda _: None,
    on_time_left: "Callable[[float], None]" = lambda _: None,
) -> Card:
    """Train a network, export it, judge both, and write the model into `folder`.

    The card is written last, so a folder with a card is complete. A stopped training leaves its state in `folder`, and
    the same call resumes it.

    Args:
        data: Training images, of which the share `recipe.validation` is held out, and test images for reported figures.
        recipe: Recipe of the training.
        folder: Folder for model.tflite, weights.safetensors, curves.png, card.md and card.json. It is created if
            necessary.
        seed: Seed of all random numbers.
        name: First part of the version. By default the time, UTC.
        parent: Version of the live model that the new model should replace.
        start: Version and network that the recipe refines, if it does.
        taught: Number of images at the end of the training images that users taught. None of them may be held out.
        on_epoch: Progress callback, called after each epoch of each network. An exception that it raises ends the
            training.
        on_time_left: Progress callback, called after each step with the estimated seconds until the card is there.

    Returns:
        The model's card.

    Raises:
        DataError: There are too few images.
        ModelError: The export does not agree with its network, or the training diverged.
        UsageError: `folder` cannot be written; TensorFlow, safetensors, Matplotlib or LiteRT is not installed; `start`
            is given although the recipe does not refine, or is missing although it does; or drawn digits and outliers
            would fill each batch.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)  # now, because a failure after the training would lose minutes
    except OSError as error:
        raise UsageError(f"Cannot make the folder {folder}: {error.strerror}. Name another.") from error
    require_litert()
    from model.training.curves import draw

    import_tensorflow()
    from model.network.export import CALIBRATION_IMAGES, GRAPH, to_int8
    from model.network.network import dump_weights
    from model.training.fit import fit

    created = datetime.now(UTC)
    training, validation = hold_out(data.train, recipe.validation)
    checkpoints = folder / CHECKPOINTS
    seconds = []

    def report(progress: "EpochReport") -> None:
        seconds.append(progress.epoch.seconds)
        on_epoch(progress)

    network, epochs = fit(
        training,
        validation,
        recipe,
        seed=seed,
        on_epoch=report,
        on_time_left=on_time_left,
        judged=len(data.test),
        start=start[1] if start else None,
        taught=taught,
        checkpoints=checkpoints,
    )
    is_complete = len(seconds) == recipe.teachers * recipe.teacher_epochs + recipe.epochs + recipe.variant_epochs
    model = to_int8(network, training.images[:CALIBRATION_IMAGES])
    files = {MODEL: model, WEIGHTS: dump_weights(network), CURVES: draw(epochs)}
    hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    card = Card(
        version=f"{name or created.strftime('%Y%m%d-%H%M%S')}-{hashes[MODEL][:8]}",
        created=created.isoformat(timespec="seconds"),
        parent=parent,
        data=Data(data.name, sha256(data.train, data.test), len(training), len(validation), len(data.test)),
        seed=seed,
        recipe=dataclasses.asdict(recipe),
        epochs=epochs,
        files=hashes,
        graph=GRAPH,
        start=start[0] if start else "",
        training_seconds=sum(seconds) if is_complete else None,
        **judge(network, model, validation, data.test),
    )
    with writing(folder):
        for file, content in files.items():
            (folder / file).write_bytes(content)
        write_card(card, folder)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return card


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: Arguments of the command. By default those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        _check_place(options.out)
        recipe, data = _recipe(options), _data(options)
        print(f"{data.name}: {len(data.train):,} images to train and validate on, {len(data.test):,} to test on")
        card = train(data, recipe, options.out, seed=options.seed, name=options.name, on_epoch=_show)
    except DigitmillError as error:
        print(f"Error: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The same command resumes after the last complete epoch.", file=sys.stderr)
        return 130  # 128 + SIGINT, as in shells
    print(f"{card.version} in {options.out}")
    for part, scores in (("validation", card.validation), ("test", card.test)):
        for kind, score in (("float", scores.float), ("int8", scores.int8)):
            interval = f"{percent(score.low, 2)} to {percent(score.high, 2)}"
            print(f"{part} {kind}: {percent(score.accuracy, 2)} of {score.total:,} ({interval})")
    agreement = percent(card.agreement.accuracy, 2)
    print(f"float and int8 agree on {agreement} of validation; temperature {card.temperature:.3f}")
    return 0


def _check_place(folder: Path) -> None:
    """Check that a model in this folder replaces nothing but an earlier model or the state of a stopped training.

    Raises:
        UsageError: The folder has a file that no training wrote, or one that was changed since.
    """
    try:
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
        card = Card.read(folder) if CARD in names else None
        states = [path.suffix for path in (folder / CHECKPOINTS).iterdir()] if CHECKPOINTS in names else []
    except (OSError, ModelError) as fault:
        raise UsageError(f"{folder} cannot hold a model: {fault} Name an empty or a new folder.") from fault
    stopped = bool(states) and set(states) <= {".safetensors", ".part"}
    known = {CHECKPOINTS} if stopped else set()
    if card:
        known |= {CARD, PAGE, *(name for name in card.files if name in names and _is_of(card, folder, name))}
    elif stopped:
        known |= {MODEL, WEIGHTS, CURVES, PAGE}
    if foreign := sorted(name for name in names if name not in known and not name.startswith(".")):
        raise UsageError(
            f"{folder} has {foreign[0]!r}, which no training wrote there or which was changed since. Name an empty or "
            "a new folder."
        )


def _is_of(card: Card, folder: Path, name: str) -> bool:
    """Return whether a file is the one that the card vouches for."""
    try:
        read_file(folder, card, name)
    except ModelError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m model.training", description="Train a model and write it into a folder."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the model")
    parser.add_argument(
        "--data",
        choices=["mnist", "samples"],
        default="mnist",
        help="data set; samples: the 1,797 digits of scikit-learn, which ship with digitmill (default: mnist)",
    )
    parser.add_argument(
        "--mnist", type=Path, metavar="FOLDER", help="folder that holds MNIST's four IDX files or mnist.npz"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="use a shorter recipe for mnist: at least 99.0 %% in a few minutes; samples have a short recipe anyway",
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help="use a longer recipe for mnist, with two teacher networks: an estimated three hours on two cores",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="number of epochs, before those with variants (default: the recipe's)"
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="images per step (default: the recipe's)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a number of the recipe, such as augmentation.elastic=1; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of all random numbers (default: 1)")
    parser.add_argument("--name", help="first part of the version (default: the time)")
    parser.epilog = "Example: python -m model.training --quick --mnist ~/mnist --out /tmp/model"
    return parser


def _data(options: argparse.Namespace) -> Dataset:
    return sample_digits.load() if options.data == "samples" else mnist.load(options.mnist)


def _recipe(options: argparse.Namespace) -> Recipe:
    if options.quick and options.long:
        raise UsageError("--quick and --long choose different recipes. Leave one of them out.")
    for way in ("quick", "long"):
        if getattr(options, way) and options.data == "samples":
            raise UsageError(
                f"--{way} chooses a recipe for MNIST, and the samples have a short one. Leave --{way} out."
            )
    if options.data == "samples":
        recipe = Recipe.small()
    else:
        recipe = Recipe.quick() if options.quick else Recipe.long() if options.long else Recipe()
    chosen = {"epochs": options.epochs, "batch_size": options.batch_size}
    settings = [f"{name}={value}" for name, value in chosen.items() if value is not None]
    for setting in settings + options.set:
        path, _, value = setting.partition("=")
        try:
            recipe = _changed(recipe, path.split("."), value)
        except (LookupError, TypeError, ValueError) as error:
            known = ", ".join(each.name for each in dataclasses.fields(recipe))
            raise UsageError(f"The recipe cannot take {setting}. Give NAME=NUMBER; the names are {known}.") from error
    return recipe


def _changed(recipe: Any, path: list[str], value: str) -> Any:
    """Return a copy of the recipe, or of a part of it, with one number replaced.

    Args:
        recipe: Recipe or part of a recipe.
        path: Names that lead to the number, from the outermost part to the innermost.
        value: New number, as text.

    Raises:
        KeyError: There is no such name, or it does not stand for a number.
        TypeError: The path goes on beyond a number.
        ValueError: The value is not such a number.
        UsageError: The number is out of its range.
    """
    name, *rest = path
    kind = {each.name: each.type for each in dataclasses.fields(recipe)}[name]
    new = _changed(getattr(recipe, name), rest, value) if rest else _NUMBERS[kind](value)
    return dataclasses.replace(recipe, **{name: new})


def _show(progress: "EpochReport") -> None:
    """Print one line for an epoch."""
    epoch, epochs = progress.epoch, progress.epochs
    minutes, seconds = divmod(round(progress.seconds_left or 0), 60)
    print(
        f"{progress.network}  epoch {epoch.number:>{len(str(epochs))}}/{epochs}  loss {epoch.loss:.4f}  "
        f"validation loss {epoch.validation_loss:.4f}  accuracy {percent(epoch.validation_accuracy, 2)}  "
        f"{epoch.seconds:.1f} s  {minutes}:{seconds:02} left",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
