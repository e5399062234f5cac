"""The figures of a model's card are measured in its training, and can be measured again."""

import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from model.cards.card import CARD, MODEL, WEIGHTS, Card, Seeded, Size, read_model
from model.cards.page import PAGE
from model.data import sample_digits
from model.data.digits import Dataset, hold_out
from model.errors import DataError, ModelError, UsageError
from model.evaluation import judge
from model.evaluation.corruptions import CORRUPTIONS
from model.evaluation.judge import THRESHOLDS, export_again, judge_again, main
from model.evaluation.mnist_c import MNIST_C
from model.evaluation.robustness import directly, robustness
from model.evaluation.unseen import UNSEEN
from model.inference.classifier import Classifier
from model.metrics import BINS
from model.training.recipe import Recipe


@pytest.fixture(scope="module")
def slight(few: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Card]:
    """Train a model on them for two epochs. Return its folder and its card."""
    from model.training.train import train

    folder = tmp_path_factory.mktemp("slight")
    return folder, train(few, dataclasses.replace(Recipe.small(), epochs=2), folder)


@pytest.fixture
def copy(slight: tuple[Path, Card], tmp_path: Path) -> Path:
    """Copy that model into a folder that a test may change."""
    return Path(shutil.copytree(slight[0], tmp_path / "copy"))


def test_a_new_card_is_complete(trained, samples: Dataset):
    """Training writes a page and a complete card. The robustness on the card is that of the exported model."""
    folder, card = trained
    assert (folder / PAGE).read_text(encoding="utf-8").startswith(f"# Model `{card.version}`")
    assert card.size == Size(390_410, len((folder / MODEL).read_bytes()))
    assert card.intended_use
    assert card.not_for
    for name, kinds in (("mnist_c", MNIST_C), ("unseen", UNSEEN)):
        found = card.families[name]
        assert list(found.network) == list(found.path) == list(found.confidently_wrong) == list(kinds)
    assert list(card.robustness.network) == list(card.robustness.path) == list(CORRUPTIONS)
    classifier = Classifier(read_model(folder)[1])
    assert card.robustness.network == robustness(
        directly(classifier), samples.test, CORRUPTIONS, seed=card.robustness.seed
    )


def test_the_mean_confidences_are_those_of_each_digits_own_images(trained, samples: Dataset):
    """The card has the mean probability of the true digit, by digit, on the validation images."""
    folder, card = trained
    _, validation = hold_out(samples.train, card.recipe["validation"])
    probabilities = (
        Classifier(read_model(folder)[1], temperature=card.temperature).classify(validation.images).probabilities
    )
    for digit, found in enumerate(card.mean_confidences):
        assert found == pytest.approx(probabilities[validation.labels == digit, digit].mean(), rel=1e-5)
    assert len(card.mean_confidences) == 10


def test_the_bins_are_those_of_the_calibration_error(trained):
    """The bins hold all test images, and their weighted gaps add up to the expected calibration error."""
    _, card = trained
    filled = [each for each in card.reliability if each.images]
    assert len(card.reliability) == BINS
    assert sum(each.images for each in filled) == card.test.int8.total
    gaps = sum(each.images * abs(each.accuracy - each.confidence) for each in filled)
    assert gaps / card.test.int8.total == pytest.approx(card.calibration_error)
    assert round(sum(each.images * each.accuracy for each in filled)) == card.test.int8.correct


def test_higher_thresholds_pass_less_and_doubt_more(trained):
    """With a higher threshold, fewer images without a digit pass, and people must check more digits."""
    _, card = trained
    assert [each.threshold for each in card.doubts] == sorted(THRESHOLDS)
    for lower, higher in pairwise(card.doubts):
        assert lower.passed.correct >= higher.passed.correct
        assert lower.doubted.correct <= higher.doubted.correct
        assert lower.caught.correct <= higher.caught.correct
    for each in card.doubts:
        assert each.passed.total == judge.DRAWN
        assert each.doubted.total == card.test.int8.correct == card.test.int8.total - each.caught.total
    assert card.doubts[0].passed.accuracy - card.doubts[-1].passed.accuracy > 0.1


def test_judging_again_finds_the_same(copy: Path, slight, few: Dataset):
    """Judging a model again on the same data restores figures that were removed from its card or altered in it."""
    spoiled = dataclasses.replace(slight[1], temperature=3.0, robustness=None, reliability=None, confusion=[])
    spoiled.write(copy)
    assert judge_again(copy, few) == Card.read(copy) == slight[1]


def test_other_seeds_go_on_the_card(copy: Path, slight, few: Dataset, tmp_path: Path):
    """The card lists this model and others that differ only in the seed, by seed. Judging again keeps the list."""
    others = []
    for seed in (7, 3):
        others.append(tmp_path / str(seed))
        others[-1].mkdir()
        dataclasses.replace(slight[1], seed=seed).write(others[-1])
    listed = judge_again(copy, few, others).seeds
    assert listed == [Seeded(seed, slight[1].test) for seed in (1, 3, 7)]
    assert judge_again(copy, few).seeds == listed


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"seed": 1}, "not all different"), ({"seed": 2, "recipe": {"epochs": 1}}, "another recipe")],
)
def test_only_other_seeds_are_listed(copy: Path, slight, few: Dataset, tmp_path: Path, change, fault):
    """A model with the same seed or another recipe is refused, and the card stays as it is."""
    dataclasses.replace(slight[1], **change).write(tmp_path)
    with pytest.raises(UsageError, match=fault):
        judge_again(copy, few, [tmp_path])
    assert Card.read(copy) == slight[1]


def test_a_model_exported_again_is_the_same_under_another_name(slight, few: Dataset, tmp_path: Path):
    """Exporting again gives a folder of the same files, and the name and the card say which export is in it."""
    folder, card = slight
    # As if an earlier version had exported it: the card does not name the order in which the model computes.
    before = Path(shutil.copytree(folder, tmp_path / "before"))
    old = b"an earlier export"
    (before / MODEL).write_bytes(old)
    digest = hashlib.sha256(old).hexdigest()
    dataclasses.replace(card, version=f"mine-{digest[:8]}", files={**card.files, MODEL: digest}, graph="").write(before)
    again = export_again(before, few, tmp_path / "again")
    assert again == dataclasses.replace(card, version=f"mine-{card.sha256(MODEL)[:8]}")
    assert Card.read(tmp_path / "again") == again
    for name in (MODEL, WEIGHTS):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_other_data_are_refused(copy: Path, few: Dataset):
    """Other images are refused, because their validation images may be training images of the model."""
    fewer = few._replace(test=few.test[:20])
    with pytest.raises(DataError, match="other images"):
        judge_again(copy, fewer)


def test_altered_weights_are_refused(copy: Path, few: Dataset):
    """Weights that the card does not vouch for are not judged."""
    content = bytearray((copy / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match="not what its card vouches for"):
        judge_again(copy, few)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("safetensors", "safetensors is not installed. Install it: pip install 'digitmill[train]'."),
        ("tensorflow", "TensorFlow is not installed. Install it: pip install 'digitmill[train]'."),
    ],
)
def test_a_missing_package_is_explained(copy: Path, few: Dataset, monkeypatch, module: str, message: str):
    """If a package is not installed, the message says how to install it, and the card stays as it is."""
    before = (copy / CARD).read_bytes()
    monkeypatch.setitem(sys.modules, module, None)  # Python then refuses to import it
    with pytest.raises(UsageError, match=re.escape(message)):
        judge_again(copy, few)
    assert (copy / CARD).read_bytes() == before


def test_help_shows_the_name_of_the_command():
    """`python -m model.evaluation --help` shows this name."""
    command = [sys.executable, "-m", "model.evaluation", "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert help_text.startswith("usage: python -m model.evaluation ")


def test_the_command(copy: Path, slight, few: Dataset, monkeypatch, capsys):
    """The command prints old and new accuracy. Without a model it returns 1 and prints one line."""
    monkeypatch.setattr(sample_digits, "load", lambda: few)
    assert main([str(copy)]) == 0
    accuracy = f"{100 * slight[1].test.int8.accuracy:.2f} %"
    assert f"int8: {accuracy} of 40 test images; its card said {accuracy}" in capsys.readouterr().out
    assert main([str(copy / "none")]) == 1
    assert capsys.readouterr().err.startswith("Error: Cannot read")
