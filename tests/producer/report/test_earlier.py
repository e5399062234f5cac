"""A table gives back the results that it was written from."""

from dataclasses import replace

import numpy as np
import pytest

from model.errors import FailureCode, UsageError
from model.images.doubts import Doubt, DoubtCode
from producer.jobs.results import NONE, Numbers
from producer.report.earlier import Earlier, joined, read_earlier
from producer.report.tables.rows import FileVersion
from producer.report.tables.tables import growing_table
from producer.sources import array_source

SOURCE = array_source(np.zeros((1, 28, 28), np.uint8), "scans")


def version(name, size=10):
    """The version of a file of this name."""
    return FileVersion(name, size, "2026-11-26T10:00:00.123456789Z")


def table(folder, results, **form):
    """Write a table that has each row twice, and read it. The last row may be torn, so it does not count."""
    versions = {name: version(name) for name in results.names}
    with growing_table(folder, None, results, versions) as add:
        add(results)
    return read_earlier(folder, SOURCE, **form)


@pytest.mark.parametrize("ten", [False, True])
def test_rows_come_back_as_they_were(results, tmp_path, ten):
    """So do names that a spreadsheet would run, failures, doubts and labels that are missing."""
    names = ["=1+2", "a\nb", *results.names[2:]]
    labels = np.where(np.arange(len(results)) % 5 == 0, NONE, results.labels).astype(np.int8)
    doubts = {3: Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")}
    shares = np.tile(results.confidences[:, None], 10) if ten else None
    results = replace(results, names=names, labels=labels, doubts=doubts, probabilities=shares)
    found = table(tmp_path, results, probabilities=ten, numbers=False)
    back = found.results(probabilities=ten, numbers=False)
    assert back.names == ["./=1+2", *names[1:]]
    for column in ("labels", "digits", "confidences", *(("probabilities",) if ten else ())):
        np.testing.assert_allclose(getattr(back, column), getattr(results, column), atol=1e-6)
    assert (back.models, back.failures, back.doubts) == (results.models, results.failures, doubts)
    assert found.lacks({name: version(name) for name in names}) == []
    assert found.lacks({names[0]: version(names[0], 11), "new": version("new")}) == [names[0], "new"]


def test_numbers_come_back_as_they_were(results, tmp_path):
    """A number keeps its zeros."""
    count = len(results)
    read = ["" if row in results.failures else "042" for row in range(count)]
    shares = [[0.9, 0.8, 0.7] if number else [] for number in read]
    results = replace(
        results,
        labels=np.full(count, NONE, np.int8),
        digits=np.full(count, NONE, np.int8),
        numbers=Numbers.of(["007"] * count, read, shares),
    )
    back = table(tmp_path, results, probabilities=False, numbers=True).results(probabilities=False, numbers=True)
    assert back.numbers is not None
    assert (back.numbers.labels.tolist(), back.numbers.read.tolist()) == (["007"] * count, read)
    assert back.numbers.confidences == shares
    twice = joined(back, back)
    assert twice.numbers is not None
    assert (len(twice), len(twice.failures), len(twice.numbers.read)) == (
        2 * count,
        2 * len(results.failures),
        2 * count,
    )


def test_rows_of_a_job_that_did_not_end_need_the_versions_of_their_files(results, tmp_path):
    """Without them, nothing tells which files the rows are about."""
    with growing_table(tmp_path, None, results):
        pass
    with pytest.raises(UsageError, match="`digitmill resume` continues that job"):
        read_earlier(tmp_path, SOURCE, probabilities=False, numbers=False)


def test_an_image_that_could_not_be_read_is_tried_again():
    """Its file may be readable now, and neither its size nor its time would tell."""
    failures = {0: FailureCode.UNREADABLE, 1: FailureCode.BROKEN}
    rows = {
        str(index): {"error": code, "size": "10", "modified": version("").modified} for index, code in failures.items()
    }
    assert Earlier(rows).lacks({"0": version("0"), "1": version("1")}) == ["0"]
