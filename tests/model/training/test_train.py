"""Training, from data to a model that can be served."""

import dataclasses
import resource
import subprocess
import sys

import numpy as np
import pytest

from model.cards.card import CURVES, MODEL, Card, read_file, read_model
from model.data.digits import sha256
from model.errors import UsageError
from model.inference.classifier import Classifier
from model.network.network import build, dump_weights
from model.training.batches import Batches
from model.training.checkpoint import Checkpoint
from model.training.fit import EpochReport, fit
from model.training.recipe import Augmentation, Recipe
from model.training.train import CHECKPOINTS, main, train

ONE_EPOCH = dataclasses.replace(Recipe.small(), epochs=1)
REFINING = dataclasses.replace(Recipe.refinement(), epochs=2, share=1.0, batch_size=64)


def test_a_minute_of_training_on_few_images(trained, samples):
    """Eight epochs on 1,300 images read at least 95 % of the other writers' digits, float and int8."""
    folder, card = trained
    assert card.test.float.accuracy >= 0.95
    assert card.test.int8.accuracy >= 0.95
    digits = Classifier(read_model(folder)[1]).classify(samples.test.images).digits
    assert np.mean(digits == samples.test.labels) == card.test.int8.accuracy


def test_the_card_tells_how(trained, samples):
    """The card that was written tells data, recipe, seed and curve."""
    folder, card = trained
    assert Card.read(folder) == card
    assert card.data.sha256 == sha256(samples.train, samples.test)
    assert card.data.train + card.data.validation == len(samples.train)
    assert card.validation.int8.total == card.data.validation
    assert card.recipe["epochs"] == len(card.epochs) == 8
    assert card.epochs[-1].validation_loss < card.epochs[0].validation_loss
    assert card.training_seconds == pytest.approx(sum(epoch.seconds for epoch in card.epochs))
    assert card.version.startswith("short-")
    assert read_file(folder, card, CURVES).startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_network(samples):
    """Training twice with one seed gives the same weights bit for bit; another seed gives others."""
    few, validation = samples.train[:256], samples.test[:64]
    weights = [dump_weights(fit(few, validation, ONE_EPOCH, seed=seed)[0]) for seed in (7, 7, 8)]
    assert weights[0] == weights[1] != weights[2]


def test_progress_by_epoch(samples):
    """Each epoch of each stage is told once, in order, as it ends, with how long all that is left will take."""
    told = []
    recipe = dataclasses.replace(ONE_EPOCH, epochs=3, teachers=2, teacher_epochs=1)
    _, epochs = fit(samples.train[:64], samples.test[:64], recipe, seed=1, on_epoch=told.append)
    assert [progress.epoch for progress in told[2:]] == epochs
    stages = [(progress.stage, progress.epoch.number, progress.epochs) for progress in told]
    assert stages == [("teacher 1", 1, 1), ("teacher 2", 1, 1), ("network", 1, 3), ("network", 2, 3), ("network", 3, 3)]
    assert all(progress.seconds_left > 0 for progress in told[:-1])
    assert told[-1].seconds_left == 0


def test_a_stopped_training_goes_on(samples, tmp_path):
    """Stopped after any epoch of any stage and called again, a training ends with the weights of one never stopped."""
    few, validation = samples.train[:128], samples.test[:64]
    recipe = dataclasses.replace(ONE_EPOCH, epochs=2, teachers=1, teacher_epochs=2)
    whole, curve = fit(few, validation, recipe, seed=3)
    told = []

    def stop(progress: EpochReport):
        told.append((progress.stage, progress.epoch.number))
        raise InterruptedError

    for _ in range(4):
        with pytest.raises(InterruptedError):
            fit(few, validation, recipe, seed=3, on_epoch=stop, checkpoints=tmp_path)
    assert told == [("teacher 1", 1), ("teacher 1", 2), ("network", 1), ("network", 2)]
    resumed, resumed_curve = fit(few, validation, recipe, seed=3, on_epoch=stop, checkpoints=tmp_path)
    assert dump_weights(resumed) == dump_weights(whole)
    assert [epoch.loss for epoch in resumed_curve] == [epoch.loss for epoch in curve]


def test_refining_begins_with_the_network_before(samples, tmp_path):
    """With a learning rate of 0 it stays that network; stopped and called again it goes on, but not from another."""
    few, validation = samples.train[:128], samples.test[:64]
    before, other = build(), build()
    nothing = dataclasses.replace(REFINING, learning_rate=0.0)
    assert dump_weights(fit(few, validation, nothing, seed=1, start=before)[0]) == dump_weights(before)
    refined, _ = fit(few, validation, REFINING, seed=1, start=before)
    assert dump_weights(refined) != dump_weights(before)

    def stop(_: EpochReport):
        raise InterruptedError

    told = []
    with pytest.raises(InterruptedError):
        fit(few, validation, REFINING, seed=1, start=before, on_epoch=stop, checkpoints=tmp_path)
    resumed, _ = fit(few, validation, REFINING, seed=1, start=before, on_epoch=told.append, checkpoints=tmp_path)
    assert dump_weights(resumed) == dump_weights(refined)
    assert [progress.epoch.number for progress in told] == [2]
    fit(few, validation, REFINING, seed=1, start=other, on_epoch=told.append, checkpoints=tmp_path)
    assert [progress.epoch.number for progress in told] == [2, 1, 2]


@pytest.mark.parametrize(("recipe", "begun"), [(REFINING, False), (ONE_EPOCH, True)])
def test_only_what_refines_begins_with_a_network(samples, recipe, begun):
    """To forget the network before would train a poor one from scratch; to give one to no avail is a mistake too."""
    with pytest.raises(UsageError, match="needs a network to begin with"):
        fit(samples.train[:64], samples.test[:64], recipe, seed=1, start=build() if begun else None)


def test_an_epoch_may_take_a_share_of_the_images(samples):
    """Half of them make half the steps, in each epoch others; fewer than fill a batch make one step all the same."""
    still = Augmentation(rotation=0, scale=0, shear=0, shift=0, elastic=0, thickness=0)
    recipe = dataclasses.replace(ONE_EPOCH, drawn=0.0, outliers=0.0, degradation=0.0, augmentation=still)
    few = samples.train[:128]
    halves = Batches(few, dataclasses.replace(recipe, share=0.5), 1)
    first, second = (np.concatenate([batch.images for batch in halves.epoch(number)]) for number in (1, 2))
    assert len(first) == len(second) == 64
    assert set(map(bytes, first)) != set(map(bytes, second))
    assert Batches(few, dataclasses.replace(recipe, share=0.001), 1).steps == 1


def test_another_training_does_not_go_on(samples, tmp_path):
    """The state of a training with another seed, or a damaged one, is not taken for this training's."""
    few, validation = samples.train[:64], samples.test[:64]
    fit(few, validation, ONE_EPOCH, seed=1, checkpoints=tmp_path)
    told = []
    fit(few, validation, ONE_EPOCH, seed=2, on_epoch=told.append, checkpoints=tmp_path)
    assert len(told) == 1
    (tmp_path / "network.safetensors").write_bytes(b"cut off")
    fit(few, validation, ONE_EPOCH, seed=2, on_epoch=told.append, checkpoints=tmp_path)
    assert len(told) == 2


def test_teachers_are_heeded(samples):
    """With the same seed, a network that has a teacher becomes another than one without."""
    few, validation = samples.train[:128], samples.test[:64]
    alone, taught = (
        dump_weights(
            fit(few, validation, dataclasses.replace(ONE_EPOCH, teachers=teachers, teacher_epochs=1), seed=1)[0]
        )
        for teachers in (0, 1)
    )
    assert alone != taught


def test_training_can_be_ended(samples, tmp_path):
    """What the callback raises ends the training; no model is left behind, only what it goes on from."""

    def lost(_):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        train(samples, ONE_EPOCH, tmp_path / "model", on_epoch=lost)
    assert [path.name for path in (tmp_path / "model").iterdir()] == [CHECKPOINTS]
    card = train(samples, ONE_EPOCH, tmp_path / "model", on_epoch=lambda _: pytest.fail("it trained again"))
    assert card.training_seconds is None, "it was not there for all of it"
    assert not (tmp_path / "model" / CHECKPOINTS).exists()


def test_an_impossible_folder_is_noticed_at_once(samples, tmp_path):
    """A folder that cannot be made is named before anything is trained."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot make the folder .*file"):
        train(samples, ONE_EPOCH, tmp_path / "file", on_epoch=lambda _: pytest.fail("it trained"))


def test_missing_tensorflow_is_explained(tmp_path):
    """Where TensorFlow is not installed, the command says how to install it."""
    code = (
        "import sys; sys.modules['tensorflow'] = None  # what Python itself does to forbid an import\n"
        f"from model.training.train import main; sys.exit(main(['--data', 'samples', '--out', {str(tmp_path)!r}]))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr == "Error: TensorFlow is not installed. Install it: pip install 'digitmill[train]'.\n"


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    """One command trains: a line per epoch with the time that is left, then the accuracies."""
    assert main(["--data", "samples", "--epochs", "8", "--out", str(tmp_path), "--name", "tried"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("network  epoch ") and line.endswith(" left")]) == 8
    card, _ = read_model(tmp_path)
    assert f"{card.version} in {tmp_path}" in lines
    assert (tmp_path / MODEL).exists()


def test_the_command_explains_itself(tmp_path, capsys):
    """Faults end in exit code 1 and one line that names the remedy."""
    assert main(["--mnist", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"Error: {tmp_path} does not hold MNIST. Put its four IDX files")


def test_parts_of_the_recipe_can_be_set(tmp_path):
    """Any number of the recipe can be set by name, those of its parts with a dot."""
    arguments = ["--data", "samples", "--out", str(tmp_path), "--epochs", "1", "--set", "augmentation.elastic=1.5"]
    assert main([*arguments, "--set", "batch_size=64", "--seed", "4"]) == 0
    recipe = Card.read(tmp_path).recipe
    assert (recipe["epochs"], recipe["batch_size"], recipe["augmentation"]["elastic"]) == (1, 64, 1.5)


@pytest.mark.parametrize(
    "setting", ["elastic=1", "augmentation.elastic=much", "augmentation=1", "epochs.x=1", "epochs"]
)
def test_what_the_recipe_has_not_cannot_be_set(setting, tmp_path, capsys):
    """A name that the recipe has not, or a value that is no number, is refused with what there is."""
    assert main(["--data", "samples", "--out", str(tmp_path), "--set", setting]) == 1
    assert "The recipe takes no" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"teachers": -1},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"dropout": 1.5},
        {"averaging": 1.0},
        {"validation": -0.1},
        {"drawn": 0.6, "outliers": 0.6},
        {"share": 0.0},
        {"share": 1.5},
        {"blend": -0.1},
        {"blend": 1.5},
    ],
    ids=str,
)
def test_impossible_recipes_are_refused(wrong):
    """No epochs, empty batches, shares of more than all and the like are refused before anything is trained."""
    with pytest.raises(UsageError):
        Recipe(**wrong)


def test_impossible_augmentation_is_refused():
    """No image is turned by less than nothing."""
    with pytest.raises(UsageError, match="rotation"):
        Augmentation(rotation=-3)


def test_a_full_disk_is_named_with_the_folder(tmp_path):
    """A checkpoint that cannot be written says where and what to do; the one before stays."""
    checkpoint = Checkpoint(tmp_path / "network.safetensors", "a training")
    checkpoint.save([], [np.zeros(4)])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))  # Python ignores the signal: writing fails
    try:
        with pytest.raises(UsageError, match=rf"Cannot write into {tmp_path}: .*Make room"):
            checkpoint.save([], [np.zeros(4096)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    _, (kept,) = checkpoint.load()
    assert kept.shape == (4,)


def test_help_is_quick():
    """Help comes without TensorFlow being imported."""
    code = "import sys, model.training.train\ntry: model.training.train.main(['--help'])\nexcept SystemExit: print('keras' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.endswith("False\n")
    assert "--quick" in process.stdout
