"""The CSV files hold every image, give back every name unchanged, and run nothing in a spreadsheet."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from producer.jobs.results import NONE, Results
from producer.jobs.texts import Names
from producer.report.selection import select
from producer.report.tables.tables import growing_table, write_errors, write_predictions, write_review

NAMES = st.text(st.characters(exclude_categories=()), max_size=20).filter(lambda name: not name.startswith("./"))


def results(names, *, failures=None, probabilities=None):
    """A job in which each image is a 7 and is read as 3 with confidence 0.25, unless it failed."""
    count, failures = len(names), failures or {}
    digits, confidences = np.full(count, 3, np.int8), np.full(count, 0.25, np.float32)
    digits[list(failures)], confidences[list(failures)] = NONE, np.nan
    models = ["" if index in failures else "v1" for index in range(count)]
    return Results(names, np.full(count, 7, np.int8), digits, confidences, probabilities, models, failures)


def rows(path: Path):
    """The rows of a file, as a CSV reader sees them."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def restored(cell: str) -> str:
    """The original name, from its cell."""
    name = re.sub(r"\\u(d[89a-f][0-9a-f]{2})", lambda match: chr(int(match[1], 16)), cell)
    return name.removeprefix("./")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("tables")


@given(names=st.lists(NAMES, max_size=8))
def test_any_names_come_back_as_they_were_in_order_each_once(folder, names):
    """Names with commas, quotes, line breaks, control characters, foreign bytes or formulas survive the file."""
    write_predictions(folder / "predictions.csv", results(names))
    assert [restored(row["name"]) for row in rows(folder / "predictions.csv")] == names


@given(names=st.lists(st.one_of(NAMES, st.sampled_from(["7", "scans/7.png"])), max_size=8), data=st.data())
def test_a_table_written_at_once_is_that_which_grew(folder, names, data):
    """Byte for byte, whatever the names and confidences are and whichever images failed or are doubted."""
    chosen = data.draw(st.sets(st.sampled_from(range(len(names))))) if names else set()
    job = results(Names(names), failures={index: Failure(FailureCode.BROKEN, '"=1"') for index in chosen})
    job.labels[::2] = NONE
    for index in set(range(len(names))) - chosen:
        job.confidences[index] = data.draw(
            st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.1, 0.25, 0.9999996]))
        )
    with growing_table(folder / "growing", 0.5) as add:
        add(job)
        grown = (folder / "growing" / "predictions.csv").read_bytes()
    write_predictions(folder / "predictions.csv", job, select(job, 0.5))
    assert (folder / "predictions.csv").read_bytes() == grown


@given(name=NAMES)
def test_no_cell_is_a_formula_to_a_spreadsheet(folder, name):
    """No name and no message begins with a sign that starts a formula, not even after blanks."""
    failures = {0: Failure(FailureCode.BROKEN, name)}
    write_errors(folder / "errors.csv", results([name], failures=failures))
    (row,) = rows(folder / "errors.csv")
    for cell in row.values():
        assert not re.match(r"[\s\x00-\x1f]*[=+\-@＝＋－＠]", cell)  # noqa: RUF001 - the wide signs are meant
        assert not cell.startswith(("\t", "\r", "\n"))


@pytest.mark.parametrize("name", ["=1+2", "+1", "-1.png", "@SUM(A1)", "\t=1", " =1", "＝1"])  # noqa: RUF001 - as above
def test_a_name_that_is_a_formula_still_names_the_same_file(tmp_path, name):
    """`./` in front does not change a path, so a program that opens the name finds the image."""
    write_predictions(tmp_path / "predictions.csv", results([name]))
    (row,) = rows(tmp_path / "predictions.csv")
    assert row["name"] == f"./{name}"
    assert Path(row["name"]) == Path(name)


def test_a_name_that_is_not_utf8_leaves_the_file_readable(tmp_path):
    """A byte 0xE9 in a name is written as Python prints it, and the file is valid UTF-8."""
    write_predictions(tmp_path / "predictions.csv", results([b"caf\xe9.png".decode(errors="surrogateescape"), "b"]))
    assert [row["name"] for row in rows(tmp_path / "predictions.csv")] == ["caf\\udce9.png", "b"]


def test_each_row_has_the_answer_or_the_reason(tmp_path):
    """A classified image has digit, confidence, review and model. A failed image has only code and message."""
    failure = Failure(FailureCode.BLANK, "Nothing is drawn on it.")
    job = results(["a", "b"], failures={1: failure})
    write_predictions(tmp_path / "predictions.csv", job, select(job, 0.5))
    assert rows(tmp_path / "predictions.csv") == [
        {"name": "a", "label": "7", "digit": "3", "confidence": "0.25", "review": "yes", "doubt": "", "model": "v1"}
        | {"error": "", "message": ""},
        {
            "name": "b",
            "label": "7",
            "digit": "",
            "confidence": "",
            "review": "",
            "doubt": "",
            "model": "",
            "error": "blank",
            "message": "Nothing is drawn on it.",
        },
    ]


def test_probabilities_have_columns_only_where_they_were_asked_for(tmp_path):
    """p0 to p9 are filled for classified images and empty for failed ones."""
    probabilities = np.full((2, 10), np.nan, np.float32)
    probabilities[0] = np.arange(10) / 45
    failures = {1: Failure(FailureCode.EMPTY, "The file is empty.")}
    write_predictions(tmp_path / "with.csv", results(["a", "b"], failures=failures, probabilities=probabilities))
    first, second = rows(tmp_path / "with.csv")
    np.testing.assert_allclose([float(first[f"p{digit}"]) for digit in range(10)], np.arange(10) / 45, atol=1e-6)
    assert {second[f"p{digit}"] for digit in range(10)} == {""}
    write_predictions(tmp_path / "without.csv", results(["a"]))
    assert "p0" not in rows(tmp_path / "without.csv")[0]


def test_review_lists_what_is_below_the_threshold_least_certain_first(tmp_path):
    """An image exactly at the threshold is not listed, and neither is a failed one, which has no confidence."""
    job = results(list("abcd"), failures={3: Failure(FailureCode.EMPTY, "The file is empty.")})
    job.confidences[:3] = [0.8, 0.9, 0.3]
    write_review(tmp_path / "review.csv", job, select(job, 0.9), "/scans/")
    write_predictions(tmp_path / "predictions.csv", job, select(job, 0.9))
    assert [row["name"] for row in rows(tmp_path / "review.csv")] == ["c", "a"]
    assert [row["path"] for row in rows(tmp_path / "review.csv")] == ["/scans/c", "/scans/a"]
    assert [row["review"] for row in rows(tmp_path / "predictions.csv")] == ["yes", "", "yes", ""]
    write_predictions(tmp_path / "predictions.csv", job)
    assert {row["review"] for row in rows(tmp_path / "predictions.csv")} == {""}, "without a threshold"


def test_errors_lists_the_failed_alone(tmp_path):
    """There is one row for each failed image, in the order of submission."""
    failures = {
        2: Failure(FailureCode.TOO_LARGE, "It has too many pixels."),
        0: Failure(FailureCode.EMPTY, "The file is empty."),
    }
    write_errors(tmp_path / "errors.csv", results(["a", "b", "c"], failures=failures))
    assert rows(tmp_path / "errors.csv") == [
        {"name": "a", "label": "7", "error": "empty", "message": "The file is empty."},
        {"name": "c", "label": "7", "error": "too_large", "message": "It has too many pixels."},
    ]


def test_a_doubted_image_is_for_review_first_whatever_its_confidence_is(tmp_path):
    """Its row says why. Without a threshold nothing is for review, but the reason stays."""
    job = results(list("abc"))
    job.confidences[:] = [0.3, 0.9, 1.0]
    job.doubts[2] = Doubt(DoubtCode.INK_LEFT_OUT, "read from 31 % of the ink")
    write_review(tmp_path / "review.csv", job, select(job, 0.8))
    assert [row["name"] for row in rows(tmp_path / "review.csv")] == ["c", "a"]
    write_predictions(tmp_path / "predictions.csv", job, select(job, None))
    assert [(row["review"], row["doubt"], row["message"]) for row in rows(tmp_path / "predictions.csv")] == [
        ("", "", ""),
        ("", "", ""),
        ("", "ink_left_out", "read from 31 % of the ink"),
    ]


def test_images_of_several_digits_are_for_review_after_the_unsure_ones(tmp_path):
    """They have no prediction, and are listed with their reason, unless the user wants no review."""
    several = Failure(FailureCode.SEVERAL_DIGITS, "The image shows 2 digits.")
    job = results(list("abcd"), failures={0: several, 1: Failure(FailureCode.EMPTY, "It is empty."), 3: several})
    write_review(tmp_path / "review.csv", job, select(job, 0.9), "/scans/")
    assert [row["name"] for row in rows(tmp_path / "review.csv")] == ["c", "a", "d"]
    assert [row["path"] for row in rows(tmp_path / "review.csv")] == ["/scans/c", "/scans/a", "/scans/d"]
    assert [row["error"] for row in rows(tmp_path / "review.csv")] == ["", "several_digits", "several_digits"]
    assert [row["digit"] for row in rows(tmp_path / "review.csv")] == ["3", "", ""]
    write_predictions(tmp_path / "predictions.csv", job, select(job, 0.9))
    assert [row["review"] for row in rows(tmp_path / "predictions.csv")] == ["yes", "", "yes", "yes"]
    assert not len(select(job, None).for_review)
