"""The page of a card shows what the card contains."""

import dataclasses
import re
from itertools import pairwise
from pathlib import Path

import pytest

from model.cards.card import (
    BASELINE,
    CARD,
    Bin,
    Card,
    FamilyRobustness,
    Robustness,
    Score,
    Scores,
    Seeded,
    Size,
    ThresholdEffect,
)
from model.cards.page import PAGE, page, write_card
from model.evaluation.corruptions import CORRUPTIONS


@pytest.fixture
def full() -> Card:
    """Return the baseline's card with values in all fields."""
    score = Score.of(9, 10)
    card = Card.read(BASELINE)
    tests = [Scores(Score.of(right, 10_000), Score.of(right - 2, 10_000)) for right in (9950, 9960, 9970)]
    return dataclasses.replace(
        card,
        reliability=[Bin(0, None, None), Bin(3, 0.25, 0.75)],
        robustness=Robustness(0, {"jpeg": score, "shear": Score.of(5, 10)}, {"jpeg": score, "shear": score}),
        families={"unseen": FamilyRobustness(0, {"snow": score}, {"snow": Score.of(5, 10)}, {"snow": Score.of(1, 10)})},
        doubts=[
            ThresholdEffect(0.5, Score.of(3, 50), Score.of(7, 1000), Score.of(2, 44)),
            ThresholdEffect(0.95, score, score, None),
        ],
        size=Size(225_034, 235_048),
        recipe={**card.recipe, "teachers": 2},
        epochs=[dataclasses.replace(card.epochs[0], seconds=15, augmentation=3)] * 2,
        training_seconds=150,
        seeds=[Seeded(seed, test) for seed, test in enumerate(tests)],
        intended_use="Reading digits.",
        not_for=["Letters.", "Cheques."],
    )


def row(text: str, name: str) -> list[str]:
    """Return the other cells of the only table row whose first cell is `name`."""
    [found] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def test_it_contains_the_figures_of_the_card(full):
    """The page shows each figure in its place, rounded, and the means over corruptions and seeds."""
    text = page(full)
    assert f"{100 * full.test.int8.accuracy:.2f} % of 10,000 test images (mnist)" in text
    assert "225,034 parameters and takes 235,048 bytes" in text
    assert "Reading digits." in text
    assert "- Letters.\n- Cheques." in text
    assert row(text, "shear") == ["50.00 % (23.66 % to 76.34 %)", "90.00 % (59.58 % to 98.21 %)"]
    assert row(text, "snow") == ["90.00 % (59.58 % to 98.21 %)", "50.00 % (23.66 % to 76.34 %)", "10.00 %"]
    means = [line for line in text.splitlines() if line.startswith("| **mean**")]
    assert means == [
        "| **mean** | 99.600 % | 99.580 % |",
        "| **mean** | 70.00 % | 90.00 % |",
        "| **mean** | 90.00 % | 50.00 % | 10.00 % |",
    ]
    assert row(text, "standard deviation") == ["0.100 %", "0.100 %"]
    assert row(text, "0.50 to 1.00") == ["3", "75.00 %", "25.00 %"]
    assert "0.00 to 0.50" not in text
    assert row(text, "0.5") == ["6.00 %", "0.70 %", "2 of 44"]
    assert row(text, "0.95") == ["90.00 %", "90.00 %", ""]
    assert row(text, "time") == ["2.5 minutes"]
    assert row(text, "augmentation") == ["20 % of the time of one processor"]
    assert row(text, r"`augmentation.shift`") == ["2"]
    assert full.data.sha256 in text
    assert all(digest in text for digest in full.files.values())


def test_missing_fields_are_left_out():
    """The page of an old card does not contain empty sections, None or NaN."""
    card = Card.read(BASELINE)
    older = dataclasses.replace(
        card, reliability=None, robustness=None, size=None, intended_use=None, doubts=[], seeds=[], not_for=[]
    )
    text = page(older)
    assert not re.search(r"\bNone\b|\bnan\b", text)
    assert "Corrupted" not in text
    assert "used for" not in text
    headings = [line for line in text.splitlines() if line]
    assert not any(line.startswith("##") and after.startswith("## ") for line, after in pairwise(headings))


def test_the_time_of_a_resumed_training_is_that_of_its_epochs(full):
    """If the total time is unknown, the page adds up the epochs, and says that teacher networks took more time."""
    epochs = [dataclasses.replace(full.epochs[0], seconds=30.0), dataclasses.replace(full.epochs[1], seconds=60.0)]
    alone = dataclasses.replace(full, training_seconds=None, epochs=epochs, recipe={"teachers": 0})
    assert row(page(alone), "time") == ["1.5 minutes"]
    distilled = dataclasses.replace(alone, recipe={"teachers": 2})
    assert row(page(distilled), "time") == ["1.5 minutes, plus the time for its teacher networks"]


@pytest.mark.parametrize("name", ["degradation", "wear"])
def test_it_says_that_training_degraded_images(full, name):
    """The page has a hint if the recipe degrades images, which older recipes call wear, and not otherwise."""
    hint = "not entirely new to the model"
    assert hint not in page(dataclasses.replace(full, recipe={name: 0.0}))
    assert hint in page(dataclasses.replace(full, recipe={name: 0.03}))


def test_no_name_breaks_a_table(full):
    """Whatever the names of data and files, all rows of a table have the same number of cells."""
    odd = dataclasses.replace(full, data=dataclasses.replace(full.data, name="a|b\nc|"), files={"|x|\n|y|\\|": "0"})
    lines = page(odd).splitlines()
    widths = {}
    for line, after in pairwise(lines):
        if line.startswith("|") and after.startswith("|"):
            cells = [len(re.findall(r"(?<!\\)(?:\\\\)*\|", each)) for each in (line, after)]
            widths[line] = cells[0] == cells[1]
    assert len(widths) > 30
    assert all(widths.values())
    assert not any(line.startswith(("c", "|y|")) for line in lines)


def test_the_page_stands_beside_the_card(full, tmp_path: Path):
    """`write_card` writes card and page. The card that is read back gives the same page."""
    write_card(full, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CARD, PAGE]
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == page(Card.read(tmp_path)) == page(full)


def test_the_baselines_page_is_made_from_its_card():
    """The shipped page is what the page code makes of the shipped card, which has all corruptions by name."""
    card = Card.read(BASELINE)
    assert (BASELINE / PAGE).read_text(encoding="utf-8") == page(card)
    assert card.robustness is not None
    assert list(card.robustness.network) == list(card.robustness.path) == list(CORRUPTIONS)
