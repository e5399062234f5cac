"""Training turns data into a model that can serve."""

import dataclasses
import re
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from model.augmentation.distortion import Augmentation
from model.cards.card import BASELINE, CARD, CURVES, MODEL, Card, Epoch, read_file, read_model
from model.data.digits import Digits, sha256
from model.errors import UsageError
from model.inference.calibration import softmax
from model.inference.classifier import Classifier
from model.training.batches import NO_DIGIT, Batches
from model.training.checkpoint import Checkpoint
from model.training.duration import Duration
from model.training.recipe import Recipe
from model.training.train import CHECKPOINTS, _changed, _check_place, main, train

if TYPE_CHECKING:
    import keras

    from model.training.fit import EpochReport
    from model.training.network_trainer import NetworkTrainer

ONE_EPOCH = dataclasses.replace(Recipe.small(), epochs=1)
STILL = Augmentation(rotation=0, scale=0, shear=0, shift=0, elastic=0, thickness=0)
REFINING = dataclasses.replace(Recipe.refinement(), epochs=2, share=1.0, batch_size=64)


@pytest.fixture
def eagerly():
    """Let TensorFlow run functions as they are. Compiling a training takes as long as about six steps of it."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def fit():
    """The function `fit`, imported late, as `network` is."""
    from model.training.fit import fit

    return fit


def test_a_short_training_on_few_images(trained, samples):
    """After four epochs on 1,300 images, float and int8 models read at least 95 % of the test images."""
    folder, card = trained
    assert card.test.float.accuracy >= 0.95
    assert card.test.int8.accuracy >= 0.95
    digits = Classifier(read_model(folder)[1]).classify(samples.test.images).digits
    assert np.mean(digits == samples.test.labels) == card.test.int8.accuracy


def test_the_card_describes_the_training(trained, samples):
    """The written card has the training's data, numbers of images, recipe, epochs, time and version."""
    folder, card = trained
    assert card.data.sha256 == sha256(samples.train, samples.test)
    assert card.data.train + card.data.validation == len(samples.train)
    assert card.validation.int8.total == card.data.validation
    assert card.recipe["epochs"] == len(card.epochs) == 4
    assert card.epochs[-1].validation_loss < card.epochs[0].validation_loss
    assert card.training_seconds == pytest.approx(sum(epoch.seconds for epoch in card.epochs))
    assert card.version.startswith("short-")
    assert read_file(folder, card, CURVES).startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_network(fit, network, samples):
    """Training twice with one seed gives the same weights, bit for bit. Another seed gives others."""
    few, validation = samples.train[:256], samples.test[:64]
    weights = [network.dump_weights(fit(few, validation, ONE_EPOCH, seed=seed)[0]) for seed in (7, 7, 8)]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.usefixtures("eagerly")
def test_progress_by_epoch(fit, samples):
    """The callback gets each epoch of each network once, in order, with the time left until the model is judged."""
    reports: list[EpochReport] = []
    recipe = dataclasses.replace(ONE_EPOCH, epochs=2, teachers=2, teacher_epochs=1, variant_epochs=1)
    _, epochs = fit(samples.train[:32], samples.test[:16], recipe, seed=1, on_epoch=reports.append, judged=8)
    assert [each.epoch for each in reports[2:]] == epochs
    order = [(each.network, each.epoch.number, each.epochs) for each in reports]
    assert order == [("teacher 1", 1, 1), ("teacher 2", 1, 1), ("network", 1, 3), ("network", 2, 3), ("network", 3, 3)]
    assert [each.ends_training for each in reports] == [False] * 4 + [True]
    left = [each.seconds_left for each in reports if each.seconds_left is not None]
    assert len(left) >= 4  # nothing is known after a first epoch of one step
    assert min(left) > 0


@pytest.mark.usefixtures("eagerly")
def test_a_stopped_training_is_resumed(fit, network, samples, tmp_path):
    """A training that is stopped after each epoch of each network, and resumed, ends with the same weights."""
    few, validation = samples.train[:32], samples.test[:16]
    recipe = dataclasses.replace(ONE_EPOCH, epochs=1, teachers=1, teacher_epochs=1, variant_epochs=1)
    whole, curve = fit(few, validation, recipe, seed=3)
    reached = []

    def stop(progress: "EpochReport"):
        reached.append((progress.network, progress.epoch.number))
        raise InterruptedError

    for _ in range(3):
        with pytest.raises(InterruptedError):
            fit(few, validation, recipe, seed=3, on_epoch=stop, checkpoints=tmp_path)
    assert reached == [("teacher 1", 1), ("network", 1), ("network", 2)]
    resumed, resumed_curve = fit(few, validation, recipe, seed=3, on_epoch=stop, checkpoints=tmp_path)
    assert network.dump_weights(resumed) == network.dump_weights(whole)
    assert [epoch.loss for epoch in resumed_curve] == [epoch.loss for epoch in curve]


@pytest.mark.usefixtures("eagerly")
def test_the_last_epochs_start_with_what_was_trained(fit, network, samples):
    """With a learning rate of 0 they change nothing. With another one, they do."""
    few, validation = samples.train[:64], samples.test[:16]
    before, _ = fit(few, validation, ONE_EPOCH, seed=1)
    nothing = dataclasses.replace(ONE_EPOCH, variant_epochs=1, variant_learning_rate=0.0)
    something = dataclasses.replace(nothing, variant_learning_rate=1e-3)
    after = [network.dump_weights(fit(few, validation, recipe, seed=1)[0]) for recipe in (nothing, something)]
    assert after[0] == network.dump_weights(before) != after[1]


@pytest.mark.usefixtures("eagerly")
def test_refining_starts_with_the_given_network(fit, network, samples, tmp_path):
    """With a learning rate of 0 the network stays the same. A checkpoint is resumed only with the same start."""
    few, validation = samples.train[:64], samples.test[:16]
    before, other = network.build(), network.build()
    nothing = dataclasses.replace(REFINING, learning_rate=0.0)
    assert network.dump_weights(fit(few, validation, nothing, seed=1, start=before)[0]) == network.dump_weights(before)
    refined, _ = fit(few, validation, REFINING, seed=1, start=before)
    assert network.dump_weights(refined) != network.dump_weights(before)

    def stop(_: "EpochReport"):
        raise InterruptedError

    reports: list[EpochReport] = []
    with pytest.raises(InterruptedError):
        fit(few, validation, REFINING, seed=1, start=before, on_epoch=stop, checkpoints=tmp_path)
    resumed, _ = fit(few, validation, REFINING, seed=1, start=before, on_epoch=reports.append, checkpoints=tmp_path)
    assert network.dump_weights(resumed) == network.dump_weights(refined)
    assert [each.epoch.number for each in reports] == [2]
    fit(few, validation, REFINING, seed=1, start=other, on_epoch=reports.append, checkpoints=tmp_path)
    assert [each.epoch.number for each in reports] == [2, 1, 2]


def test_a_refinement_copies_the_model_that_it_refines_on_all_but_what_was_taught(samples):
    """That model says 3, whatever it sees, and the refined one says so of zeros. But ones were taught as sevens."""
    import keras

    from model.network.network import build, logits
    from model.training.network_trainer import NetworkTrainer

    keras.utils.set_random_seed(1)
    zeros, ones = (samples.train.images[samples.train.labels == digit][:48] for digit in (0, 1))
    digits = Digits(np.concatenate([zeros, ones]), np.repeat(np.array([0, 7], np.uint8), 48))
    quickly = dataclasses.replace(REFINING, epochs=20, batch_size=32, learning_rate=5e-3, averaging=0.5, fidelity=0.05)
    recipe = dataclasses.replace(quickly, normalised=0.0, drawn=0.0, outliers=0.0)
    batches = Batches(digits, recipe, 1, taught=48)
    trainer = NetworkTrainer(build(), build(), batches, recipe, epochs=recipe.epochs, teachers=[always(3)])
    trainer.run(samples.test[:64], lambda _: None, lambda _: None)
    for images, digit in ((zeros, 3), (ones, 7)):
        assert (logits(trainer.average, images).argmax(axis=1) == digit).mean() > 0.9


def test_a_batch_says_which_images_were_taught(samples):
    """They are the last of the training images. Drawn digits and outliers never are."""
    few = samples.train[:150]
    still = dataclasses.replace(ONE_EPOCH, drawn=0.3, outliers=0.1, degradation=0.0, normalised=0.0, augmentation=STILL)
    known = {image.tobytes() for image in few.images[-30:]}
    for batch in Batches(few, still, 1, taught=30).epoch(1):
        for image, taught in zip(batch.images, batch.taught, strict=True):
            assert taught == (image.tobytes() in known)


def test_a_refinement_shows_training_images_that_are_doubted_as_they_are(samples):
    """They are added to each batch. None of them is a taught image."""
    recipe = dataclasses.replace(ONE_EPOCH, batch_size=64, replayed=0.5, share=0.5)
    few = samples.train[:300]
    doubts = np.where(np.arange(200) % 10, 0, 1).astype(np.float32)
    known = {image.tobytes(): number for number, image in enumerate(few.images)}
    shown = []
    for batch in Batches(few, recipe, 1, taught=100, doubts=doubts).epoch(1):
        assert len(batch.images) == len(batch.labels) == len(batch.taught) == 96
        assert not batch.taught[64:].any()
        rows = [known[image.tobytes()] for image in batch.images[64:]]
        assert np.array_equal(batch.labels[64:], few.labels[rows])
        shown += rows
    assert set(shown) <= set(range(0, 200, 10))
    assert len(set(shown)) > 10
    without = Batches(few, recipe, 1, taught=100).epoch(1)
    assert {len(batch.images) for batch in without} == {64}


@pytest.mark.parametrize(("recipe", "has_start"), [(REFINING, False), (ONE_EPOCH, True)])
def test_only_refining_starts_with_a_network(fit, network, samples, recipe, has_start):
    """Refining without a network, and another training with one, are refused."""
    with pytest.raises(UsageError, match="needs a network to start from"):
        fit(samples.train[:64], samples.test[:64], recipe, seed=1, start=network.build() if has_start else None)


def test_an_epoch_may_take_a_share_of_the_images(samples):
    """Each epoch uses another half of the images. A share that is too small for a batch still makes one step."""
    recipe = dataclasses.replace(
        ONE_EPOCH, drawn=0.0, outliers=0.0, degradation=0.0, normalised=0.0, augmentation=STILL
    )
    few = samples.train[:128]
    halves = Batches(few, dataclasses.replace(recipe, share=0.5), 1)
    first, second = (np.concatenate([batch.images for batch in halves.epoch(number)]) for number in (1, 2))
    assert len(first) == len(second) == 64
    assert set(map(bytes, first)) != set(map(bytes, second))
    assert Batches(few, dataclasses.replace(recipe, share=0.001), 1).steps == 1


@pytest.mark.parametrize(("size", "drawn", "outliers"), [(1, 0.6, 0.0), (3, 0.5, 0.49), (2, 0.0, 0.8)])
def test_batches_without_training_images_are_refused(samples, size, drawn, outliers):
    """If drawn digits and outliers round to the whole batch, the message says what to change."""
    recipe = dataclasses.replace(ONE_EPOCH, batch_size=size, drawn=drawn, outliers=outliers)
    with pytest.raises(UsageError, match=r"none of the training images\. Give a smaller share of either"):
        Batches(samples.train[:64], recipe, 1)


@pytest.mark.usefixtures("eagerly")
def test_other_checkpoints_are_ignored(fit, samples, tmp_path):
    """The checkpoint of a training with another seed, or a damaged one, is not resumed."""
    few, validation = samples.train[:32], samples.test[:16]
    fit(few, validation, ONE_EPOCH, seed=1, checkpoints=tmp_path)
    reports: list[EpochReport] = []
    fit(few, validation, ONE_EPOCH, seed=2, on_epoch=reports.append, checkpoints=tmp_path)
    assert len(reports) == 1
    (tmp_path / "network.safetensors").write_bytes(b"cut off")
    fit(few, validation, ONE_EPOCH, seed=2, on_epoch=reports.append, checkpoints=tmp_path)
    assert len(reports) == 2


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"epochs": "[[1, 0.5"},
        {"epochs": "7"},
        {"epochs": "[7]"},
        {"epochs": "{}"},
        {"epochs": "[[1, 0.5]]"},
        {"epochs": '[["1", 0.5, 0.75, 0.25, 0.875, 12.5, 2.0]]'},
    ],
    ids=str,
)
def test_a_checkpoint_with_odd_metadata_is_ignored(tmp_path, metadata):
    """A checkpoint whose epochs are missing, cut off or of another form counts as damaged."""
    path = tmp_path / "network.safetensors"
    path.write_bytes(save({"0": np.zeros(1)}, {"training": "a training"} | metadata))
    assert Checkpoint(path, "a training").load() is None


@pytest.mark.parametrize("loss", [0.5, float("nan")])
def test_a_checkpoint_gives_back_its_epochs(tmp_path, loss):
    """A checkpoint gives back epochs and arrays, also of a training that diverged."""
    checkpoint = Checkpoint(tmp_path / "network.safetensors", "a training")
    epochs = [Epoch(1, loss, 0.75, loss, 0.875, 12.5, 2.0), Epoch(2, loss, 1.0, loss, 1.0, 12.5)]
    checkpoint.save(epochs, [np.arange(4), np.array(7)])
    found = checkpoint.load()
    assert found is not None
    assert str(found[0]) == str(epochs)  # NaN differs from itself
    assert [array.tolist() for array in found[1]] == [[0, 1, 2, 3], 7]


def always(digit: int) -> "keras.Model":
    """Build a teacher network that is certain of one digit, whatever it sees."""
    import keras
    from keras import layers

    dense = layers.Dense(10, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(0))
    teacher = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), dense])
    dense.bias.assign(np.where(np.arange(10) == digit, 50.0, 0.0))
    return teacher


def distilling(samples, recipe: Recipe, *teachers: "keras.Model") -> "NetworkTrainer":
    """Return the trainer of a new network that distils from these teachers, on 128 images."""
    from model.network.network import build
    from model.training.network_trainer import NetworkTrainer

    batches = Batches(samples.train[:128], recipe, 1)
    return NetworkTrainer(build(), build(), batches, recipe, epochs=recipe.epochs, teachers=teachers)


@pytest.mark.parametrize(
    ("recipe", "sevens", "threes"),
    [
        (dataclasses.replace(ONE_EPOCH, distillation=0.7), {7: 0.3, 3: 0.7}, {3: 1.0}),
        (dataclasses.replace(ONE_EPOCH, distillation=0.0), {7: 1.0}, {3: 1.0}),
        (REFINING, {7: 1.0}, {3: 1.0}),
        (REFINING, {3: 1.0}, {3: 1.0}),
    ],
    ids=["distilling", "without distillation", "refining, taught", "refining, not taught"],
)
def test_targets_mix_label_and_teachers(samples, recipe, sevens, threes, request):
    """The target has the label's and the teacher's share. In refining, it is the label if the image was taught."""
    images, labels = np.zeros((2, 28, 28, 1), np.uint8), np.array([7, 3])
    taught = np.array([request.node.callspec.id == "refining, taught", False])
    targets = np.asarray(distilling(samples, recipe)._targets([always(3)(images)], labels, taught))
    assert targets == pytest.approx(
        np.array([[each.get(digit, 0.0) for digit in range(10)] for each in (sevens, threes)])
    )


def test_several_teachers_are_averaged_also_where_there_is_no_digit(samples):
    """Two teachers share the weight of 0.7. The rest goes to the label, or equally to all digits if there is none."""
    recipe = dataclasses.replace(ONE_EPOCH, distillation=0.7)
    images, labels = np.zeros((2, 28, 28, 1), np.uint8), np.array([7, NO_DIGIT])
    opinions = [always(3)(images), always(4)(images)]
    targets = np.asarray(distilling(samples, recipe)._targets(opinions, labels, np.zeros(2, np.bool_)))
    by_label = [{3: 0.35, 4: 0.35, 7: 0.3}.get(digit, 0.0) for digit in range(10)]
    by_none = [{3: 0.38, 4: 0.38}.get(digit, 0.03) for digit in range(10)]
    assert targets == pytest.approx(np.array([by_label, by_none]))


def test_a_network_learns_from_its_teacher_by_its_share(network, samples):
    """If a teacher with a share of 0.8 always says 3, the network gives 3 about that probability on other digits."""
    import keras

    keras.utils.set_random_seed(1)
    recipe = dataclasses.replace(ONE_EPOCH, epochs=10, distillation=0.8, drawn=0.0, outliers=0.0)
    trainer = distilling(samples, recipe, always(3))
    trainer.run(samples.test[:64], lambda _: None, lambda _: None)
    others = samples.test.images[samples.test.labels != 3]
    assert softmax(network.logits(trainer.average, others))[:, 3].mean() == pytest.approx(0.8, abs=0.15)


@pytest.mark.usefixtures("eagerly")
def test_a_recipe_with_teachers_distils_from_them(fit, network, samples):
    """With the same seed, a network with a teacher gets other weights than a network without one."""
    few, validation = samples.train[:32], samples.test[:16]
    recipes = [dataclasses.replace(ONE_EPOCH, teachers=teachers, teacher_epochs=1) for teachers in (0, 1)]
    alone, distilled = (network.dump_weights(fit(few, validation, recipe, seed=1)[0]) for recipe in recipes)
    assert alone != distilled


def test_the_callback_can_end_a_training(samples, tmp_path):
    """An exception in the callback ends the training, and leaves only its checkpoints. The same call resumes it."""

    def lost(_):
        raise TimeoutError

    few = samples._replace(train=samples.train[:400], test=samples.test[:40])
    with pytest.raises(TimeoutError):
        train(few, ONE_EPOCH, tmp_path / "model", on_epoch=lost)
    assert [path.name for path in (tmp_path / "model").iterdir()] == [CHECKPOINTS]
    card = train(few, ONE_EPOCH, tmp_path / "model", on_epoch=lambda _: pytest.fail("it trained again"))
    assert Card.read(tmp_path / "model") == card
    assert card.training_seconds is None, "the time before the stop is unknown"
    assert not (tmp_path / "model" / CHECKPOINTS).exists()


def test_an_impossible_folder_is_refused_at_once(samples, tmp_path):
    """A folder that cannot be created is refused by name, before the training."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot make the folder .*file"):
        train(samples, ONE_EPOCH, tmp_path / "file", on_epoch=lambda _: pytest.fail("it trained"))


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [
        ("tensorflow", "TensorFlow", "train"),
        ("safetensors", "safetensors", "train"),
        ("matplotlib", "Matplotlib", "train"),
        ("ai_edge_litert", "LiteRT", "worker"),
    ],
)
def test_a_missing_package_is_explained(tmp_path, module, name, extra):
    """If a package of an extra is not installed, the command says how to install it, before it trains."""
    code = (
        f"import sys; sys.modules[{module!r}] = None  # Python then refuses to import it\n"
        f"from model.training.train import main; sys.exit(main(['--data', 'samples', '--out', {str(tmp_path)!r}]))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr == f"Error: {name} is not installed. Install it: pip install 'digitmill[{extra}]'.\n"
    assert "epoch" not in process.stdout


def test_the_command(training_command):
    """The command trains, prints a line per epoch with the time left, and writes the model.

    Each number of the recipe can be set by its name; a number of a part has a dotted name.
    """
    folder, lines = training_command
    assert len([line for line in lines if line.startswith("network  epoch ") and line.endswith(" left")]) == 4
    card, _ = read_model(folder)
    assert f"{card.version} in {folder}" in lines
    recipe = card.recipe
    assert (recipe["epochs"], recipe["batch_size"], recipe["augmentation"]["elastic"], card.seed) == (4, 30, 0.5, 4)


def test_the_command_explains_itself(tmp_path, capsys):
    """If MNIST is missing, the command returns 1 and prints one line that names the remedy."""
    assert main(["--mnist", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"Error: {tmp_path} does not hold MNIST. Put its four IDX files")


@pytest.mark.parametrize("name", ["notes.txt", "model.tflite", "training"])
def test_a_folder_with_something_else_is_refused_before_the_training(tmp_path, capsys, name):
    """Training would replace a `model.tflite` that it does not know, and remove a folder named `training`."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").touch()
    assert main(["--data", "samples", "--out", str(tmp_path)]) == 1
    assert f"has {name!r}, which no training wrote there" in capsys.readouterr().err
    assert (tmp_path / name / "mine.txt").exists()


def test_only_an_unchanged_model_is_replaced(tmp_path):
    """The card vouches for its files. A stopped training left only its state."""
    card = Card.read(BASELINE)
    for path in BASELINE.iterdir():
        if path.name in {*card.files, CARD}:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    _check_place(tmp_path)
    (tmp_path / MODEL).write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"has 'model\.tflite', which no training wrote there or which was changed"):
        _check_place(tmp_path)
    stopped = tmp_path / "stopped" / "training"
    stopped.mkdir(parents=True)
    (stopped / "network.safetensors").touch()
    (stopped.parent / MODEL).touch()
    _check_place(stopped.parent)
    _check_place(tmp_path / "absent")


@pytest.mark.parametrize("way", ["--quick", "--long"])
def test_samples_have_no_other_recipe(tmp_path, capsys, way):
    """`--quick` and `--long` are refused for the samples, because they would change nothing."""
    assert main(["--data", "samples", way, "--out", str(tmp_path / "model")]) == 1
    assert f"Leave {way} out." in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_quick_and_long_exclude_each_other(tmp_path, capsys):
    """Both at once are refused before anything is loaded."""
    assert main(["--quick", "--long", "--out", str(tmp_path / "model")]) == 1
    assert "Leave one of them out." in capsys.readouterr().err


def test_the_long_recipe_costs_three_times_the_default():
    """The costs are those by which a training estimates its time left."""
    assert 2.5 < Duration(Recipe.long(), 55_000, 10_000).cost / Duration(Recipe(), 55_000, 10_000).cost < 3.5


@pytest.mark.parametrize("start", [Recipe(), Recipe.quick(), Recipe.long(), Recipe.refinement(), Recipe.small()])
def test_a_setting_has_the_declared_type(start):
    """A number is parsed as its field declares, also if the recipe holds a whole number in a field of fractions."""
    whole = dataclasses.replace(start, augmentation=dataclasses.replace(start.augmentation, rotation=8))
    changed = _changed(whole, ["augmentation", "rotation"], "7.5")
    assert changed == dataclasses.replace(start, augmentation=dataclasses.replace(start.augmentation, rotation=7.5))
    with pytest.raises(ValueError, match="invalid literal"):
        _changed(start, ["epochs"], "7.5")


def test_the_recipes_hold_the_declared_types():
    """The quick recipe has no whole number in a field of fractions, because its card would then show one."""
    quick = Recipe.quick()
    for part in (quick, quick.augmentation):
        for field in dataclasses.fields(part):
            assert type(getattr(part, field.name)) is field.type, field.name


@pytest.mark.parametrize(
    "setting",
    ["elastic=1", "augmentation.elastic=much", "augmentation=1", "refines=1", "epochs.x=1", "epochs.real=1", "epochs"],
)
def test_other_settings_are_refused(setting, tmp_path, capsys):
    """A name that is not in the recipe, or a value that is not a number, is refused with the list of names."""
    assert main(["--data", "samples", "--out", str(tmp_path), "--set", setting]) == 1
    assert f"The recipe cannot take {setting}." in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"teachers": -1},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"variant_epochs": -1},
        {"variant_learning_rate": float("inf")},
        {"refines": True, "variant_epochs": 1},
        {"fidelity": -1.0},
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
    """A recipe with a number outside of its range is refused."""
    with pytest.raises(UsageError):
        Recipe(**wrong)


def test_impossible_augmentation_is_refused():
    """A negative rotation is refused."""
    with pytest.raises(UsageError, match="rotation"):
        Augmentation(rotation=-3)


def test_a_full_disk_is_reported_with_the_folder(tmp_path):
    """If a checkpoint cannot be written, the message names folder and remedy. The previous checkpoint stays."""
    checkpoint = Checkpoint(tmp_path / "network.safetensors", "a training")
    checkpoint.save([], [np.zeros(4)])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))  # Python ignores the signal, so writing fails
    try:
        with pytest.raises(UsageError, match=rf"Cannot write into {tmp_path}: .*Make room"):
            checkpoint.save([], [np.zeros(4096)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    found = checkpoint.load()
    assert found is not None
    assert [array.shape for array in found[1]] == [(4,)]


def test_help_is_quick():
    """`python -m model.training --help` shows its own name, and does not import TensorFlow."""
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "model.training", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.startswith("usage: python -m model.training ")
    assert "--quick" in process.stdout
    assert "model.training.train" in process.stderr
    assert not re.search(r"\| +(keras|tensorflow)\b", process.stderr)
