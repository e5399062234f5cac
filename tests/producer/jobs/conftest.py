"""Jobs on a real server without workers, whose batches a test answers when it wants to."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from producer.jobs import gathering, patience
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.results import FinishedJob
from producer.jobs.sending import JobProgress
from producer.jobs.submission import create_job, gather_job, send_job
from producer.mill.connection import Connection
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from producer.sources import Source, mnist_source
from tests.support.answering import NAME, answer, open_parts
from worker.contract.ledger import JobStatus
from worker.settings import Settings

BATCH = 4


def numbered(count: int, *, shift: int = 0) -> Source:
    """Return a source of images whose first pixels are 0 to 9, again and again."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = (np.arange(count) + shift) % 10
    return mnist_source(images, np.zeros(count, np.uint8))


@dataclass
class Workless:
    """A server without workers, and a data folder of one test.

    Attributes:
        connection: Connection to it.
        settings: Settings with the data folder.
        progress: Last progress of the client.
        arrived: Set when the client has reported progress.
    """

    connection: Connection
    settings: Settings
    progress: JobProgress | None = None
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def client(self) -> Any:
        """The connection to Redis."""
        return self.connection.client

    def create(self, *, detached: bool = False, path: str = "test") -> str:
        """Create a job of batches of four images."""
        options = SubmitOptions(path=path, batch_size=BATCH)
        return create_job(self.connection, options, "test", self.settings, detached=detached)

    def gather(self, job: str, source: Source, **options: Any) -> FinishedJob:
        """Run a job to its end."""
        submitted = SubmitOptions(path="test", batch_size=BATCH)
        settings = options.pop("settings", self.settings)
        return gather_job(
            self.connection, job, submitted, source, settings, on_progress=self._note, **{"timeout": 30.0, **options}
        )

    def begin(self, job: str, source: Source, **options: Any) -> "Future[FinishedJob]":
        """Run a job to its end in the background."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self.gather, job, source, **options)
        pool.shutdown(wait=False)
        return future

    def send(self, job: str, source: Source, *, timeout: float = 5.0) -> None:
        """Send a detached job."""
        options = SubmitOptions(path="test", batch_size=BATCH)
        send_job(self.connection, job, options, source, self.settings, timeout=timeout)

    def status(self, job: str) -> JobStatus:
        """Return a job as it stands."""
        return self.connection.ledger.job(job)

    def answer(self, count: int) -> None:
        """Answer some of the parts that wait."""
        answered = 0
        for part in open_parts(self.client):
            answered += answered < count and answer(self.connection.ledger, part)
        assert answered == count

    def announce(self) -> None:
        """Report a worker that lives and does nothing."""
        self.connection.ledger.announce(NAME, {"ready": 1}, ttl_seconds=60)

    def keys(self, job: str) -> set[str]:
        """Return all keys of a job."""
        return {key.decode() for key in self.client.scan_iter(f"*{job}*")}

    def _note(self, progress: JobProgress) -> None:
        self.progress = progress
        self.arrived.set()


@pytest.fixture(scope="session")
def workless_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A server without workers."""
    with Stack(tmp_path_factory.mktemp("workless"), 0) as stack:
        yield stack


@pytest.fixture
def workless(workless_server: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workless]:
    """An empty server without workers. Clients look for losses five times a second."""
    monkeypatch.setattr(gathering, "SWEEP_SECONDS", 0.2)
    monkeypatch.setattr(gathering, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.1)
    settings = replace(Settings.from_environment({}), data=tmp_path / "data")
    connection = open_mill(workless_server.url, settings)
    connection.client.flushall()
    yield Workless(connection, settings)
    connection.client.close()
