"""Fixtures for all tests: real servers, real workers and real images, without mocks."""

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from xdist.scheduler import LoadFileScheduling

from model.cards.card import BASELINE, MODEL, Card, read_file
from model.data.digits import Digits
from producer.mill.stack import Stack
from producer.report.write import write_report
from tests.support.images import as_png, real_digits
from tests.support.mill import Mill, StartMill
from tests.support.mill import start_mill_in as start_in
from tests.support.waiting import eventually as wait_until

# Other work on the same cores must not make a test fail. Each run tries other examples, so a few are enough for one.
settings.register_profile("suite", deadline=None, max_examples=50)
settings.load_profile("suite")

cv2.setNumThreads(1)  # as in workers. They may be forked from here, and threads would not outlive that
gc.disable()  # until all tests are collected, because looking for garbage would take a quarter of the imports' time

TENSORFLOW = "tests/model/training/", "tests/model/evaluation/", "tests/model/network/"
"""Folders of the tests that need TensorFlow, which a process imports in eight seconds."""


class OneProcessForTensorFlow(LoadFileScheduling):
    """Gives each file to one process, as `--dist loadfile` does, and all files that need TensorFlow to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return TENSORFLOW[0] if nodeid.startswith(TENSORFLOW) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Distribute the tests to the processes."""
    return OneProcessForTensorFlow(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files with many slow tests first: with several processes, none then ends with a long file alone."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (not item.nodeid.startswith(TENSORFLOW), -slow[item.path]))


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but never look through what imports have made."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def start_mill(tmp_path: Path) -> StartMill:
    """Start a mill of this test's own."""

    def start(workers: int = 2, *, installed: bool = False, **variables: str) -> AbstractContextManager[Mill]:
        return start_in(tmp_path / "data", workers, installed=installed, **variables)

    return start


@pytest.fixture(scope="session")
def start_mill_in() -> Callable[..., AbstractContextManager[Mill]]:
    """Start a mill in a folder, for fixtures that several tests share."""
    return start_in


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """One mill with two workers, shared by all tests that do not harm it."""
    with start_in(tmp_path_factory.mktemp("mill"), 2) as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One server without workers. A test that uses it empties it first."""
    with Stack(tmp_path_factory.mktemp("server"), 0) as stack:
        yield stack


@pytest.fixture(scope="session")
def digits() -> Digits:
    """Real handwritten digits with labels: MNIST's test images, or the sample digits if MNIST is not there."""
    return real_digits()


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Return the folder that DIGITMILL_MNIST names."""
    folder = os.environ.get("DIGITMILL_MNIST")
    if not folder:
        pytest.skip("MNIST was not found (set DIGITMILL_MNIST)")
    return Path(folder)


@pytest.fixture(scope="session")
def variant() -> Callable[..., tuple[Card, dict[str, bytes]]]:
    """Make another version of the baseline, with the same weights at another temperature, and so other confidences."""
    baseline = Card.read(BASELINE)

    def make(name: str = "variant", *, temperature: float = 2.0) -> tuple[Card, dict[str, bytes]]:
        version = f"{name}-{baseline.files[MODEL][:8]}"
        card = replace(baseline, version=version, parent=baseline.version, temperature=temperature)
        return card, {name: read_file(BASELINE, baseline, name) for name in baseline.files}

    return make


@pytest.fixture
def without_pngs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands write reports without PNG files, which take most of a second each."""
    defaults = write_report.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "plots", False)


@pytest.fixture(scope="session")
def png() -> Callable[[NDArray[np.uint8]], bytes]:
    """Encode an image as PNG."""
    return as_png


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait until a condition is true, and return its value. If that takes too long, fail and name the condition."""
    return wait_until
