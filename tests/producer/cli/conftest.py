"""Commands that write reports quickly, and start small mills."""

import os
import random
from collections.abc import Iterator

import pytest


@pytest.fixture
def pngs() -> None:
    """Let the commands of a test write PNG files as well."""


@pytest.fixture(autouse=True)
def quick_reports(request: pytest.FixtureRequest) -> None:
    """Let commands write reports without PNG files, unless a test uses `pngs`."""
    if "pngs" not in request.fixturenames:
        request.getfixturevalue("without_pngs")


@pytest.fixture
def one_core() -> Iterator[None]:
    """Let commands run on one core. Those that start a mill then start one worker, and not one for each core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {random.choice(sorted(allowed))})  # another for each process of the tests, if it can be
    yield
    os.sched_setaffinity(0, allowed)
