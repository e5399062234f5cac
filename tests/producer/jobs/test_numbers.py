"""A job that reads all digits of an image: through real workers, interrupted, detached, and with an older worker."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.data.digits import Digits
from model.errors import FailureCode
from producer.jobs.collecting import collect_job
from producer.jobs.kept.order import SubmitOptions, read_order
from producer.jobs.results import Results
from producer.jobs.sending import JobProgress
from producer.jobs.submission import create_job, gather_job, open_submitted, send_job
from producer.sources import Source
from tests.support.images import number_picture
from tests.support.mill import Mill

NUMBERS = ["042", "7", "19", "200", "5", "31", "86", "4", "15", "0"]
UNREADABLE = {"blank.png": FailureCode.BLANK, "broken.png": FailureCode.BROKEN, "text.png": FailureCode.NOT_AN_IMAGE}


@pytest.fixture
def folder(tmp_path: Path, digits: Digits, png: Callable[[NDArray[np.uint8]], bytes]) -> Path:
    """Return a folder of single digits and numbers in folders named by them, with three files that cannot be read."""
    target = tmp_path / "numbers"
    for number in NUMBERS:
        (target / number).mkdir(parents=True)
        (target / number / "a.png").write_bytes(png(number_picture(digits, number)))
    (target / "25").mkdir()
    (target / "25" / "blank.png").write_bytes(png(np.zeros((40, 80), np.uint8)))
    (target / "25" / "broken.png").write_bytes(png(number_picture(digits, "25"))[:100])
    (target / "25" / "text.png").write_bytes(b"25")
    return target


def options_for(folder: Path, **others: Any) -> SubmitOptions:
    """Return the options of a job that reads numbers, one image in each batch."""
    return SubmitOptions(path=str(folder), several="read", batch_size=1, **others)


def check(results: Results, source: Source) -> None:
    """Check that each image has one row, with the right number or the reason why there is none."""
    assert results.names == list(source.names)
    assert results.numbers is not None
    for row, name in enumerate(results.names):
        number, _, file = name.partition("/")
        assert results.numbers.labels[row] == number
        if file in UNREADABLE:
            assert results.failures[row].code is UNREADABLE[file]
            assert results.numbers.read[row] == ""
        else:
            assert results.numbers.read[row] == number
            shares = results.numbers.confidences[row]
            assert len(shares) == len(number)
            assert results.confidences[row] == min(shares)
    assert int(results.right.sum()) == len(NUMBERS)


def test_singles_numbers_and_unreadable_images_get_a_row_each(mill: Mill, folder: Path) -> None:
    """The ledger counts images and not digits, and so do the workers."""
    options = replace(options_for(folder), batch_size=None)
    source = open_submitted(options, mill.settings)
    job = create_job(mill.connection, options, "numbers", mill.settings, detached=False)
    finished = gather_job(mill.connection, job, options, source, mill.settings)
    check(finished.results, source)
    status = mill.connection.ledger.job(job)
    assert (status.images, status.answered, status.failed) == (13, 13, 3)
    assert sum(finished.info.workers.values()) == 13


def test_a_job_that_does_not_ask_for_numbers_refuses_them(mill: Mill, folder: Path) -> None:
    """Its other images have their digits, and nothing about it is in the newer format."""
    options = SubmitOptions(path=str(folder), labels="none")
    source = open_submitted(options, mill.settings)
    job = create_job(mill.connection, options, "numbers", mill.settings, detached=False)
    results = gather_job(mill.connection, job, options, source, mill.settings).results
    assert results.numbers is None
    refused = [results.names[row] for row, failure in results.failures.items() if failure.code == "several_digits"]
    assert refused == sorted(f"{number}/a.png" for number in NUMBERS if len(number) > 1)
    assert sorted(results.digits[results.digits >= 0].tolist()) == [0, 4, 5, 7]


def test_an_interrupted_job_is_resumed_and_reads_numbers_again(mill: Mill, folder: Path) -> None:
    """The order keeps the option, so the labels are numbers and the rows are those of an undisturbed job."""
    options = options_for(folder)
    source = open_submitted(options, mill.settings)
    job = create_job(mill.connection, options, "numbers", mill.settings, detached=False)

    def interrupt(progress: JobProgress) -> None:
        if progress.answered >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather_job(mill.connection, job, options, source, mill.settings, on_progress=interrupt)
    order = read_order(mill.settings, job)
    assert order is not None
    assert order.options == options
    again = open_submitted(order.options, mill.settings)
    check(gather_job(mill.connection, job, order.options, again, mill.settings).results, source)
    assert mill.connection.ledger.job(job).images == 13


def test_a_detached_job_is_gathered_with_its_numbers_from_anywhere(
    mill: Mill, folder: Path, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """Redis keeps the option in the job's record, for clients that do not have its order."""
    options = options_for(folder)
    source = open_submitted(options, mill.settings)
    job = create_job(mill.connection, options, "numbers", mill.settings, detached=True)
    send_job(mill.connection, job, options, source, mill.settings)
    eventually(lambda: mill.connection.ledger.job(job).state.ended, what=f"the end of job {job}")
    elsewhere = replace(mill.settings, data=tmp_path / "elsewhere")
    for settings in (mill.settings, elsewhere):
        check(collect_job(mill.connection, mill.connection.ledger.job(job), settings).results, source)


def test_a_job_of_raw_images_reads_numbers_of_one_digit(mill: Mill, tmp_path: Path, digits: Digits) -> None:
    """So its tables have the same columns, whatever was submitted."""
    np.savez(tmp_path / "digits.npz", images=digits.images[:20], labels=digits.labels[:20])
    options = SubmitOptions(path=str(tmp_path / "digits.npz"), several="read")
    source = open_submitted(options, mill.settings)
    job = create_job(mill.connection, options, "digits", mill.settings, detached=False)
    results = gather_job(mill.connection, job, options, source, mill.settings).results
    assert results.numbers is not None
    assert results.numbers.read.tolist() == [str(digit) for digit in results.digits.tolist()]
    assert results.numbers.labels.tolist() == [str(label) for label in digits.labels[:20].tolist()]
