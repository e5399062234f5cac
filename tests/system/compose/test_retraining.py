"""In containers, a taught model is trained on schedule, passes the gate and goes live in every worker."""

import os
import time

import numpy as np
import pytest

from tests.support.images import slashed_zeros
from tests.system.compose.project import inspect

TAUGHT = 100
JOB_IMAGES = 200
"""Images of a job, each slow. Three workers take about 20 s."""
MAX_JOBS = 60
"""Jobs that may start while a training ends. Those that have not begun by then are cancelled."""
POLL_SECONDS = 5.0
"""Pause before each question. A question starts a process, and the trainer yields its cores to that."""
EVERY_MINUTE = {"DIGITMILL_RETRAIN_CRON": "* * * * *"}

pytestmark = pytest.mark.usefixtures("three_workers")


@pytest.fixture
def corrections(tmp_path):
    """Write zeros that the baseline often misreads into an array file in a folder."""
    np.savez(tmp_path / "zeros.npz", images=slashed_zeros(TAUGHT, seed=1), labels=np.zeros(TAUGHT, np.uint8))
    for folder in (*tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def two_schedulers(mill):
    """Run two schedulers, as if by mistake. Both request a training every minute."""
    mill("up", "--detach", "--no-deps", "--scale", "scheduler=2", "scheduler", **EVERY_MINUTE)
    yield
    mill("up", "--detach", "--no-deps", "--scale", "scheduler=1", "scheduler")


@pytest.mark.skipif("DIGITMILL_MNIST" not in os.environ, reason="MNIST is not at hand (set DIGITMILL_MNIST)")
def test_what_is_taught_is_live_in_every_worker_without_a_restart(
    request, mill, producer, submit, corrections, folder_of, eventually
):
    """Two schedulers start only one training. Both versions answer a job that runs meanwhile, completely."""
    before = producer.ask("status")["workers"][0]["model"]
    mill("run", "--rm", "-T", "--volume", f"{corrections}:/data:ro", "admin", "teach", "/data/zeros.npz")
    workers = {container: inspect(container)["State"]["StartedAt"] for container in mill.containers("worker")}
    request.getfixturevalue("two_schedulers")

    def training(key):
        time.sleep(POLL_SECONDS)
        return (producer.ask("status")["training"] or {}).get(key)

    eventually(lambda: training("attempts"), seconds=90, what="a training")
    eventually(lambda: training("stage") == "judging", seconds=400, what="the end of its last epoch")
    # Two jobs run at a time. One begins with half the images, so that they do not end together: when the version
    # changes, at least one of them has answers already and expects more.
    half, whole = folder_of(JOB_IMAGES // 2, slow=1), folder_of(JOB_IMAGES, slow=1)
    options = ("--model", "live", "--batch-size", "8")
    jobs = [submit(whole if number else half, f"renewed-{number}", *options) for number in range(MAX_JOBS)]

    def renewed() -> bool:
        time.sleep(POLL_SECONDS)
        serving = {worker["model"] for worker in producer.ready_workers()}
        return len(serving) == 1 and before not in serving

    eventually(renewed, seconds=400, what="the new version in every worker")
    begun = [job for job in jobs if not job.cancel()]
    reports = [job.result() for job in begun]
    after = producer.ask("status")["workers"][0]["model"]
    assert {before, after} in [set(report["models"]) for report in reports]
    for report, images in zip(reports, (JOB_IMAGES // 2, *[JOB_IMAGES] * MAX_JOBS), strict=False):
        assert (report["images"], report["failed"], sum(report["models"].values())) == (images, 0, images)
    assert {container: inspect(container)["State"]["StartedAt"] for container in mill.containers("worker")} == workers

    [version] = [one for one in producer.ask("models", "list")["models"] if "live" in one["aliases"]]
    assert version["model"] == after
    assert "taught" in version["data"]
    assert len(mill.containers("scheduler")) == 2
    assert mill.redis("ZCARD", "digitmill:trainings") == "1"
