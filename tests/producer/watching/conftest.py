"""Fixtures for the tests of watching."""

import pytest

from producer.watching.arrivals import Waker


@pytest.fixture
def inbox(tmp_path):
    """A folder that is watched."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def waker():
    """What ends a wait."""
    opened = Waker()
    yield opened
    opened.close()
