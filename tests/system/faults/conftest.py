"""Jobs that run while a test harms the mill, and the answers that they must get."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.data.digits import Digits
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.results import Results
from producer.jobs.submission import create_job, gather_job
from producer.sources import Source, open_source
from tests.support.images import undisturbed_answers


@pytest.fixture
def begin_job():
    """Start a job in the background. Return a future of its results."""
    pool = ThreadPoolExecutor(1)

    def begin(mill, source: Source, *, batch_size: int | None = None, timeout: float = 60.0) -> Future[Results]:
        order = SubmitOptions(path="test", batch_size=batch_size)
        job = create_job(mill.connection, order, source.description, mill.settings, detached=False)
        return pool.submit(
            lambda: gather_job(mill.connection, job, order, source, mill.settings, timeout=timeout).results
        )

    yield begin
    pool.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def folder_of(tmp_path: Path, digits: Digits, png) -> Callable[..., Source]:
    """Make a folder of the first digits as PNG files, some with a mark after their last byte."""

    def make(count: int, marks: dict[int, bytes] | None = None, *, all_marked: bytes = b"") -> Source:
        folder = tmp_path / "images"
        folder.mkdir()
        for index in range(count):
            data = png(digits.images[index]) + (marks or {}).get(index, all_marked)
            (folder / f"{index:05d}.png").write_bytes(data)
        return open_source(folder, labels="none")

    return make


@pytest.fixture(scope="session")
def undisturbed(digits: Digits) -> NDArray[np.int8]:
    """The digits that the model names without a queue, by index."""
    return undisturbed_answers(digits.images)


def assert_each_answered_once(results: Results, expected: NDArray[np.int8], *, failed: tuple[int, ...] = ()) -> None:
    """Check that each image has exactly one row, in order, with the digit of an undisturbed run or an error.

    Args:
        results: Results of the job.
        expected: Digits of an undisturbed run, int8 (n,).
        failed: Indices of the images whose rows must be errors.
    """
    assert len(set(results.names)) == len(results.names) == len(expected)
    assert tuple(results.failures) == failed
    kept = np.ones(len(expected), bool)
    kept[list(failed)] = False
    np.testing.assert_array_equal(results.digits[kept], expected[kept])


@pytest.fixture
def check():
    """The function `assert_each_answered_once`."""
    return assert_each_answered_once
