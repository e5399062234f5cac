"""The model renews itself in containers: taught, trained by the clock, gated, live in every worker."""

import os
import time

import pytest
from PIL import Image

from model.data import sample_digits
from tests.system.compose.project import inspect
from tests.system.faults.injected.marks import SLOW_SECONDS

TAUGHT = 100
EVERY_MINUTE = {"DIGITMILL_RETRAIN_CRON": "* * * * *"}

pytestmark = pytest.mark.usefixtures("three_workers")


@pytest.fixture
def corrections(tmp_path):
    """Digits that are not MNIST's, in folders named by their labels."""
    digits = sample_digits.load().train
    for index in range(TAUGHT):
        folder = tmp_path / str(digits.labels[index])
        folder.mkdir(exist_ok=True)
        Image.fromarray(digits.images[index]).save(folder / f"{index}.png")
    for folder in (*tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def two_schedulers(mill):
    """By mistake; they ask for a training every minute."""
    mill("up", "--detach", "--no-deps", "--scale", "scheduler=2", "scheduler", **EVERY_MINUTE)
    yield
    mill("up", "--detach", "--no-deps", "--scale", "scheduler=1", "scheduler")


@pytest.mark.skipif("DIGITMILL_MNIST" not in os.environ, reason="MNIST is not at hand (set DIGITMILL_MNIST)")
def test_what_is_taught_is_live_in_every_worker_without_a_restart(
    request, mill, producer, submit, corrections, folder_of, eventually
):
    """Two schedulers, by mistake, ask once; a job that runs meanwhile is answered by both versions, all of it."""
    before = producer.ask("status")["workers"][0]["model"]
    mill("run", "--rm", "-T", "--volume", f"{corrections}:/data:ro", "producer", "teach", "/data")
    workers = {container: inspect(container)["State"]["StartedAt"] for container in mill.containers("worker")}
    request.getfixturevalue("two_schedulers")

    def training(key):
        return (producer.ask("status")["training"] or {}).get(key)

    eventually(lambda: training("attempts"), seconds=90, what="a training")
    began = time.monotonic()
    eventually(lambda: training("epoch"), seconds=400, what="its first epoch")
    # The second epoch takes less than the first with its preparations; the job is to outlast it and the gate.
    job_seconds = time.monotonic() - began + 40
    images = int(job_seconds * 3 / SLOW_SECONDS)
    job = submit(folder_of(images, slow=1), "renewed", "--model", "live", "--batch-size", "8")

    def renewed() -> bool:
        serving = {worker["model"] for worker in producer.ready_workers()}
        return len(serving) == 1 and before not in serving

    eventually(renewed, seconds=job_seconds, what="the new version in every worker")
    report = job.result()
    after = producer.ask("status")["workers"][0]["model"]
    assert set(report["model_versions"]) == {before, after}
    assert (report["images"], report["failed"], sum(report["model_versions"].values())) == (images, 0, images)
    assert {container: inspect(container)["State"]["StartedAt"] for container in mill.containers("worker")} == workers

    [version] = [one for one in producer.ask("models", "list")["versions"] if "live" in one["aliases"]]
    assert version["version"] == after
    assert "taught" in version["data"]
    assert len(mill.containers("scheduler")) == 2
    assert mill.redis("ZCARD", "digitmill:trainings") == "1"
