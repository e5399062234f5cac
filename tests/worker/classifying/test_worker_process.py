"""Facts about a running worker, read from its processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.sources import mnist_source
from tests.support.metrics import free_port, scrape

ZOMBIE = psutil.STATUS_ZOMBIE
LIBRARIES = "import ai_edge_litert.interpreter, celery.worker, cv2, numpy, redis"
NO_LANE = """
import sys
from worker.__main__ import main
from worker.classifying.lane.process import LaneKeeper

def fail(self):
    raise OSError("no process")

LaneKeeper._fork = fail
sys.exit(main())
"""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


def processes(mill) -> list[psutil.Process]:
    """Return the processes of a worker: the main one, the classifying one and that of the lane, but no helper."""
    main = psutil.Process(mill.stack.supervisor.processes()["worker-1"])
    return [main, *main.children()]


def ended(process: psutil.Process) -> bool:
    """Return whether a process has ended."""
    return not process.is_running() or process.status() == ZOMBIE


@pytest.fixture(scope="module")
def worked(start_mill_in, tmp_path_factory, digits):
    """A worker that has classified a thousand images and nothing else: it has loaded all that it needs for that."""
    source = mnist_source(digits.images[:1000], digits.labels[:1000])
    order = SubmitOptions(path="test", batch_size=100)
    folder, port = tmp_path_factory.mktemp("worked"), str(free_port())
    with start_mill_in(folder, 1, installed=True, DIGITMILL_METRICS_PORT=port) as mill:
        job = create_job(mill.connection, order, source.description, mill.settings, detached=False)
        results = gather_job(mill.connection, job, order, source, mill.settings).results
        assert not results.failures
        yield mill


@LINUX
def test_a_worker_has_never_imported_tensorflow(worked):
    """Its processes have mapped LiteRT's library, and no library of TensorFlow or Matplotlib."""
    found = processes(worked)
    assert len(found) == 3
    for process in found:
        maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        assert "ai_edge_litert" in maps
        assert "/tensorflow/" not in maps
        assert "/matplotlib/" not in maps


def test_serving_imports_no_tensorflow_even_where_it_is_installed():
    """A process that has imported all that a worker runs has imported neither TensorFlow nor Keras."""
    code = """
import sys, worker.classifying.service
print([name for name in sys.modules if name.partition(".")[0] in ("tensorflow", "keras")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@LINUX
def test_a_worker_takes_less_than_150_megabytes(worked):
    """That holds for its three processes together. Pages that they share count once."""
    assert sum(process.memory_full_info().pss for process in processes(worked)) < 150e6


def test_a_worker_is_ready_soon_after_its_libraries(start_mill_in, tmp_path):
    """The model is warmed in 2.5 times the seconds in which a bare process imports the libraries, whatever the machine.

    A quiet core takes half a second for that. The best of three counts, because the machine may be busy.
    """
    ratios = []
    for attempt in range(3):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
        imported = time.monotonic() - began
        with start_mill_in(tmp_path / str(attempt), 1, installed=True) as mill:
            ratios.append(mill.connection.ledger.workers()[0].startup_seconds / imported)
        if ratios[-1] < 2.5:
            return
    assert min(ratios) < 2.5


def test_a_worker_that_cannot_start_its_lane_ends(server):
    """It would never be ready. Whatever keeps it running starts it again."""
    environment = {**os.environ, "DIGITMILL_REDIS_URL": server.url}
    program = [sys.executable, "-c", NO_LANE]
    done = subprocess.run(program, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 1
    assert "the process of the lane cannot be started (no process). End other processes" in done.stderr


def test_an_idle_worker_stops_sooner_than_celery_would(start_mill, eventually):
    """Celery waits for 2.5 seconds, on any machine. The best of three counts, because the machine may be busy."""
    seconds = []
    with start_mill(1) as mill:
        for _ in range(3):
            ready = eventually(lambda: [each for each in mill.connection.ledger.workers() if each.ready])
            main, child = psutil.Process(int(ready[0].name.rpartition("-")[2])), psutil.Process(ready[0].process)
            began = time.monotonic()
            main.send_signal(signal.SIGTERM)
            eventually(lambda both=(main, child): all(map(ended, both)), what="the end of both processes")
            seconds.append(time.monotonic() - began)
            if seconds[-1] < 2.5:
                return
    assert min(seconds) < 2.5


def test_a_worker_shows_what_its_processes_have_done_even_those_that_were_killed(worked, eventually):
    """Each image counts once, and the counters go on when another process replaces one that was killed."""
    port = worked.settings.metrics_port
    before = scrape(port)
    assert before.value("digitmill_images_total") == 1000
    assert before.value("digitmill_batch_seconds_count", stage="classify", lane="jobs") == 10
    assert before.value("digitmill_batch_images_sum") == 1000
    assert before.value("digitmill_process_info", role="worker") == 1
    assert before.value("digitmill_process_restarts_total") == 0
    for process in psutil.Process(worked.stack.supervisor.processes()["worker-1"]).children():
        process.kill()
    eventually(lambda: scrape(port).value("digitmill_process_restarts_total") == 2, what="both are replaced")
    serving = [each for each in before.samples if each[0] == "digitmill_model_info"]
    assert serving
    eventually(
        lambda: [each for each in scrape(port).samples if each[0] == "digitmill_model_info"] == serving,
        what="both serve the same version as before",
    )
    assert scrape(port).value("digitmill_images_total") == 1000


def test_a_worker_logs_when_a_job_begins_and_when_it_has_ended(worked, eventually):
    """And otherwise little: when it is ready, and what serves."""
    eventually(lambda: ": 1000 images, 0 of them with errors, in 10 batches and " in worked.worker_logs())
    [begun] = [line for line in worked.worker_logs().splitlines() if "has begun" in line]
    assert " INFO ForkPoolWorker-1 worker.job_log: job " in begun


def test_a_log_in_json_has_nothing_else(start_mill, eventually):
    """Neither when a process dies, nor when a signal stops the worker. Celery writes past the log of others."""
    with start_mill(1, installed=True, DIGITMILL_LOG_FORMAT="json") as mill:
        main, *_ = processes(mill)
        [worker] = mill.connection.ledger.workers()
        psutil.Process(worker.process).send_signal(signal.SIGSEGV)
        eventually(lambda: "ready again" in mill.worker_logs(), what="another process classifies")
        main.terminate()
        eventually(lambda: ended(main), what="the worker has ended")
        log = mill.worker_logs()
    said = [json.loads(line)["message"] for line in log.splitlines()]
    assert any("exited with 'signal 11 (SIGSEGV)'" in message for message in said)
