"""`digitmill train` as users see it, beside a real server. The tests act as the trainer."""

import contextlib
import json
import signal
import threading

import pytest

from tests.support.command import SECONDS, CommandLine, run_here
from worker.contract.connection import connect
from worker.contract.training import Schedule, Trainings, TrainingState


@pytest.fixture
def trainings(server):
    """The trainings of a server where none was requested."""
    client = connect(server.url)
    client.flushall()
    return Trainings(client)


@pytest.fixture
def command(server, tmp_path):
    """The command line beside that server."""
    return CommandLine(tmp_path, server.url)


@pytest.fixture
def start(command):
    """Start `digitmill …` as a process beside that server."""
    return command.start


@pytest.fixture
def digitmill(command):
    """Run `digitmill …` to its end. Return its exit code, its output and its errors."""

    def run(*arguments):
        ended = run_here(*arguments, **command.environment)
        assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
        return ended.exit_code, ended.stdout, ended.stderr

    return run


def test_a_training_is_requested_once_shown_and_cancelled(digitmill, trainings):
    """Without a trainer it waits, and a notice says so. A second request joins it, and `--cancel` ends it."""
    code, out, err = digitmill("train", "--data", "samples", "--epochs", "3", "--seed", "9")
    assert code == 0
    assert "no trainer is running" in err
    status = trainings.latest()
    assert status.identifier in out
    assert (status.options.data, status.options.epochs, status.options.seed) == ("samples", 3, 9)

    code, out, err = digitmill("train", "--json")
    assert json.loads(out) == {"training": status.identifier, "joined": True}
    assert "was requested before" in err
    assert "waits for a trainer" in digitmill("status")[1]

    assert digitmill("train", "--cancel")[:2] == (0, f"Training {status.identifier} is cancelled\n")
    assert trainings.latest().state is TrainingState.CANCELLED
    code, _, err = digitmill("train", "--cancel")
    assert code == 2
    assert "nothing to cancel" in err


@contextlib.contextmanager
def scheduler_alive(url):
    """Keep a scheduler alive, however long a command takes."""
    schedule, done = Schedule(connect(url)), threading.Event()

    def beat():
        while not done.wait(0.5):
            schedule.announce("host-1", "0 3 * * *", 1795489200.0)

    schedule.announce("host-1", "0 3 * * *", 1795489200.0)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.usefixtures("trainings")
def test_status_shows_the_schedule_while_a_scheduler_is_alive(digitmill, server):
    """The line has the next training and the outcome of the last one. Without a scheduler there is no such line."""
    client = connect(server.url)
    schedule = Schedule(client)
    schedule.begin("0 3 * * *")
    schedule.handled("skipped: nothing was taught since the last training")
    assert "schedule" not in digitmill("status")[1]
    with scheduler_alive(server.url):
        out = digitmill("status")[1]
        said = json.loads(digitmill("status", "--json")[1])["schedule"]
    assert "schedule  0 3 * * *, next at 2026-11-24 03:00 UTC; 20" in out
    assert "UTC: skipped: nothing was taught since the last training\n" in out
    assert (said["schedulers"], said["cron"], said["next"]) == (["host-1"], "0 3 * * *", 1795489200.0)


@pytest.mark.slow
def test_waiting_shows_the_progress_and_the_end(start, trainings, eventually):
    """The progress has epochs, accuracy and the time left. The end has the version and the reason of the gate."""
    process = start("train", "--wait", "--data", "samples")
    claim = eventually(lambda: trainings.claim(holder="test", lease_seconds=60), seconds=SECONDS)
    trainings.renew(claim, lease_seconds=60, stage="network", epoch=2, epochs=5, accuracy=0.975, seconds_left=75)
    assert any("network, epoch 2 of 5, 97.50% so far, 1:15 min left" in line for line in process.stderr)
    trainings.finish(claim, TrainingState.REFUSED, version="v-1", reason="Refused: worse.")
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "refused as v-1: Refused: worse." in out
    assert "v-1 stays the candidate" in out


@pytest.mark.slow
def test_ctrl_c_leaves_it_running(start, trainings, eventually):
    """The command ends with 130 and says how to see the training again. The training stays open."""
    process = start("train", "--wait")
    eventually(trainings.latest, seconds=SECONDS)
    assert any("waits for a trainer" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "digitmill train --wait` shows it again" in err
    assert trainings.latest().state is TrainingState.ASKED


@pytest.mark.slow
def test_a_failed_training_ends_in_a_code_of_its_own(start, trainings, eventually):
    """The exit code is 5, standard output is the JSON of the training, and standard error has the reason."""
    process = start("train", "--wait", "--json")
    claim = eventually(lambda: trainings.claim(holder="test", lease_seconds=60), seconds=SECONDS)
    trainings.finish(claim, TrainingState.FAILED, reason="no data")
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 5
    assert json.loads(out)["state"] == "failed"
    assert "no data" in err
