"""What a whole mill of version 0.1.0 keeps, which this version takes over: the server's file, folders and trainings."""

import subprocess

import numpy as np
import pytest
import yaml

from model.cards.card import BASELINE, CARD, Card
from model.cards.decision import DECISION
from model.inference.classifier import Classifier
from tests.support.models import write_model
from tests.system.upgrade.conftest import COMMIT, REPOSITORY
from tests.system.upgrade.test_upgrade import answers
from worker.contract.training import TrainingState

IMAGES = 150
CRON = "0 3 * * *"
PATIENCE = 400.0
"""Seconds that a training may take. A trainer has a low priority, so on a busy machine it may take minutes."""

ENDED_WELL = {TrainingState.DONE, TrainingState.REFUSED}


@pytest.fixture
def scans(tmp_path, digits, png):
    """A folder with images of digits."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for index in range(IMAGES):
        (folder / f"{index:05d}.png").write_bytes(png(digits.images[index]))
    return folder


@pytest.fixture
def expected(digits):
    """What the weights of both versions read in them."""
    read = Classifier.baseline().classify(np.asarray(digits.images[:IMAGES])).digits
    return {f"{index:05d}.png": str(digit) for index, digit in enumerate(read)}


@pytest.fixture
def carried(tmp_path, variant):
    """The folder of a model that both versions can serve. With another temperature, its canary would fail."""
    card, files = variant("carried", temperature=Card.read(BASELINE).temperature)
    return write_model(tmp_path / "model", card, files)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["stopped in order", "killed"])
def test_a_whole_mill_carries_over_with_all_that_it_keeps(mills, scans, expected, carried, eventually, killed):
    """The new mill runs on the data folder and the server's file of the old one, and ends what that one had begun.

    A training is under way when the old mill stops: in its middle, or, if all is killed, with a candidate that nobody
    has published. After draining, the old mill runs on what the new one leaves.
    """
    new, version = mills.new, Card.read(carried).version
    mills.up(old=True, DIGITMILL_RETRAIN_CRON=CRON)
    answered = mills.old("submit", scans, "--detach", "--json")["job"]
    mills.old("wait", answered)
    mills.old("report", answered, "--out", "before")
    mills.old("models", "push", carried)
    mills.old("models", "promote", version)
    teach_a_seven(mills, scans, eventually)
    waiting = submit_to_a_sleeping_worker(mills, scans)
    training = (begin_candidate if killed else begin_training)(mills, eventually)
    holder = mills.trainings.latest().holder
    mills.down(killed=killed)

    mills.up(old=False, DIGITMILL_RETRAIN_CRON=CRON)
    new("wait", waiting)
    for job in (answered, waiting):
        new("report", job, "--out", job)
    assert answers(new.folder / answered) == answers(new.folder / "before")  # of the old version's baseline
    assert answers(new.folder / waiting) == expected
    ended = check_training(mills, eventually, training, cancelled=not killed, before=holder)
    schedule = new("status", "--json").json["schedule"]
    assert schedule["cron"] == CRON
    assert schedule["next"]
    assert new("teach", "--list", "--json").json["images"] == 1
    listed = {row["model"]: row["aliases"] for row in new("models", "list", "--json").json["models"]}
    assert ("live" in listed[version]) == (ended is not TrainingState.DONE)

    # The way back.
    new("queue", "drain", "--wait")
    mills.down()
    mills.up(old=True, DIGITMILL_RETRAIN_CRON=CRON)
    assert version in mills.old("models", "list")
    mills.old("submit", scans, "--out", "back", "--model", version)
    assert answers(new.folder / "back") == expected
    assert mills.old("teach", "--list", "--json")["images"] == 1
    training = mills.old("train", "--data", "samples", "--epochs", "1", "--json")["training"]
    check_training(mills, eventually, training)


def teach_a_seven(mills, scans, eventually):
    """Teach an image, and wait until the trainer keeps it."""
    folder = mills.new.folder / "teaching" / "7"
    folder.mkdir(parents=True)
    (folder / "seven.png").write_bytes((scans / "00000.png").read_bytes())
    mills.old("teach", folder.parent)
    kept = mills.new.folder / "data" / "taught"
    eventually(lambda: list(kept.rglob("*.png")), what="the trainer keeps the image")


def submit_to_a_sleeping_worker(mills, scans):
    """Submit a job that no worker answers, and return its name."""
    mills.put_to_sleep("worker")
    job = mills.old("submit", scans, "--detach", "--json")["job"]
    assert mills.ledger.job(job).open
    return job


def begin_training(mills, eventually, epochs=400):
    """Let the old trainer begin a training, and return its name when the first epoch has ended."""
    training = mills.old("train", "--data", "samples", "--epochs", epochs, "--json")["training"]
    eventually(lambda: (found := mills.trainings.latest()) and found.epoch, seconds=PATIENCE, what="an epoch has ended")
    return training


def begin_candidate(mills, eventually):
    """Let the old trainer train, but sleep when it should publish the candidate. Return the name of the training."""
    training = begin_training(mills, eventually, epochs=5)
    mills.put_to_sleep("worker.trainer")
    folder = mills.new.folder / "data" / "training" / training / "candidate"

    def written():
        return (folder / CARD).exists() and DECISION in Card.read(folder).files

    eventually(written, seconds=PATIENCE, what="the candidate is written")
    return training


def check_training(mills, eventually, training, *, cancelled=False, before=""):
    """Wait for the end of a training, check it and its model, and return its state.

    Args:
        mills: The mill that runs.
        eventually: Function that waits.
        training: Name of the training.
        cancelled: Whether to cancel it, once a trainer has taken it up.
        before: Trainer that had it before the upgrade, or "".
    """
    if cancelled:
        eventually(
            lambda: (found := mills.trainings.latest()).held and found.epoch and found.holder != before,
            seconds=PATIENCE,
            what="another trainer goes on with it",
        )
        mills.new("train", "--cancel")
    ended = eventually(
        lambda: (found := mills.trainings.latest()).state.ended and found,
        seconds=PATIENCE,
        what="the training has ended",
    )
    assert ended.identifier == training
    assert ended.holder != before
    assert ended.state in ({TrainingState.CANCELLED} if cancelled else ENDED_WELL), ended
    if before and not cancelled:
        mills.new("models", "show", ended.version)
        mills.new("models", "report", ended.version, "--out", "candidate.html")
    return ended.state


def _services(text):
    """Return where each service of Compose's file mounts which volume, as far as a service had one in 0.1.0."""
    services = yaml.safe_load(text)["services"]
    return {
        (name, *mount.rpartition(":")[::2])
        for name, service in services.items()
        for mount in service.get("volumes", ())
        if mount.partition(":")[0] in ("redis", "trainer", "${DIGITMILL_MNIST")
    }


def test_the_containers_find_the_volumes_of_the_old_version():
    """Under the same names and in the same places; and Redis reads the file that it wrote there."""

    def old(path):
        command = ["git", "show", f"{COMMIT}:{path}"]
        return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout

    now = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    assert _services(old("docker-compose.yml")) <= _services(now)
    before, after = (
        {line for line in text.splitlines() if line and not line.startswith("#")}
        for text in (old("docker/redis.conf"), (REPOSITORY / "docker" / "redis.conf").read_text(encoding="utf-8"))
    )
    assert before <= after
