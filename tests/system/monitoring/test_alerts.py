"""Facts about the alerts that ship: each fires when what it names happens to a real mill, and not before.

A real Prometheus judges. The tests follow each other, and each harms the mill a little more.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from model.training.options import TrainingOptions
from tests.support.processes import children, frozen
from tests.system.monitoring.conftest import REPOSITORY, SHIPPED, Watched, program
from tests.system.monitoring.test_dashboard import PANELS
from worker.contract.doorbell import Doorbell
from worker.contract.gate import GateState, QueueGate
from worker.contract.ledger import JobRecord, Ledger, Part, Window
from worker.contract.registry import LIVE, Registry
from worker.contract.training import Trainings
from worker.contract.training.trainings import ATTEMPTS
from worker.contract.wire import Batch, Manifest

ALERTS = re.findall(r"- alert: (\w+)", (SHIPPED / "alerts.yml").read_text(encoding="utf-8"))
RUNBOOK = (REPOSITORY / "docs" / "monitoring.md").read_text(encoding="utf-8")


def test_each_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    """The times and thresholds that ship, on invented figures."""
    for file in (*SHIPPED.iterdir(), Path(__file__).with_name("alerts_test.yml")):
        shutil.copy(file, tmp_path)
    for check in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run([program("promtool"), *check], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    """Each alert links to its section."""
    assert re.findall(r"^### (Digitmill\w+)$", RUNBOOK, re.MULTILINE) == ALERTS
    links = re.findall(r"runbook: docs/monitoring\.md#(\w+)", (SHIPPED / "alerts.yml").read_text(encoding="utf-8"))
    assert links == [alert.lower() for alert in ALERTS]


@pytest.fixture
def submit(watched):
    """Submit images as one batch, and ring for it."""
    ledger, doorbell = Ledger(watched.redis), Doorbell(watched.redis)

    def run(job: str, images) -> None:
        count = len(images)
        ledger.create(job, JobRecord("test", LIVE, "test", {}, ""))
        part = Part(job, 0, 0, count)
        manifest = Manifest(tuple(map(str, range(count))), (None,) * count, {})
        ledger.submit(part, Batch(images), manifest, Window(10, 10**9), detached=True)
        doorbell.ring(part)

    return run


@pytest.fixture
def fires(watched: Watched, eventually):
    """Wait until an alert fires."""

    def wait(alert: str) -> None:
        assert alert in ALERTS
        eventually(lambda: alert in watched.firing(), what=f"{alert} fires")

    return wait


def answered(watched: Watched) -> float:
    """Return how many images Prometheus knows to be answered."""
    found = watched.ask("query", query="sum(digitmill_images_total)")["result"]
    return float(found[0]["value"][1]) if found else 0.0


def test_a_mill_that_works_wakes_nobody(watched, submit, digits, eventually):
    """Two thousand images are answered, and no alert fires."""
    submit("good", digits.images[:1000])
    submit("more", digits.images[:1000])
    eventually(lambda: answered(watched) == 2000, what="Prometheus sees the images")
    time.sleep(2)  # two evaluations of the rules
    assert watched.firing() == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_each_query_of_the_dashboard_returns_data(watched, panel, eventually):
    """From a mill that has answered images."""
    for target in panel["targets"]:
        eventually(lambda: watched.ask("query", query=target["expr"])["result"], what=f"there is {target['expr']}")  # noqa: B023  awaited here


def test_images_of_another_kind_are_noticed(submit, fires):
    """Most of them are for review, and before few were."""
    submit("noise", np.random.default_rng(1).integers(0, 256, (500, 28, 28), np.uint8))
    fires("DigitmillReviewShareUp")


def test_images_that_fail_are_noticed(submit, fires):
    """They are blank."""
    submit("blank", np.zeros((400, 28, 28), np.uint8))
    fires("DigitmillFailures")


def test_a_redis_that_is_nearly_full_is_noticed(watched, fires):
    """Its limit is a little above what it uses."""
    used = watched.redis.info("memory")["used_memory"]
    watched.redis.config_set("maxmemory", int(used * 1.1))
    fires("DigitmillRedisMemory")
    watched.redis.config_set("maxmemory", "1gb")


def test_a_queue_that_stays_paused_is_noticed(watched, submit, fires, digits, eventually):
    """And nobody is woken because its batches become old meanwhile."""
    gate = QueueGate(watched.redis)
    gate.turn(GateState.PAUSED, who="somebody", reason="a test")
    submit("paused", digits.images[:10])
    fires("DigitmillQueueClosed")
    eventually(lambda: watched.ask("query", query="digitmill_oldest_batch_seconds > 4")["result"], what="an old batch")
    assert "DigitmillOldestBatch" not in watched.firing()
    gate.turn(GateState.OPEN, who="somebody", reason="")
    eventually(lambda: "DigitmillQueueClosed" not in watched.firing(), what="it is open")


def test_a_redis_that_cannot_write_is_noticed(watched, fires, eventually):
    """A folder has the name of its file."""
    file = watched.mill.stack.server.folder / "dump.rdb"
    file.mkdir()
    watched.redis.bgsave()
    fires("DigitmillRedisWrites")
    file.rmdir()
    watched.redis.bgsave()
    eventually(lambda: "DigitmillRedisWrites" not in watched.firing(), what="it can write again")


def test_a_training_that_fails_is_noticed(watched, fires):
    """Trainers began it, and died each time."""
    trainings = Trainings(watched.redis)
    trainings.ask("bad", TrainingOptions(epochs=1), who="test")
    for attempt in range(ATTEMPTS + 1):
        trainings.claim(holder=f"trainer-{attempt}", lease_seconds=0.001)
        time.sleep(0.01)  # until the lease has run out
    fires("DigitmillTrainingFailed")


def worker_processes(watched: Watched) -> list[psutil.Process]:
    """Return the main process of the worker, and then its children."""
    [main] = [pid for name, pid in watched.mill.stack.supervisor.processes().items() if name.startswith("worker")]
    return [psutil.Process(main), *children(psutil.Process(main))]


def test_a_worker_that_hangs_is_noticed(watched, submit, fires, digits, variant):
    """Its batches become old, and it does not follow the live version. Its main process still says that it lives."""
    registry = Registry(watched.redis)
    card, files = variant("other")
    with frozen(*worker_processes(watched)[1:]):
        registry.publish(card, files)
        registry.promote(card.version, reason="a test")
        submit("late", digits.images[:10])
        fires("DigitmillModelNotFollowed")
        fires("DigitmillOldestBatch")
        assert "DigitmillNoWorker" not in watched.firing()


def test_a_mill_without_workers_is_noticed(watched, fires):
    """Nothing is heard of its only one."""
    with frozen(*worker_processes(watched)):
        fires("DigitmillNoWorker")


def test_a_redis_that_does_not_answer_is_noticed(watched, fires):
    """Then nothing is said that nobody can know."""
    with frozen(psutil.Process(watched.mill.stack.supervisor.processes()["server"])):
        fires("DigitmillRedisDown")
        assert watched.firing() & {"DigitmillNoWorker", "DigitmillOldestBatch"} == set()


def test_an_exporter_that_is_gone_is_noticed(watched, fires):
    """Otherwise silence would look like health."""
    watched.exporter.kill()
    fires("DigitmillUnwatched")
