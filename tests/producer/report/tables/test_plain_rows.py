"""Rows that are made column by column are those that `csv` writes, byte for byte."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from producer.jobs.results import Results
from producer.jobs.texts import Names
from producer.report.selection import select
from producer.report.tables import plain_rows
from producer.report.tables.plain_rows import LastCells, plain_texts
from producer.report.tables.rows import FileVersion, csv_writer, rows_of

ODD_NAMES = [
    *("=a", "-a", "+a", "@a", " =a", "\t=a", "＝a", "＠a", "\u00a0=a", "\u2003-a", "\x85=a", "\x1f=a", "\ufeff=a"),  # noqa: RUF001 - formulas
    *('a"b', '"', '""', "a\x00b", "\x00", "a\x00", "a\nb", "\r", "", " ", "'", "a,b;c", "a\\b", "./=a"),
    *(
        "é/1.png",
        "1é",
        "한국",
        "1한",
        "\udc80",
        "a\udcff",
        "\ud800",
        "\U0001f600",
        "-" * 300,
        "x" * 256,
        "x" * 257,
        "é" * 200,
    ),
]
"""Names of all kinds that need care, and of some that only look so."""


def by_csv(job: Results, order: np.ndarray, doubted: np.ndarray, last: LastCells) -> str:
    """What `csv` writes of the rows of a job."""
    text = io.StringIO()
    cells = (last.of(job.names[index]) for index in order.tolist())
    csv_writer(text).writerows((*row, *more) for row, more in zip(rows_of(job, order, doubted), cells, strict=True))
    return text.getvalue()


def by_column(job: Results, order: np.ndarray, doubted: np.ndarray, last: LastCells) -> str:
    """What the module makes of them."""
    return "".join(plain_texts(job, order, doubted, last))


def job_of(names: Sequence[str]) -> Results:
    """A job of images with these names, with labels and confidences of all kinds, and two versions."""
    count = len(names)
    shares = [0.0, 1e-7, 5e-5, 1e-4, 0.1, 0.123456, 0.999999, 0.9999996, 1.0, 0.5, 0.25, 1 / 3]
    return Results(
        names,
        (np.arange(count) % 11 - 1).astype(np.int8),
        (np.arange(count) % 10).astype(np.int8),
        np.resize(np.array(shares, np.float32), count),
        None,
        [f"v{index % 2}" for index in range(count)],
        {},
    )


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_rows_of_a_job_in_any_order(results, monkeypatch, at_once):
    """Failed and doubted images are among them."""
    job = replace(results, doubts={5: Doubt(DoubtCode.CROSSED_OUT, "=looks crossed out")}, names=Names(results.names))
    assert job.failures
    order, doubted = np.random.default_rng(1).permutation(len(job)), select(job, 0.9).doubted
    monkeypatch.setattr(plain_rows, "_ROWS_AT_ONCE", at_once)
    versions = {name: FileVersion(f'/"{name}', None if name < "box 1" else len(name), None) for name in job.names}
    for last in (LastCells(), LastCells("/scans/"), LastCells(""), LastCells(versions=versions)):
        assert by_column(job, order, doubted, last) == by_csv(job, order, doubted, last)


@pytest.mark.parametrize("as_names", [Names, list], ids=["Names", "a list"])
def test_rows_of_odd_names(as_names):
    """Each stands alone, among the others, and after a plain name."""
    for names in ([*ODD_NAMES], *([name] for name in ODD_NAMES), *(["plain.png", name] for name in ODD_NAMES)):
        job, order = job_of(as_names(names)), np.arange(len(names))
        for root in (None, "", *ODD_NAMES):
            last = LastCells(root)
            assert by_column(job, order, order < 3, last) == by_csv(job, order, order < 3, last)


@given(st.lists(st.text(st.characters(codec=None), max_size=9), max_size=20))
def test_rows_of_any_names(names):
    """Whatever characters they have."""
    job, order = job_of(Names(names)), np.arange(len(names))
    assert by_column(job, order, order < 0, LastCells()) == by_csv(job, order, order < 0, LastCells())


def test_rows_of_any_share():
    """Of all shares of a million, and of those that Python writes with an exponent."""
    shares = np.concatenate([np.arange(0, 10**6, 37) / 1e6, [2e-6, 1.0, 0.9999994, 0.9999996]]).astype(np.float32)
    job = replace(job_of(["a"] * len(shares)), confidences=shares)
    order = np.arange(len(shares))
    assert by_column(job, order, order < 0, LastCells()) == by_csv(job, order, order < 0, LastCells())


def test_a_failed_image_between_two_others():
    """Its row stands in its place."""
    job = job_of(["a", "b", "c"])
    job.failures[1] = Failure(FailureCode.BROKEN, 'It is "cut".')
    job.confidences[1] = np.nan
    job.digits[1] = -1
    order = np.arange(3)
    assert by_column(job, order, order < 0, LastCells()) == by_csv(job, order, order < 0, LastCells())
