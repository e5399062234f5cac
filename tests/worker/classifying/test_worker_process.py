"""What a running worker is made of: looked up in the processes themselves."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from producer.jobs.submission import SubmitOptions, create_job, gather_job
from producer.sources import mnist_source

ZOMBIE = psutil.STATUS_ZOMBIE
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")


def processes(mill) -> list[psutil.Process]:
    """The main process of a worker and its classifying process, after they have worked."""
    main = psutil.Process(mill.stack.supervisor.processes()["worker-1"])
    return [main, *main.children(recursive=True)]


@pytest.fixture(scope="module")
def worked(mill, digits):
    """A mill that has classified a thousand images, so that all it ever loads is loaded."""
    source = mnist_source(digits.images[:1000], digits.labels[:1000])
    order = SubmitOptions(path="test", batch_size=100)
    job = create_job(mill.connection, order, source.description, mill.settings, detached=False)
    results = gather_job(mill.connection, job, order, source, mill.settings).results
    assert not results.failures
    return mill


@LINUX
def test_a_worker_has_never_imported_tensorflow(worked):
    """None of its processes has mapped a library of TensorFlow's, nor of matplotlib's; LiteRT's is there."""
    both = processes(worked)
    assert len(both) == 2
    for process in both:
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert "ai_edge_litert" in maps
        assert "/tensorflow/" not in maps
        assert "/matplotlib/" not in maps


def test_serving_imports_no_tensorflow_even_where_it_is_installed():
    """After importing all that a worker runs, neither TensorFlow nor Keras is among the modules."""
    code = """
import sys, worker.classifying.service
print([name for name in sys.modules if name.partition(".")[0] in ("tensorflow", "keras")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@LINUX
def test_a_worker_takes_less_than_150_megabytes(worked):
    """Main process and classifying process together; pages that both share count once."""
    assert sum(process.memory_full_info().pss for process in processes(worked)) < 150e6


def test_a_worker_is_ready_within_one_and_a_half_seconds(start_mill):
    """From the start of its process to the warmed model; the best of three, for the machine may be busy."""
    seconds = []
    for _ in range(3):
        with start_mill(1) as mill:
            seconds.append(mill.connection.ledger.workers()[0].startup_seconds)
        if seconds[-1] < 1.5:
            return
    assert min(seconds) < 1.5


def test_an_idle_worker_ends_as_soon_as_it_is_told_to(start_mill, eventually):
    """In a second, where Celery by itself takes two and a half."""
    with start_mill(1) as mill:
        main, child = processes(mill)
        began = time.monotonic()
        main.send_signal(signal.SIGTERM)
        eventually(lambda: all(not each.is_running() or each.status() == ZOMBIE for each in (main, child)), seconds=10)
        assert time.monotonic() - began < 1
