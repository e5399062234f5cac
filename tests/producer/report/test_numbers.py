"""A report on numbers counts each image once, scores numbers and digits, and shows what was read of each."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from model.errors import Failure, FailureCode
from producer.jobs.results import NONE, Numbers, Results
from producer.pictures import Picture
from producer.report.selection import select
from producer.report.tables.tables import write_errors, write_predictions, write_review

BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on it.")
ROWS = [
    ("two.png", "42", "42", [0.9, 0.75]),
    ("zero.png", "042", "42", [1.0, 1.0]),
    ("one.png", "7", "7", [0.5]),
    ("wrong.png", "13", "18", [0.9984, 0.9]),
    ("blank.png", "25", "", []),
    ("more.png", "9", "91", [0.9, 0.9]),
    ("unlabelled.png", "", "123", [0.9, 0.9, 0.25]),
]


@pytest.fixture(scope="module")
def numbers() -> Results:
    """Seven images: three right, one with a digit less, one misread, one with a digit more, one failed."""
    names, labels, read, shares = (list(column) for column in zip(*ROWS, strict=True))
    return Results(
        names,
        np.array([int(label) if len(label) == 1 else NONE for label in labels], np.int8),
        np.array([int(number) if len(number) == 1 else NONE for number in read], np.int8),
        np.array([min(each, default=np.nan) for each in shares], np.float32),
        None,
        ["" if number == "" else "v1" for number in read],
        {4: BLANK},
        Numbers.of([label or None for label in labels], read, shares),
    )


def pictures(indices):
    """Pictures of numbers, as wide as their digits are many."""
    return {index: Picture(np.full((28, 28 * max(len(ROWS[index][2]), 1)), index, np.uint8)) for index in indices}


def test_an_image_is_right_if_all_its_digits_are(write, numbers):
    """It counts once. Of the 11 true digits, 7 are right, 1 is wrong and 3 are missing, and 1 digit is extra."""
    _, page, report = write(numbers, read_pictures=pictures, min_confidence=0.8)
    assert (report["images"], report["classified"], report["failed"], report["labelled"]) == (7, 6, 1, 6)
    assert (report["correct"], report["accuracy"], report["accuracy_of_classified"]) == (2, 2 / 6, 2 / 5)
    assert report["digits"] == {"total": 11, "right": 7, "missing": 3, "extra": 1, "accuracy": 7 / 11}
    assert (report["review"], report["accuracy_of_certain"]) == (3, 0)
    assert "2 of 6 labelled images" in page.words
    assert "7 of 11 are right (63.64 %), 3 are missing, and 1 was read that is not there." in page.words


def test_the_confusion_matrix_counts_the_digits_with_a_partner(write, numbers):
    """Digits that were not read are in a column of their own, and each row adds up to all of its digit."""
    _, page, report = write(numbers, read_pictures=pictures)
    assert sum(map(sum, report["confusion"])) == 8
    assert report["confusion"][3][8] == 1
    assert [row["support"] for row in report["per_class"]] == [1, 1, 3, 1, 2, 1, 0, 1, 0, 1]
    rows = [[int(cell) for cell in row] for row in page.rows if len(row) == 13 and row[0] != "true"]
    assert all(sum(row[1:12]) == row[12] for row in rows)
    assert sum(row[12] for row in rows) == 11
    assert sum(row[11] for row in rows) == 3
    assert "Digits that were not read have a column of their own" in page.words


def test_mistakes_show_both_numbers_and_the_digits_side_by_side(write, numbers):
    """The most confident comes first. An image without a label is not a mistake."""
    _, page, _ = write(numbers, read_pictures=pictures)
    place = page.words.index("True number → number read")
    assert "042 → 42 100 % zero.png" in page.words[place:]
    order = [page.words.index(mistake, place) for mistake in ("042 → 42", "13 → 18", "9 → 91")]
    assert order == sorted(order)
    assert "56" in page.values("width")
    assert "a 042, read as 42" in page.values("alt")


def test_each_row_has_the_number_its_digits_and_their_confidences(tmp_path, numbers):
    """A row of a single digit has them too, a failed one has none, and zeros at the beginning stay."""
    write_predictions(tmp_path / "predictions.csv", numbers, select(numbers, 0.8))
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = "name label digit confidence review doubt number digits confidences model error message"
    assert list(rows[0]) == columns.split()
    found = [tuple(row[name] for name in columns.split()[1:9] if name != "doubt") for row in rows]
    assert found == [
        ("42", "", "0.75", "yes", "42", "4 2", "0.900 0.750"),
        ("042", "", "1.0", "", "42", "4 2", "1.000 1.000"),
        ("7", "7", "0.5", "yes", "7", "7", "0.500"),
        ("13", "", "0.9", "", "18", "1 8", "0.998 0.900"),
        ("25", "", "", "", "", "", ""),
        ("9", "", "0.9", "", "91", "9 1", "0.900 0.900"),
        ("", "", "0.25", "yes", "123", "1 2 3", "0.900 0.900 0.250"),
    ]
    write_review(tmp_path / "review.csv", numbers, select(numbers, 0.8), "scans/")
    write_errors(tmp_path / "errors.csv", numbers)
    with (tmp_path / "review.csv").open(encoding="utf-8", newline="") as file:
        assert [row["number"] for row in csv.DictReader(file)] == ["123", "7", "42"]
    with (tmp_path / "errors.csv").open(encoding="utf-8", newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["25"]


def test_single_digits_have_the_figures_of_a_job_that_does_not_read_numbers(write, results):
    """Only the score of the digits is added, and it says the same."""
    digits = results.digits.tolist()
    shares = [[] if np.isnan(share) else [share] for share in results.confidences.tolist()]
    read = ["" if digit == NONE else str(digit) for digit in digits]
    numbers = replace(results, numbers=Numbers.of(results.labels.tolist(), read, shares))
    _, _, one = write(results, min_confidence=0.8)
    _, _, other = write(numbers, min_confidence=0.8)
    score = other.pop("digits")
    assert one.pop("digits") is None
    assert (one.pop("reads_numbers"), other.pop("reads_numbers")) == (False, True)
    assert {**one, "files": None} == {**other, "files": None}
    assert (score["total"], score["right"], score["missing"], score["extra"]) == (360, one["correct"], 3, 0)
    assert score["accuracy"] == one["accuracy"]


def test_without_labels_there_is_no_score_of_digits(write, numbers):
    """The report has the numbers that were read, and their confidences."""
    assert numbers.numbers is not None
    unlabelled = replace(numbers, numbers=replace(numbers.numbers, labels=np.full(7, "", np.object_)))
    _, page, report = write(unlabelled, read_pictures=pictures)
    assert (report["digits"], report["accuracy"], report["labelled"]) == (None, None, 0)
    assert "read as 123" in page.values("alt")
