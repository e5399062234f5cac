"""The model renews itself in containers: taught, trained by the clock, gated, live in every worker."""

import os

import pytest
from PIL import Image
from project import inspect

from model import samples

TAUGHT = 100
EVERY_MINUTE = {"DIGITMILL_RETRAIN_CRON": "* * * * *"}

pytestmark = pytest.mark.usefixtures("three_workers")


@pytest.fixture
def corrections(tmp_path):
    """Digits that are not MNIST's, in folders named by their labels."""
    digits = samples.load().train
    for index in range(TAUGHT):
        folder = tmp_path / str(digits.labels[index])
        folder.mkdir(exist_ok=True)
        Image.fromarray(digits.images[index]).save(folder / f"{index}.png")
    for folder in (*tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    return tmp_path


@pytest.mark.skipif("DIGITMILL_MNIST" not in os.environ, reason="MNIST is not at hand (set DIGITMILL_MNIST)")
def test_what_is_taught_is_live_in_every_worker_without_a_restart(
    mill, producer, submit, corrections, folder_of, eventually
):
    """Two schedulers, by mistake, ask once; a job that runs meanwhile is answered by both versions, all of it."""
    before = producer.ask("status")["workers"][0]["model"]
    mill("run", "--rm", "-T", "--volume", f"{corrections}:/data:ro", "producer", "teach", "/data")
    workers = {container: inspect(container)["State"]["StartedAt"] for container in mill.containers("worker")}
    mill("up", "--detach", "--no-deps", "--scale", "scheduler=2", "scheduler", **EVERY_MINUTE)

    def judging() -> bool:
        training = producer.ask("status")["training"]
        return bool(training) and training["stage"] in ("judging", "publishing")

    eventually(judging, seconds=400, what="a training that is nearly done")
    job = submit(folder_of(480, slow=1), "renewed", "--model", "live", "--batch-size", "8")  # 48 s with three workers

    def renewed() -> bool:
        serving = {worker["model"] for worker in producer.ready_workers()}
        return len(serving) == 1 and before not in serving

    eventually(renewed, seconds=45, what="the new version in every worker")
    report = job.result()
    after = producer.ask("status")["workers"][0]["model"]
    assert set(report["model_versions"]) == {before, after}
    assert (report["images"], report["failed"], sum(report["model_versions"].values())) == (480, 0, 480)
    assert {container: inspect(container)["State"]["StartedAt"] for container in mill.containers("worker")} == workers

    [version] = [one for one in producer.ask("models", "list")["versions"] if "live" in one["aliases"]]
    assert version["version"] == after
    assert "taught" in version["data"]
    eventually(lambda: "skipped" in producer.ask("status")["schedule"]["outcome"], seconds=90, what="a skipped firing")
    assert mill.redis("ZCARD", "digitmill:trainings") == "1"
