"""`--several read` as users see it: real processes, real files and a real mill."""

import csv
import json

import numpy as np
import pytest

from tests.support.command import CommandLine
from tests.support.images import number_picture

NUMBERS = ["042", "7", "19", "5", "31"]


@pytest.fixture
def digitmill(tmp_path, mill):
    """The command line beside the tests' mill."""
    return CommandLine(tmp_path, mill.stack.url)


@pytest.fixture
def meters(tmp_path, digits, png):
    """A folder with pictures of numbers, a blank one, and a label file that has one of them wrong."""
    folder = tmp_path / "meters"
    folder.mkdir()
    for number in NUMBERS:
        (folder / f"m{number}.png").write_bytes(png(number_picture(digits, number)))
    (folder / "blank.png").write_bytes(png(np.zeros((40, 80), np.uint8)))
    truths = {f"m{number}.png": number for number in NUMBERS} | {"blank.png": "20", "m31.png": "37"}
    lines = ["name,label", *(f"{name},{label}" for name, label in truths.items())]
    (tmp_path / "truth.csv").write_text("\n".join(lines) + "\n")
    return folder


def rows(report):
    """The rows of a report's predictions.csv by name."""
    with (report / "predictions.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_numbers_are_read_scored_and_shown(digitmill, meters):
    """The headline scores numbers and digits, and each table and picture has one row for an image."""
    labels = ("--labels", meters.parent / "truth.csv")
    refused = digitmill("submit", meters, "--labels", "none", code=1).output
    assert "4 several_digits" not in refused
    assert "3 several_digits" in refused
    words = digitmill("submit", meters, *labels, "--several", "read", "--out", "report", code=1).output
    assert "accuracy  66.67 %  (4 of 6 labelled images right)" in words
    assert "digits    72.73 %  (8 of 11 right, 2 missing)" in words
    found = rows(digitmill.folder / "report")
    assert len(found) == 6
    assert [found["m042.png"][name] for name in ("label", "digit", "number", "digits")] == ["042", "", "042", "0 4 2"]
    assert [found["m7.png"][name] for name in ("label", "digit", "number", "digits")] == ["7", "7", "7", "7"]
    assert found["blank.png"]["error"] == "blank"
    assert found["blank.png"]["number"] == found["blank.png"]["confidences"] == ""
    page = (digitmill.folder / "report" / "report.html").read_text()
    assert "37 → 31" in page
    assert 'width="56" height="28" alt="a 37, read as 31"' in page, "the digits side by side, read from the source"
    summary = json.loads((digitmill.folder / "report" / "report.json").read_text())
    assert summary["digits"] == {"total": 11, "right": 8, "missing": 2, "extra": 0, "accuracy": 8 / 11}

    job = digitmill("submit", meters, *labels, "--several", "read", "--detach", "--json").json["job"]
    again = digitmill("report", job, "--json", "--out", "again", code=1).json
    assert again["digits"] == summary["digits"]
    elsewhere = digitmill("report", job, "--json", "--out", "elsewhere", code=1, DIGITMILL_DATA="other").json
    assert elsewhere["confusion"] == summary["confusion"]
    assert rows(digitmill.folder / "elsewhere") == found == rows(digitmill.folder / "again")


@pytest.mark.usefixtures("meters")
def test_classify_prints_the_number_of_each_image(digitmill):
    """With --json, each answer also has the number and its confidences, and none has probabilities."""
    printed = digitmill("classify", "meters/m042.png", "meters/m7.png", "--several", "read").output.splitlines()
    assert [line.split()[:2] for line in printed] == [["meters/m042.png", "042"], ["meters/m7.png", "7"]]
    paths = ("meters/m042.png", "meters/m7.png", "meters/blank.png")
    three, one, blank = digitmill("classify", *paths, "--several", "read", "--json", code=1).json["predictions"]
    assert (three["number"], three["digit"]) == ("042", None)
    assert three["confidence"] == min(three["confidences"])
    assert len(three["confidences"]) == 3
    assert (one["number"], one["digit"], one["confidences"]) == ("7", 7, [one["confidence"]])
    assert (blank["number"], blank["confidences"], blank["error"]["code"]) == (None, [], "blank")
    assert not any("probabilities" in answer for answer in (three, one, blank))


@pytest.mark.usefixtures("meters")
def test_an_image_of_several_digits_is_refused_with_the_option_that_reads_them(digitmill):
    """Whoever meets the error need not search for the remedy."""
    [answer] = digitmill("classify", "meters/m042.png", "--json", code=1).json["predictions"]
    assert answer["error"]["code"] == "several_digits"
    assert "--several read" in answer["error"]["message"]


def test_numbers_have_no_probabilities(digitmill, meters):
    """The command says so before a job exists."""
    words = digitmill("submit", meters, "--several", "read", "--probabilities", code=2).errors
    assert "does not have ten probabilities. Leave out --probabilities." in words
    assert digitmill("submit", meters, "--several", "some", code=2).errors


def test_a_dry_run_counts_numbers(digitmill, meters):
    """Labels are numbers only if they are asked for. Of many different ones, it prints how many there are."""
    labels = ("--labels", meters.parent / "truth.csv", "--dry-run")
    words = digitmill("submit", meters, *labels, "--several", "read").output
    assert "labels    042: 1, 19: 1, 20: 1, 37: 1, 5: 1, 7: 1" in words
    assert "submit with --several read" in digitmill("submit", meters, *labels, code=2).errors
    many = meters.parent / "many"
    many.mkdir()
    for number in range(25):
        (many / f"m{number:03}.png").write_bytes(b"x")
    listed = [f"m{number:03}.png,{number:03}" for number in range(24)]
    (meters.parent / "many.csv").write_text("\n".join(["name,label", *listed]) + "\n")
    words = digitmill("submit", many, "--labels", "many.csv", "--dry-run", "--several", "read").output
    assert "labels    24 different numbers, none: 1" in words
