"""A card describes a model and vouches for its files."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.cards.card import (
    BASELINE,
    CARD,
    CURVES,
    MODEL,
    WEIGHTS,
    Bin,
    Card,
    FamilyRobustness,
    Robustness,
    Score,
    Seeded,
    Size,
    ThresholdEffect,
    read_file,
    read_model,
)
from model.errors import ModelError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the baseline into a folder that a test may change."""
    return Path(shutil.copytree(BASELINE, tmp_path / "copy"))


def test_a_written_card_is_read_back(tmp_path: Path):
    """A card that is written and read is equal, with the same types. The baseline's card names its three files."""
    card = Card.read(BASELINE)
    card.write(tmp_path)
    again = Card.read(tmp_path)
    assert again == card
    assert type(again.test.int8) is type(card.test.int8)
    assert set(card.files) == {MODEL, WEIGHTS, CURVES}


def test_version_names_the_content():
    """The baseline's version ends in the first eight digits of its model's SHA-256."""
    card, model = read_model(BASELINE)
    assert card.version == f"baseline-{hashlib.sha256(model).hexdigest()[:8]}"


def test_figures_agree_with_each_other():
    """On the baseline's card, confusion, accuracy, support and epochs do not contradict each other."""
    card = Card.read(BASELINE)
    right = sum(row[digit] for digit, row in enumerate(card.confusion))
    assert right == card.test.int8.correct
    assert [sum(row) for row in card.confusion] == [score.support for score in card.per_class]
    assert sum(map(sum, card.confusion)) == card.test.int8.total == card.data.test
    assert card.test.int8.low < card.test.int8.accuracy < card.test.int8.high
    epochs = card.recipe["epochs"] + card.recipe.get("variant_epochs", 0)
    assert [epoch.number for epoch in card.epochs] == list(range(1, epochs + 1))


@pytest.mark.parametrize("name", [MODEL, WEIGHTS, CURVES])
def test_altered_files_are_refused(copy: Path, name: str):
    """A file with one changed bit is refused. The message names the file and the remedy."""
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name} is not what its card vouches for.*Restore"):
        read_file(copy, Card.read(copy), name)


@pytest.mark.parametrize("name", [MODEL, CARD])
def test_missing_files_are_named(copy: Path, name: str):
    """A missing file is refused. The message names the file and the remedy."""
    (copy / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}.*Restore"):
        read_model(copy)


def test_a_file_that_the_card_does_not_name_is_refused(copy: Path):
    """A file that the card does not name is refused, even if the folder holds it."""
    card = dataclasses.replace(Card.read(copy), files={})
    with pytest.raises(ModelError, match=r"has no model\.tflite"):
        read_file(copy, card, MODEL)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "[" * 100_000, '{"format": 1}', "\x00", b"\xff\xfe"])
def test_other_texts_are_refused(text):
    """Texts that are not cards are refused with a ModelError, and not with another exception."""
    with pytest.raises(ModelError, match="not a model card"):
        Card.loads(text)


def test_cards_of_later_versions():
    """Unknown keys of a card are ignored. A card of another format is refused, and the message names the remedy."""
    values = json.loads(Card.read(BASELINE).dumps())
    values["test"]["int8"]["added later"] = values["added later"] = 1
    assert Card.loads(json.dumps(values)) == Card.read(BASELINE)
    with pytest.raises(ModelError, match=r"format 2.*Upgrade"):
        Card.loads(json.dumps(values | {"format": 2}))


def test_cards_of_earlier_versions():
    """A card without the fields that later versions added is read. These fields are None or empty."""
    values = json.loads(Card.read(BASELINE).dumps())
    later = ("reliability", "robustness", "size", "training_seconds", "intended_use", "doubts", "seeds", "not_for")
    old = Card.loads(json.dumps({name: value for name, value in values.items() if name not in later}))
    assert [getattr(old, name) for name in later] == [None] * 5 + [[]] * 3
    assert old.test == Card.read(BASELINE).test


def test_each_field_of_a_card_is_read_back():
    """A card in which all fields have values is decoded to an equal card, with the same types."""
    score, card = Score.of(9, 10), Card.read(BASELINE)
    full = dataclasses.replace(
        card,
        reliability=[Bin(0, None, None), Bin(3, 0.5, 0.6)],
        robustness=Robustness(0, {"jpeg": score}, {"jpeg": Score.of(1, 2)}),
        families={"unseen": FamilyRobustness(0, {"snow": score}, {"snow": score}, {"snow": Score.of(1, 20)})},
        doubts=[ThresholdEffect(0.8, score, score, None)],
        size=Size(5, 6),
        training_seconds=7,
        seeds=[Seeded(1, card.test)],
        intended_use="this",
        not_for=["that"],
    )
    again = Card.loads(full.dumps())
    assert again == full
    assert again.robustness is not None
    assert type(again.robustness.path["jpeg"]) is Score
    assert type(again.seeds[0].test.float) is Score


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_figures_that_are_not_finite_are_not_written(tmp_path: Path, figure: float):
    """The card of a training that diverged is refused, and no part of it is written."""
    card = Card.read(BASELINE)
    diverged = dataclasses.replace(card, epochs=[dataclasses.replace(card.epochs[0], loss=figure)])
    with pytest.raises(ModelError, match=r"not a finite number.*lower learning rate"):
        diverged.write(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "1"),
        ("test", []),
        ("epochs", {}),
        ("files", {"a": 1}),
        ("robustness", {"seed": 1}),
        ("data", None),
    ],
)
def test_fields_of_another_type_are_refused(name, value):
    """A card in which a field has the wrong type is refused."""
    values = json.loads(Card.read(BASELINE).dumps()) | {name: value}
    with pytest.raises(ModelError, match="not a model card"):
        Card.loads(json.dumps(values))


def test_a_card_gives_access_to_no_file_elsewhere(tmp_path):
    """Somebody made the folder and its card. Publishing it must not publish another file of this machine."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "mine").write_bytes(b"mine")
    sha256 = hashlib.sha256(b"mine").hexdigest()
    card = dataclasses.replace(Card.read(BASELINE), files={"../mine": sha256, str(tmp_path / "mine"): sha256})
    for name in card.files:
        with pytest.raises(ModelError, match="leads elsewhere"):
            read_file(folder, card, name)


def test_a_file_that_no_model_has_is_not_read(tmp_path):
    """A huge file would fill the memory, and a pipe would wait for ever."""
    with (tmp_path / "card.json").open("wb") as file:
        file.truncate(200 * 1024**2)
    with pytest.raises(ModelError, match="has more than 64 MiB"):
        Card.read(tmp_path)
    (tmp_path / "card.json").unlink()
    os.mkfifo(tmp_path / "card.json")
    with pytest.raises(ModelError, match="is not a regular file"):
        Card.read(tmp_path)


def test_reading_a_card_needs_no_engine():
    """Importing the card module loads neither TensorFlow nor LiteRT."""
    engines = "tensorflow", "keras", "ai_edge_litert"
    code = f"import sys, model.cards.card; print([name for name in {engines} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
