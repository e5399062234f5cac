"""Rows say what `classify --json` and `predictions.csv` say, and which version of which file they are about."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from producer.calls.prediction import Prediction
from producer.watching.record import key_of
from producer.watching.rows import CsvRows, JsonRows, Row, RowFormat
from producer.watching.tree import Version

SURE = Prediction(7, 0.99999949, (0.0,) * 7 + (1.0, 0.0, 0.0), "baseline-1", review=False)
FORMATS: list[RowFormat] = [
    JsonRows(probabilities=False, numbers=False),
    JsonRows(probabilities=True, numbers=True),
    CsvRows(probabilities=False, numbers=False),
    CsvRows(probabilities=True, numbers=True),
]

# Any bytes are a name, but for NUL and `/`. Those that are not UTF-8 are surrogates.
names = st.binary(min_size=1, max_size=40).map(
    lambda name: name.replace(b"\0", b"0").replace(b"/", b"\\").decode("utf-8", "surrogateescape")
)
versions = st.builds(
    Version,
    names | st.sampled_from(["a#", "a##page=1", "#page=", "scan.tif#page=1"]),
    st.integers(0, 2**50),
    st.integers(-(2**62), 2**63 - 1) | st.integers(0, 2 * 10**18),
)
predictions = st.sampled_from(
    [
        SURE,
        Prediction.failed(Failure(FailureCode.BLANK, 'It is "blank",\nsays a worker.')),
        Prediction(4, 0.5, None, "m", review=True, doubt=Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")),
        Prediction(None, 0.5, None, "m", review=True, number="042", confidences=(0.5, 0.9, 1.0)),
    ]
)


@given(st.sampled_from(FORMATS), versions, st.lists(predictions, min_size=1, max_size=4), st.booleans())
def test_every_row_is_a_line_that_says_which_version_it_is_about(rows, version, answers, is_document):
    """Whatever the name and the time are, reading gives the same version, and how many rows it has."""
    is_document = is_document or len(answers) > 1
    written = [
        Row(f"{version.name}#page={number}" if is_document else version.name, answer)
        for number, answer in enumerate(answers, 1)
    ]
    lines = rows.encode(version, written, 1764136800.5).split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(answers)
    for line, answer in zip(lines, answers, strict=True):
        found, count, failed = rows.decode(line + b"\n")
        assert key_of(found.name) == key_of(version.name)
        assert found[1:] == version[1:]
        assert (count, failed) == (len(answers), answer.error is not None)


@pytest.mark.parametrize("rows", FORMATS)
def test_what_is_not_a_row_is_not_read_as_one(rows):
    """A torn line, another table, or a value that cannot be."""
    line = rows.encode(Version("a.png", 1, 2), [Row("a.png", SURE)], 0.0)
    assert rows.decode(line) is not None
    for other in (b"", b"\n", b"[1]\n", b"{}\n", b'"a","b"\n', b"\xff\n", line[:-9], b"[" * 10**6, line + line):
        assert rows.decode(other) is None


@pytest.mark.parametrize("number", [str(2**63), "-1", "1e3", "9" * 5000])
def test_a_number_that_cannot_be_the_size_of_a_file_makes_no_row(number):
    """Somebody else wrote it."""
    line = FORMATS[0].encode(Version("a.png", 1, 2), [Row("a.png", SURE)], 0.0)
    changed = line.replace(b'"size": 1', b'"size": ' + number.encode())
    assert changed != line
    assert FORMATS[0].decode(changed) is None


def test_json_says_what_classify_says():
    """What was not asked for has no key, and the time of the file has all its digits."""
    rows = JsonRows(probabilities=False, numbers=False)
    line = rows.encode(Version("3/ü.png", 314, 1764136800123456789), [Row("3/ü.png", SURE)], 1764136801.25)
    assert json.loads(line) == {
        "format": 1,
        "name": "3/ü.png",
        "digit": 7,
        "confidence": 0.999999,
        "review": False,
        "review_reason": None,
        "model": "baseline-1",
        "error": None,
        "size": 314,
        "modified": "2025-11-26T06:00:00.123456789Z",
        "written": "2025-11-26T06:00:01.250Z",
    }
    failed = Prediction.failed(Failure(FailureCode.SEVERAL_DIGITS, "It shows 2 digits."))
    page = json.loads(rows.encode(Version("s.tif", 1, 0), [Row("s.tif#page=1", failed)], 0.0))
    assert (page["digit"], page["review"], page["error"]["code"], page["pages"]) == (None, True, "several_digits", 1)


def test_rows_of_earlier_versions_are_read():
    """An output of 0.2 is continued: its rows say as much as those of today, and its torn row is recognised."""
    about = '"size": 314, "modified": "2025-11-26T06:00:00.123456789Z", "written": "2025-11-26T06:00:01.250Z"}\n'
    row = '{"name": "a.png", "digit": 7, "confidence": 0.9, "review": false, "model": "baseline-1", ' + about
    failed = '{"name": "a.png", "digit": null, "confidence": null, "error": "blank", "message": "Blank.", ' + about
    rows = FORMATS[0]
    assert rows.decode(row.encode()) == (Version("a.png", 314, 1764136800123456789), 1, False)
    assert rows.decode(failed.encode()) == (Version("a.png", 314, 1764136800123456789), 1, True)
    for whole in (row.encode(), rows.encode(Version("a.png", 1, 2), [Row("a.png", SURE)], 0.0)):
        assert rows.begins(whole)
        assert all(rows.begins(whole[:end]) for end in range(1, len(whole)))
    assert not rows.begins(b'{"other": ')


def test_csv_has_the_columns_of_predictions():
    """A spreadsheet runs none of them, and a name with a line break stays in its line."""
    rows = CsvRows(probabilities=False, numbers=True)
    number = Prediction(None, 0.5, None, "m", review=True, number="042", confidences=(0.5, 0.9, 1.0))
    text = (rows.header + rows.encode(Version("=1\n.png", 9, 0), [Row("=1\n.png", number)], 0.0)).decode()
    (row,) = csv.DictReader(text.splitlines())
    assert row["name"] == "./=1\\n.png"
    assert (row["digit"], row["number"], row["digits"], row["confidences"]) == ("", "042", "0 4 2", "0.500 0.900 1.000")
    assert (row["label"], row["review"], row["error"], row["pages"]) == ("", "yes", "", "")
