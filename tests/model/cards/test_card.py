"""A card says what a model is, and vouches for its files."""

import dataclasses
import hashlib
import json
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
    Doubt,
    Robustness,
    Score,
    Seeded,
    Size,
    read_file,
    read_model,
)
from model.errors import ModelError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the baseline that a test may spoil."""
    return Path(shutil.copytree(BASELINE, tmp_path / "copy"))


def test_cards_survive_writing(tmp_path: Path):
    """A card that is written and read is the same, down to its types; all its files are vouched for."""
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
    """On the baseline's card, confusion, accuracy and support are of the same test images."""
    card = Card.read(BASELINE)
    right = sum(row[digit] for digit, row in enumerate(card.confusion))
    assert right == card.test.int8.correct
    assert [sum(row) for row in card.confusion] == [score.support for score in card.per_class]
    assert sum(map(sum, card.confusion)) == card.test.int8.total == card.data.test
    assert card.test.int8.low < card.test.int8.accuracy < card.test.int8.high
    assert [epoch.number for epoch in card.epochs] == list(range(1, card.recipe["epochs"] + 1))


@pytest.mark.parametrize("name", [MODEL, WEIGHTS, CURVES])
def test_altered_files_are_refused(copy: Path, name: str):
    """A file with one changed bit is refused by name, with what to do."""
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name} is not what its card vouches for.*Restore"):
        read_file(copy, Card.read(copy), name)


@pytest.mark.parametrize("name", [MODEL, CARD])
def test_missing_files_are_named(copy: Path, name: str):
    """A missing file is named, with what to do."""
    (copy / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}.*Restore"):
        read_model(copy)


def test_a_file_the_card_does_not_name(copy: Path):
    """Asking for a file that the card does not vouch for is refused even where one lies there."""
    card = dataclasses.replace(Card.read(copy), files={})
    with pytest.raises(ModelError, match=r"has no model\.tflite"):
        read_file(copy, card, MODEL)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "[" * 100_000, '{"format": 1}', "\x00", b"\xff\xfe"])
def test_what_is_no_card_is_refused(text):
    """Anything but a card is refused with a ModelError, and with nothing else."""
    with pytest.raises(ModelError, match="not a model card"):
        Card.loads(text)


def test_cards_of_other_times():
    """A card with more in it is read; one of another format is refused, with what to do."""
    values = json.loads(Card.read(BASELINE).dumps())
    values["test"]["int8"]["added later"] = values["added later"] = 1
    assert Card.loads(json.dumps(values)) == Card.read(BASELINE)
    with pytest.raises(ModelError, match=r"format 2.*Upgrade"):
        Card.loads(json.dumps(values | {"format": 2}))


def test_cards_of_earlier_versions():
    """A card that has nothing of what was added since is read; what it does not tell is None or empty."""
    values = json.loads(Card.read(BASELINE).dumps())
    later = ("reliability", "robustness", "size", "training_seconds", "intended_use", "doubts", "seeds", "not_for")
    old = Card.loads(json.dumps({name: value for name, value in values.items() if name not in later}))
    assert [getattr(old, name) for name in later] == [None] * 5 + [[]] * 3
    assert old.test == Card.read(BASELINE).test


def test_everything_on_a_card_survives_writing():
    """Each part of a card that tells all there is comes back as what it was, down to the types."""
    score, card = Score.of(9, 10), Card.read(BASELINE)
    full = dataclasses.replace(
        card,
        reliability=[Bin(0, None, None), Bin(3, 0.5, 0.6)],
        robustness=Robustness(0, {"jpeg": score}, {"jpeg": Score.of(1, 2)}),
        doubts=[Doubt(0.8, score, score, None)],
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
def test_figures_that_json_cannot_tell_are_not_written(tmp_path: Path, figure: float):
    """A training that diverged leaves no card, and no half of one."""
    card = Card.read(BASELINE)
    diverged = dataclasses.replace(card, epochs=[card.epochs[0]._replace(loss=figure)])
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
def test_parts_of_another_kind_are_refused(name, value):
    """A card in which something has another type than it must have is no card."""
    values = json.loads(Card.read(BASELINE).dumps()) | {name: value}
    with pytest.raises(ModelError, match="not a model card"):
        Card.loads(json.dumps(values))


def test_reading_a_card_needs_no_engine():
    """The card module loads neither TensorFlow nor LiteRT."""
    code = "import sys, model.cards.card; print([m for m in ('tensorflow', 'keras', 'ai_edge_litert') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
