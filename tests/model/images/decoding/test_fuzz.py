"""A short selection of what `make fuzz` does."""

import sys

import pytest

from model.errors import FailureCode, ImageError
from model.images.decoding.decode import decode
from tests.model.images.decoding.fuzz import run, seeds


def test_every_file_that_fuzzing_damages_is_sound_at_first():
    """Each of them is read, or refused because it has several frames."""
    for files in seeds().values():
        for data in files:
            try:
                decode(data)
            except ImageError as error:
                assert error.code is FailureCode.SEVERAL_FRAMES  # noqa: PT017  either outcome is right


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_damaged_files_are_read_or_refused_within_their_budget():
    """A thousand damaged files of all formats raise nothing but ImageError, and cost no more than they may."""
    found = run(1000, seed=10)
    assert [fault for fault, _ in found.faults] == []
    assert found.files == 1000
    assert {"image", "broken"} < set(found.outcomes)
