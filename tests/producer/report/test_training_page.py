"""The report of a training shows gate, changes and curves, needs no other file, and replaces only itself."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.cards.card import Score
from model.cards.changes import MAX_KEPT, ChangedImage, Changes
from model.cards.decision import Comparison, Decision, ModelAssessment
from model.errors import UsageError
from producer.report import training_page
from producer.report.rendering import source_hash
from producer.report.training_page import render, write_training_report
from tests.producer.report.invented import Page

CSS = (Path(training_page.__file__).parent / "report.css").read_text()


def assessed(version, right, taught=None, total=5000):
    """Return the assessment of a model."""
    return ModelAssessment(version, Score.of(right, total), taught, [right / total] * 10, 235_048, 6_000.0)


DECISION = Decision(
    passed=True,
    reason="Passed: 30 of 34 held-out taught images right (88.2 %), 20 (58.8 %) with the live version live-1.",
    candidate=assessed("new-1", 4975, Score.of(30, 34)),
    live=assessed("live-1", 4970, Score.of(20, 34)),
    agreement=Score.of(5000, 5000),
    best=assessed("best-1", 4976, Score.of(1, 10)),
    comparisons=[
        Comparison("live-1", "taught", 11, 1),
        Comparison("best-1", "taught", 29, 0),
        Comparison("live-1", "validation", MAX_KEPT + 5, 0),
        Comparison("best-1", "validation", 2, 3),
    ],
)


def changed(images, label, before, after, shade=200):
    """Return a changed image of one shade."""
    return ChangedImage.of(images, label, before, after, np.full((28, 28), shade, np.uint8))


CHANGES = Changes(
    "live-1",
    [changed("taught", 0, 8, 0, shade) for shade in range(11)]
    + [changed("taught", 4, 4, 9)]
    + [changed("validation", 7, 1, 7)] * MAX_KEPT,
)


def test_charts_and_changes_are_png_files_beside_the_page(card, tmp_path):
    """A second report replaces them, but not a picture of the user. Each says more than one grey."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "new.html"
    for _ in range(2):
        pngs, notice = write_training_report(path, card, DECISION, CHANGES)
        assert notice == ""
    assert [each.name for each in pngs] == [
        "new-training.png",
        "new-accuracy.png",
        "new-digits.png",
        "new-changes.png",
    ]
    for each in pngs:
        with Image.open(each) as picture:
            assert min(picture.size) > 200
            assert len(np.unique(np.asarray(picture.convert("L")))) > 3
    Image.new("L", (9, 9)).save(pngs[0])
    with pytest.raises(UsageError, match=r"new-training.png was not written by `digitmill models report`"):
        write_training_report(path, card, DECISION, CHANGES)


@pytest.fixture
def page(card):
    """The page of a candidate that passed."""
    return Page(render(card, DECISION, CHANGES))


def test_the_gates_table_has_a_column_for_each_model(page):
    """Of fewer than 20 images there is no share. The reason stands above it."""
    assert DECISION.reason in page.words
    start = next(row for row, cells in enumerate(page.rows) if cells[:1] == ["what"])
    assert page.rows[start][1:] == ["candidatenew-1", "livelive-1", "bestbest-1"]
    assert page.rows[start + 1] == [
        "validation images right",
        "4,975 of 5,000 (99.50\N{NO-BREAK SPACE}%)",
        "4,970 of 5,000 (99.40\N{NO-BREAK SPACE}%)",
        "4,976 of 5,000 (99.52\N{NO-BREAK SPACE}%)",
    ]
    assert page.rows[start + 2][3] == "1 of 10"
    assert ["best-1", "validation images", "2", "3"] in page.rows


def test_what_changed_is_shown_in_both_directions_with_words_for_each_picture(page):
    """A heading counts all of them, even if not all are shown. Where none changed, it says so."""
    alternatives = page.values("alt")
    assert alternatives.count("A 0. Before it was read as 8, now it is read as 0.") == 11
    assert "A 4. Before it was read as 4, now it is read as 9." in alternatives
    assert len(alternatives) == 12 + MAX_KEPT == page.tags.count("img")
    assert "Were wrong, are right: 11" in page.words
    assert "Were right, are wrong: 1 4 → 9a 4" in page.words
    assert f"Were wrong, are right: {MAX_KEPT + 5} These are the first {MAX_KEPT}." in page.words
    assert "Were right, are wrong: 0 None." in page.words


def test_the_page_has_both_curves_and_headings_in_order(page, card):
    """A sentence describes each chart, for readers who cannot see it. No heading skips a level."""
    assert f"in {len(card.epochs)} epochs" in page.text
    assert "Validation accuracy went from" in page.text
    assert page.tags.count("svg") == 2
    assert page.tags.count("polyline") == 4
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_page_needs_nothing_but_itself(page):
    """All addresses are embedded pictures, and a policy forbids everything else."""
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "a"} & set(page.tags)
    assert all(address.startswith("data:image/png;base64,") for address in page.values("src", "href"))
    assert f"default-src 'none'; img-src data:; style-src {source_hash(page.style)}" in page.values("content")


def test_what_others_wrote_is_shown_and_does_nothing(card, hostile):
    """The reason comes from Redis."""
    page = Page(render(card, replace(DECISION, reason=hostile + "\u202e"), CHANGES))
    assert hostile in page.text
    assert "\u202e" not in page.text
    assert "onerror" not in dict(page.attributes)


def test_a_version_without_some_of_its_files_has_a_report_all_the_same(card):
    """The gate judged none of those that were pushed, and older trainers kept no pictures."""
    page = Page(render(replace(card, parent=None), None, None))
    assert "Not judged by the gate" in page.words
    assert "What changed" not in page.words
    page = Page(render(card, DECISION, None))
    assert "The pictures are not available" in page.words
    for epochs, words in (([], "The card has no epochs."), (card.epochs[:1], "There was one epoch, so there are no")):
        page = Page(render(replace(card, epochs=epochs), DECISION, CHANGES))
        assert words in page.words
        assert "svg" not in page.tags


def test_a_report_replaces_only_such_a_report(tmp_path, card):
    """A file of somebody else is refused and stays as it is. So is a folder, and a place that cannot be written."""
    path = tmp_path / "new" / "report.html"
    write_training_report(path, card, None, None)
    write_training_report(path, card, DECISION, CHANGES)
    assert path.read_text() == render(card, DECISION, CHANGES)
    other = tmp_path / "other.html"
    other.write_text("mine")
    for wrong in (other, tmp_path):
        with pytest.raises(UsageError, match=r"was not written by .*Choose another file with --out"):
            write_training_report(wrong, card, None, None)
    with pytest.raises(UsageError, match=r"Cannot write .*Choose another file with --out"):
        write_training_report(other / "below.html", card, None, None)
    assert other.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.rglob("*") if each.suffix != ".png") == [
        "new",
        "other.html",
        "report.html",
    ]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
@pytest.mark.parametrize("text", ["ink", "soft", "blue", "red", "amber"])
def test_texts_stand_out_from_their_ground(theme, ground, text):
    """The contrast is at least 4.5:1, as WCAG 2.2 asks (1.4.3), in both reports."""
    lightness = sorted(luminance(re.findall(rf"--{name}: ([^;]+);", CSS)[theme]) for name in (ground, text))
    assert (lightness[1] + 0.05) / (lightness[0] + 0.05) >= 4.5


def luminance(colour):
    """Return the relative luminance of a colour, as WCAG defines it."""
    if colour.startswith("#"):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[start : start + 2], 16) for start in (0, 2, 4)]
    else:
        parts = [int(part) for part in colour.split()]
    shares = [part / 255 for part in parts]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
