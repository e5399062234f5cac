"""Facts about real trainers that are killed or stopped during a real training."""

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from model.cards.changes import MAX_KEPT
from model.training.options import TrainingOptions
from producer.cli.display.training import describe
from tests.support.command import CommandLine
from tests.support.garbage import refused
from tests.support.mill import INJECTED, start_role
from worker.contract.queues import TRAIN_QUEUE
from worker.contract.registry import Registry
from worker.contract.teaching import LabelChange, Teaching
from worker.contract.training import Trainings, TrainingState
from worker.roles import Role

SECONDS = 120.0
"""Time for TensorFlow to start on a busy machine."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def trainings(client):
    """The records of trainings. There are none yet."""
    return Trainings(client)


@pytest.fixture
def start_trainer(server, tmp_path):
    """Start a trainer. All trainers share one data folder, and end with the test.

    It is forked from this process, unless its memory should be its own or its files should have a limit.
    """
    started = []

    def start(*, installed=False, largest_file=None, **more):
        variables = {
            "DIGITMILL_REDIS_URL": server.url,
            "DIGITMILL_DATA": str(tmp_path),
            "DIGITMILL_LEASE_SECONDS": "3",
            **more,
        }
        path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
        variables |= {"PYTHONPATH": path, "JUDGED_FILES": "12"}  # on more, judging takes longer than training
        environment, log = {**os.environ, **variables}, tmp_path / "trainer.log"
        if installed or largest_file:
            with log.open("ab") as written:
                command = limited(Role.TRAINER.command(), largest_file)
                process = subprocess.Popen(command, env=environment, stdout=written, stderr=written)
        else:
            process = start_role(Role.TRAINER, environment, log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def limited(command, largest_file):
    """Return a command that can write no file of more bytes, as if the disk were full then; with None, any."""
    if largest_file is None:
        return command
    before = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file},) * 2); "
    return [sys.executable, "-c", before + "os.execv(sys.argv[1], sys.argv[1:])", *command]


@pytest.fixture
def training(trainings, start_trainer, eventually):
    """A running training: its trainer, and the process that trains."""
    trainer = start_trainer(installed=True)
    trainings.ask("long", TrainingOptions(data="samples", epochs=500), who="test")

    def child():
        found = psutil.Process(trainer.pid).children()
        return trainings.latest().held and found and found[0]

    return trainer, eventually(child, seconds=SECONDS, what="a process that trains")


def test_a_trainer_does_not_load_tensorflow_and_yields_the_cores(training):
    """Only the process that it starts loads TensorFlow. Both have a low priority."""
    for process in (psutil.Process(training[0].pid), training[1]):
        assert process.nice() >= 10
    if sys.platform == "linux":
        assert not any("/tensorflow/" in each.path for each in psutil.Process(training[0].pid).memory_maps())


def test_cancelling_stops_a_training_and_leaves_its_trainer(training, trainings, eventually):
    """The process that trains ends, whatever it is doing. Its 500 epochs would take many minutes."""
    trainings.cancel()
    eventually(lambda: trainings.latest().state is TrainingState.CANCELLED, what="the end of the training")
    eventually(lambda: not training[1].is_running(), what="the end of its process")
    assert training[0].poll() is None


def test_a_trainer_that_is_told_to_stop_gives_its_training_back(training, trainings):
    """Its exit code is 0, and the attempt does not count."""
    trainer, child = training
    trainer.send_signal(signal.SIGTERM)
    assert trainer.wait(30) == 0
    status = trainings.latest()
    assert (status.state, status.held, status.attempts) == (TrainingState.ASKED, False, 0)
    assert not child.is_running()
    assert trainings.trainers() == []


def test_garbage_in_the_queue_ends_no_trainer(trainings, start_trainer, client, eventually, tmp_path):
    """The same process takes the next training. Its log says that somebody else writes to Redis."""
    trainer = start_trainer()
    [before] = eventually(trainings.trainers, seconds=SECONDS, what="a trainer")
    for raw in refused(TRAIN_QUEUE).values():
        client.lpush(TRAIN_QUEUE, raw)
    client.lpush(TRAIN_QUEUE, bytes(10 * 2**20))
    eventually(lambda: client.llen(TRAIN_QUEUE) == 0, seconds=SECONDS, what="an empty queue")
    client.set(TRAIN_QUEUE, "text")
    eventually(lambda: not client.exists(TRAIN_QUEUE), what="the removal of what is not a queue")
    trainings.ask("long", TrainingOptions(data="samples", epochs=500), who="test")
    eventually(lambda: trainings.latest().held, seconds=SECONDS, what="a training")
    assert (trainings.trainers(), trainer.poll()) == ([before], None)
    log = (tmp_path / "trainer.log").read_text()
    assert "that digitmill did not send" in log
    assert "Traceback" not in log


def test_a_training_that_is_killed_again_and_again_ends_with_a_published_model_and_the_gates_decision(
    trainings, start_trainer, client, eventually, digits
):
    """Whatever is killed in mid-epoch goes on after the last epoch. The status says what was killed, and why it waits.

    First it is the process that trains, which its trainer starts again. Then it is the trainer: the process that trains
    ends with it, and another trainer goes on once the lease has expired. The card of the model has the checksum of the
    decision, and the model has learned what was taught just before, but no wrong labels.
    """
    teaching, registry = Teaching(client), Registry(client)
    twos = np.flatnonzero(digits.labels == 2)[5:25]
    labels = dict.fromkeys(twos.tolist(), 7) | {index: int(digits.labels[index]) for index in range(8)}
    teaching.send([LabelChange.of(digits.images[index], label, "", 1.0) for index, label in labels.items()])
    trainings.ask("killed", TrainingOptions(data="samples", epochs=7), who="test")
    assert teaching.new_since_last_training() == len(labels)
    trainer = start_trainer()

    def goes_on(attempt, after):
        """Wait until the attempt has ended an epoch, and check that none was done again. Return its trainer."""
        status = eventually(
            lambda: (now := trainings.latest()).attempts == attempt and now.epoch != after and now,
            seconds=SECONDS,
            what="another epoch",
        )
        assert status.epoch > after
        return status.holder

    eventually(lambda: trainings.latest().epoch >= 2, seconds=SECONDS, what="two epochs")
    first = trainings.latest().holder
    [child] = psutil.Process(trainer.pid).children()
    child.kill()
    waiting = eventually(lambda: not (now := trainings.latest()).held and now, what="the end of the lease")
    after = f"waits for another attempt after epoch {waiting.epoch} of 7"
    killed = "The process that trains was ended by SIGKILL, as the system does when memory runs out."
    assert describe(waiting) == f"{after}: {killed}"
    assert goes_on(2, waiting.epoch) == first
    assert trainer.poll() is None
    [child] = psutil.Process(trainer.pid).children()
    trainer.kill()
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    waiting = eventually(lambda: not (now := trainings.latest()).held and now, what="the end of the lease")
    after = f"waits for another attempt after epoch {waiting.epoch} of 7"
    assert describe(waiting) == f"{after}: its trainer is gone or does not reach Redis"
    start_trainer()
    assert goes_on(3, waiting.epoch) != first
    status = eventually(
        lambda: (now := trainings.latest()).state.ended and now, seconds=3 * SECONDS, what="the end of the training"
    )
    assert status.state in (TrainingState.DONE, TrainingState.REFUSED), status.reason
    card, files = registry.fetch(status.version)
    assert "gate.json" in files
    decision, changes = registry.decision(card), registry.changes(card)
    assert decision
    assert changes
    assert changes.version == registry.baseline.version == decision.live.version
    assert len(changes.images) == sum(
        min(number, MAX_KEPT)
        for found in decision.comparisons
        if found.version == changes.version
        for number in (found.won, found.lost)
    )
    assert card.parent == registry.baseline.version
    assert (registry.live() == status.version) == (status.state is TrainingState.DONE)
    assert status.reason
    assert "taught" in card.data.name
    assert {(each.label, each.looks_like) for each in teaching.label_changes().held} == {(7, 2)}
    assert teaching.summary().held > 10
    assert teaching.new_since_last_training() == 0


@pytest.mark.parametrize(
    ("largest", "where"),
    [(100_000, "training/full"), (2_000_000, "training/full/candidate/training")],
    ids=["before the training", "after the first epoch"],
)
def test_a_full_disk_ends_a_training_and_the_reason_says_so(
    trainings, start_trainer, eventually, tmp_path, largest, where
):
    """It names the folder and the remedy, and nothing of the training stays to fill the disk."""
    start_trainer(largest_file=largest)
    trainings.ask("full", TrainingOptions(data="samples", epochs=500), who="test")
    status = eventually(
        lambda: (now := trainings.latest()).state.ended and now, seconds=SECONDS, what="the end of the training"
    )
    assert status.state is TrainingState.FAILED
    assert status.reason.startswith(f"Cannot write into {tmp_path / where}: File too large. Make room there")
    eventually(lambda: not list((tmp_path / "training").iterdir()), what="an empty folder of trainings")


def test_a_trainer_that_cannot_keep_what_is_taught_says_so_in_the_status(
    start_trainer, client, trainings, server, tmp_path, eventually, digits
):
    """So does `digitmill status`. When the fault has ended, the images are kept, and it is not said any more."""
    (tmp_path / "taught").write_text("in the way")
    start_trainer()
    teaching = Teaching(client)
    teaching.send([LabelChange.of(digits.images[0], int(digits.labels[0]), "", 1.0)])
    [(name, fault)] = eventually(
        lambda: trainings.faults(trainings.trainers()), seconds=SECONDS, what="the fault of the trainer"
    ).items()
    assert fault == f"Cannot keep what is taught in {tmp_path / 'taught'}: File exists. Correct that."
    status = CommandLine(tmp_path, server.url)("status", code=4).output
    assert f"  {name}: {fault}" in status
    (tmp_path / "taught").unlink()
    eventually(lambda: not trainings.faults(trainings.trainers()), what="the end of the fault")
    eventually(teaching.labels, what="the taught image")


def test_a_training_without_mnist_fails_and_the_reason_says_what_to_do(trainings, start_trainer, eventually, tmp_path):
    """The trainer may not download it, or cannot."""
    start_trainer(DIGITMILL_MNIST="", DIGITMILL_OFFLINE="1", DIGITMILL_CACHE=str(tmp_path / "cache"))
    trainings.ask("mnist", TrainingOptions(), who="test")
    status = eventually(lambda: (now := trainings.latest()).state.ended and now, seconds=SECONDS)
    assert describe(status).startswith("failed: MNIST was not found. Name a folder that holds its four IDX files")
