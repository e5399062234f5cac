"""A short selection of `make chaos`: each fault once, always with the same seed."""

import pytest

from tests.support.mill import FORKED, forked_workers
from tests.system.chaos.suite import FAULTS, is_right, try_fault
from tests.system.chaos.work import Works

PATIENCE = 3.0
"""Other tests run at the same time."""

FILES = 64
"""Fewer than usual, to be quick."""


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """The images of all tries, with the answers that this process gives without a queue."""
    return Works(tmp_path_factory.mktemp("work"), FILES)


@pytest.fixture(autouse=True)
def quick_workers(monkeypatch):
    """Fork the workers from this process, as in other tests."""
    monkeypatch.setenv(FORKED, "1")
    with forked_workers():
        yield


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["redis-and-worker-killed", "connections-cut-each-second", "keys-of-other-types"],
)
def test_a_fault_loses_nothing_and_leaves_nothing(name, works, tmp_path):
    """Each image has its one row, as in a quiet run. Redis holds the record of the job, and nothing else of it."""
    outcome = try_fault(FAULTS[name], 1, works, tmp_path, patience=PATIENCE)
    assert is_right(outcome), outcome
