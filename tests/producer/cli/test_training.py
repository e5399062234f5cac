"""`digitmill train` as users see it, beside a real server. The tests act as the trainer."""

import contextlib
import json
import re
import signal
import threading

import pytest

from model.cards.card import BASELINE, Card
from producer.cli.commands import training
from producer.mill.stack import Stack
from tests.support.command import SECONDS, CommandLine, run_here
from tests.support.drift import answers, write_days
from tests.support.users import add_users, url_for
from tests.system.chaos.proxy import Proxy
from worker.contract.connection import connect
from worker.contract.drift import keys as drift_keys
from worker.contract.training import Schedule, Trainings, TrainingState
from worker.contract.users import RedisUser


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
    code, out, err = digitmill("train", "--data", "samples", "--epochs", "3", "--seed", "9", "--anyway")
    assert code == 0
    assert "no trainer is running" in err
    status = trainings.latest()
    assert status.identifier in out
    assert (status.options.data, status.options.epochs, status.options.seed) == ("samples", 3, 9)

    code, out, err = digitmill("train", "--json")
    assert (json.loads(out)["training"]["training"], json.loads(out)["joined"]) == (status.identifier, True)
    assert "was requested before" in err
    assert "not the one that you asked for: it is `digitmill train --data samples --epochs 3 --seed 9`." in err
    assert "`digitmill train --cancel`" in err
    err = digitmill("train", "--data", "samples", "--epochs", "3", "--seed", "9")[2]
    assert ("was requested before" in err, "not the one" in err) == (True, False)
    assert "waits for a trainer" in digitmill("status")[1]

    assert digitmill("train", "--cancel")[:2] == (0, f"Training {status.identifier} is cancelled\n")
    assert trainings.latest().state is TrainingState.CANCELLED
    code, _, err = digitmill("train", "--cancel")
    assert code == 2
    assert "nothing to cancel" in err


def test_showing_and_following_never_request_a_training(digitmill, trainings):
    """Without any training, `--status` says so and `--follow` ends with 2. Nor do they go with a choice for one."""
    assert digitmill("train", "--status")[:2] == (0, "No training was requested yet\n")
    assert digitmill("train", "--status", "--json")[:2] == (0, '{"format": 1, "training": null, "joined": false}\n')
    code, _, err = digitmill("train", "--follow")
    assert (code, "No training was requested yet" in err) == (2, True)
    for words in ("--status --quick", "--follow --seed 1", "--cancel --wait", "--status --follow"):
        code, _, err = digitmill("train", *words.split())
        assert (code, "does not request a training" in err) == (2, True), words
    assert trainings.latest() is None


def test_a_training_that_would_learn_nothing_is_refused_where_nobody_can_be_asked(digitmill, trainings):
    """The error names `--anyway`. `--wait` is refused as well. A training that is open is joined."""
    for words in ((), ("--quick",), ("--wait",), ("--json",)):
        code, out, err = digitmill("train", *words)
        assert (code, out) == (2, "")
        assert "Nothing was taught since the last training" in err
        assert "--anyway" in err
    assert trainings.latest() is None
    digitmill("train", "--anyway")
    assert digitmill("train")[0] == 0
    assert trainings.latest().state is TrainingState.ASKED
    out = digitmill("train", "--status")[1]
    assert out == f"Training {trainings.latest().identifier}: waits for a trainer\n"
    assert json.loads(digitmill("train", "--status", "--json")[1])["training"]["state"] == "asked"


@pytest.mark.parametrize("user", RedisUser)
def test_who_may_not_train_is_not_asked_whether_to_train(server, tmp_path, trainings, user):
    """The error names the user instead of `--anyway`, and nothing has happened. Whoever is asked may train."""
    add_users(connect(server.url))
    variables = CommandLine(tmp_path, url_for(server.url, user)).environment
    refused = run_here("train", **variables)
    assert (refused.exit_code, refused.stdout, trainings.latest()) == (2, "", None)
    may_train = user is RedisUser.ADMIN
    assert ("--anyway" in refused.stderr, f"its user {user}" in refused.stderr) == (may_train, not may_train)
    assert (run_here("train", "--anyway", **variables).exit_code == 0) == may_train


def test_an_image_that_waits_for_a_trainer_is_something_new(digitmill, trainings, tmp_path, png, digits):
    """Without `--anyway`, teaching one image is enough."""
    path = tmp_path / "corrections" / "7" / "one.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(png(digits.images[0]))
    assert digitmill("teach", tmp_path / "corrections")[0] == 0
    assert digitmill("train", "--quick")[0] == 0
    assert trainings.latest().options.quick


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
    assert "\nschedule" not in digitmill("status")[1]
    with scheduler_alive(server.url):
        out = digitmill("status")[1]
        said = json.loads(digitmill("status", "--json")[1])["schedule"]
    assert "\nschedule  0 3 * * *, next at 2026-11-24 03:00 UTC; 20" in out
    assert "UTC: skipped: nothing was taught since the last training\n" in out
    assert (said["schedulers"], said["cron"], said["next"]) == (["host-1"], "0 3 * * *", "2026-11-24T03:00:00.000Z")


@pytest.mark.usefixtures("trainings")
def test_status_and_models_show_say_when_answers_drift(digitmill, server):
    """Both name the day, what differs and what to do. A damaged record hides nothing else."""
    client, version = connect(server.url), Card.read(BASELINE).version
    write_days(client, version, [answers(1000), answers(1000)])
    assert "drift" not in digitmill("status")[1]
    assert json.loads(digitmill("status", "--json")[1])["drift"] is None
    write_days(client, version, [answers(1000), answers(1000, unsure=0.3)])
    said = "(1,000 images) differs from the 1 day before: for review 0.0 → 30.0 %, mean confidence 99.0 → 84.3 %. Look"
    for command in (("status",), ("models", "show", "live")):
        out = " ".join(digitmill(*command)[1].split())
        assert said in out
        body = json.loads(digitmill(*command, "--json")[1])
        assert [round(each["points"], 1) for each in body["drift"]["differences"]] == [30.0, -14.7]
    assert [(day["images"], day["review"]) for day in body["days"]] == [(1000, 0), (1000, 300)]
    client.set(drift_keys.days(version), "text")
    for command in (("status",), ("models", "show", "live")):
        out, errors = digitmill(*command)[1:]
        assert drift_keys.days(version) in out + errors
        assert "baseline" in out


@pytest.mark.slow
def test_following_shows_the_progress_and_the_end(digitmill, start, trainings, eventually):
    """The progress has epochs, accuracy and the time left. The end has the version and the reason of the gate."""
    digitmill("train", "--anyway")
    process = start("train", "--follow")
    claim = eventually(lambda: trainings.claim(holder="test", lease_seconds=60), seconds=SECONDS)
    trainings.renew(claim, lease_seconds=60, stage="network", epoch=2, epochs=5, accuracy=0.975, seconds_left=75)
    assert any("network, epoch 2 of 5, 97.50 % so far, 1:15 min left" in line for line in process.stderr)
    trainings.finish(claim, TrainingState.REFUSED, version="v-1", reason="Refused: worse.")
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "refused as v-1: Refused: worse." in out
    assert "v-1 stays the candidate" in out


@pytest.mark.slow
def test_ctrl_c_leaves_it_running(start, trainings, eventually):
    """The command ends with 130 and says how to see the training again. The training stays open."""
    process = start("train", "--wait", "--anyway")
    eventually(trainings.latest, seconds=SECONDS)
    assert any("waits for a trainer" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "digitmill train --follow` shows it again" in err
    assert trainings.latest().state is TrainingState.ASKED


def test_a_failed_training_ends_in_a_code_of_its_own(digitmill, trainings):
    """The exit code is 5, standard output is the JSON of the training, and standard error has the reason.

    That holds even if the training has ended before the command that follows it begins.
    """
    digitmill("train", "--anyway")
    claim = trainings.claim(holder="test", lease_seconds=60)
    trainings.finish(claim, TrainingState.FAILED, reason="no data")
    code, out, err = digitmill("train", "--follow", "--json")
    assert code == 5
    assert json.loads(out)["training"]["state"] == "failed"
    assert "no data" in err


@pytest.mark.slow
def test_following_says_that_a_training_continues_without_redis(tmp_path, monkeypatch, eventually):
    """While Redis is away, the progress says so. The error at the end says how to go on."""
    monkeypatch.setattr(training, "TIMEOUT_SECONDS", 1.0)
    with Stack(tmp_path / "mill", 0) as stack, Proxy(stack.server.socket) as proxy:
        digitmill, client = CommandLine(tmp_path, proxy.url), connect(stack.url)
        digitmill("train", "--anyway")
        client.config_resetstat()

        def cut():
            """Cut the connections when the command has asked for the training a few times."""
            eventually(lambda: client.info("commandstats").get("cmdstat_exec", {}).get("calls", 0) > 4, seconds=SECONDS)
            proxy.refusing = True
            proxy.reset()

        thread = threading.Thread(target=cut)
        thread.start()
        printed = digitmill("train", "--follow", code=3)
        thread.join()
    assert "waits for Redis (" in printed.errors
    assert re.search(r"Cannot reach .* Training \S+ continues without Redis; `digitmill train", printed.errors)
