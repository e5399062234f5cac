"""Real servers, real workers and real images for the tests; nothing is mocked."""

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.cards.card import BASELINE, MODEL, Card, read_file
from model.data import sample_digits
from model.data.digits import Digits
from model.data.mnist import load_test
from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.settings import Settings

MNIST = os.environ.get("DIGITMILL_MNIST")
INJECTED = Path(__file__).parent / "system" / "faults" / "injected"


@dataclass(frozen=True)
class Mill:
    """A running mill of the tests: its processes, and a connection to it."""

    stack: Stack
    connection: Connection
    settings: Settings

    def worker_logs(self) -> str:
        """Everything its workers have logged."""
        return "".join(log.read_text(errors="replace") for log in sorted(self.stack.logs.glob("worker-*.log")))


@contextmanager
def _start(folder: Path, workers: int, **variables: str) -> Iterator[Mill]:
    # What is tested is what these tests import, wherever that is.
    path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
    environment = {"PYTHONPATH": path, **variables}
    settings = replace(Settings.from_environment(variables), data=folder, redis_url=None)
    with Stack(folder / "mill", workers, environment=environment) as stack:
        connection = open_mill(stack.url, settings)
        assert await_workers(connection, stack), "the workers did not get ready"
        yield Mill(stack, connection, settings)
        # An orderly end takes Celery two seconds; it is proven once, elsewhere.
        for name, process in stack.supervisor.processes().items():
            if name != "server":
                os.kill(process, signal.SIGKILL)


@pytest.fixture
def start_mill(tmp_path: Path) -> Callable[..., AbstractContextManager[Mill]]:
    """Start a mill of so many workers, with variables of their own; its workers know the images of `injected`."""

    def start(workers: int = 2, **variables: str) -> AbstractContextManager[Mill]:
        return _start(tmp_path / "data", workers, **variables)

    return start


@pytest.fixture(scope="session")
def start_mill_in() -> Callable[..., AbstractContextManager[Mill]]:
    """Start a mill in a folder, for fixtures that several tests share."""
    return _start


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """One mill with two workers for all tests that do it no harm."""
    with _start(tmp_path_factory.mktemp("mill"), 2) as running:
        yield running


@pytest.fixture(scope="session")
def digits() -> Digits:
    """Real handwritten digits with their labels: MNIST's test images, or scikit-learn's where it is not at hand."""
    return load_test(Path(MNIST)) if MNIST else sample_digits.load().train


@pytest.fixture(scope="session")
def variant() -> Callable[..., tuple[Card, dict[str, bytes]]]:
    """Make another model of the baseline: the same weights at another temperature, so of other confidences."""
    baseline = Card.read(BASELINE)

    def make(name: str = "variant", *, temperature: float = 2.0) -> tuple[Card, dict[str, bytes]]:
        version = f"{name}-{baseline.files[MODEL][:8]}"
        card = replace(baseline, version=version, parent=baseline.version, temperature=temperature)
        return card, {name: read_file(BASELINE, baseline, name) for name in baseline.files}

    return make


@pytest.fixture(scope="session")
def png() -> Callable[[NDArray[np.uint8]], bytes]:
    """Encode an image as PNG."""

    def encode(image: NDArray[np.uint8]) -> bytes:
        target = io.BytesIO()
        Image.fromarray(image).save(target, "PNG")
        return target.getvalue()

    return encode


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait until something is true; fail with its name if it does not come true in time."""

    def wait(condition: Callable[[], Any], *, seconds: float = 15.0, what: str = "the condition") -> Any:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
            time.sleep(0.02)
        return value

    return wait
