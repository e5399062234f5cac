"""Facts about the schedule: each firing happens once or says why not, whatever is doubled, killed or away."""

import logging
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model.training.options import TrainingOptions
from producer.mill.stack import Stack
from worker.contract.broker.application import make_app
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.teaching import LabelChange, Teaching
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.metrics import FIRINGS
from worker.contract.training import Schedule, Trainings, TrainingState
from worker.roles import Role
from worker.scheduler.beat import Beat
from worker.scheduler.firing import NOTHING_TAUGHT, Firing
from worker.settings import Settings

DAILY = "0 3 * * *"
DAY_SECONDS = 86400
MINUTE = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@pytest.fixture
def teach(client, digits):
    """Teach another image."""
    number = iter(range(100))
    return lambda: Teaching(client).send([LabelChange.of(digits.images[next(number)], 7, "", 1.0)])


@pytest.fixture
def trainings(client):
    """The records of trainings. There are none yet."""
    return Trainings(client)


@pytest.fixture
def schedule(client):
    """The schedule. No scheduler has run yet."""
    return Schedule(client)


@pytest.fixture
def make_firing(server):
    """Make the `Firing` of a scheduler, on a connection of its own."""

    def make(name="one", counts=None, **settings):
        given = replace(Settings.from_environment({}), **settings)
        return Firing(connect(server.url), Doorbell(connect(server.url)), given, name, counts)

    return make


@pytest.fixture
def make_beat(server, make_firing):
    """Make the beat of a scheduler, as `python -m worker.scheduler` does."""

    def make(name="one", cron=DAILY, **settings):
        app = make_app(server.url, Settings.from_environment({}))
        kept = Schedule(connect(server.url))
        return Beat(app=app, schedule_in_redis=kept, fire=make_firing(name, **settings), cron=cron, name=name)

    return make


def end_training(trainings, state=TrainingState.DONE, **said):
    """Carry out the open training."""
    claim = trainings.claim(holder="trainer", lease_seconds=30)
    trainings.renew(claim, lease_seconds=30, **said)
    assert trainings.finish(claim, state)
    return claim


def let_a_firing_be_missed(client, days=1):
    """Write the record of a schedule whose last firing is some days old, so that one is due now."""
    Schedule(client).begin(DAILY)
    client.hset("digitmill:schedule", "since", time.time() - days * DAY_SECONDS)


def count(client):
    """Return the number of trainings that were ever asked for."""
    return client.zcard("digitmill:trainings")


def test_two_schedulers_that_fire_for_the_same_minute_train_once(make_firing, teach, client, trainings):
    """That holds if both fire at once, and also if the second fires after that training has ended."""
    teach()
    firings = [make_firing(f"scheduler {number}") for number in range(8)]
    with ThreadPoolExecutor(len(firings)) as pool:
        said = set(pool.map(lambda firing: firing(MINUTE), firings))
    assert said == {"training 261123-0300-cron is asked for"}
    assert count(client) == 1
    assert client.llen("digitmill.train") >= 1, "the doorbell rang for a trainer"
    end_training(trainings, TrainingState.FAILED)
    make_firing()(MINUTE)
    assert trainings.latest().state is TrainingState.FAILED, "nobody asked for it again"
    make_firing()(MINUTE + timedelta(minutes=1))
    assert count(client) == 2


@pytest.mark.parametrize("quick", [True, False])
def test_the_settings_say_which_training_to_ask_for(make_firing, teach, trainings, quick):
    """A firing asks for a quick training or for the whole recipe."""
    teach()
    make_firing(retrain_quick=quick)(MINUTE)
    assert trainings.latest().options == TrainingOptions(quick=quick)


def test_without_new_taught_images_a_firing_is_skipped(make_firing, teach, trainings, client, caplog):
    """An image is new until a training has seen it. `retrain_always` asks all the same."""
    caplog.set_level(logging.INFO, "worker.scheduler")
    fire = make_firing()
    assert fire(MINUTE) == NOTHING_TAUGHT
    assert "due at 2026-11-23 03:00: skipped: nothing was taught since the last training" in caplog.text
    teach()
    assert fire(MINUTE + timedelta(minutes=1)) == "training 261123-0301-cron is asked for"
    client.delete("digitmill:teaching-inbox")
    end_training(trainings, changes=0)
    assert fire(MINUTE + timedelta(minutes=2)) == NOTHING_TAUGHT
    assert make_firing(retrain_always=True)(MINUTE + timedelta(minutes=2)) == "training 261123-0302-cron is asked for"


def test_while_a_training_is_open_a_firing_is_skipped(make_firing, teach, trainings, client):
    """That holds whoever asked for the open training."""
    teach()
    trainings.ask("by-hand", TrainingOptions(epochs=3), who="me")
    counts = Counts()
    assert make_firing(counts=counts)(MINUTE) == "skipped: training by-hand has not ended"
    assert count(client) == 1
    assert counts.read() == {(FIRINGS.name, "skipped"): 1}


def test_ticks_carry_out_a_firing_once_and_report_its_outcome(make_beat, teach, schedule, trainings, client):
    """Two schedulers follow the same schedule. The status also says when the next firing is due."""
    teach()
    let_a_firing_be_missed(client)
    began = int(time.time())
    beats = [make_beat(name) for name in ("one", "two")]
    for beat in beats:
        beat._resume()
    for beat in 3 * beats:
        assert beat.tick() <= 1
    assert count(client) == 1
    status = schedule.status()
    assert (status.schedulers, status.cron) == (["one", "two"], DAILY)
    assert status.outcome == f"training {trainings.latest().identifier} is asked for"
    assert began <= status.handled <= time.time()
    assert began < status.next <= time.time() + DAY_SECONDS


def test_missed_firings_are_made_up_for_once(make_beat, teach, schedule, client):
    """A scheduler that starts again fires once, however many firings were missed. A new schedule has missed none."""
    teach()
    make_beat().tick()
    assert (count(client), schedule.status().outcome) == (0, "")
    let_a_firing_be_missed(client, days=3)
    for _ in range(2):
        beat = make_beat()
        for _ in range(3):
            beat.tick()
        client.delete("digitmill:training-current")
    assert count(client) == 1
    let_a_firing_be_missed(client, days=3)
    beat = make_beat(cron="5 3 * * *")
    for _ in range(3):
        beat.tick()
    assert (count(client), schedule.status().outcome) == (1, "")


def test_hours_are_those_of_utc(make_beat, monkeypatch, schedule):
    """The machine's time zone does not matter."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        make_beat().tick()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert datetime.fromtimestamp(schedule.status().next, UTC).strftime("%H:%M") == "03:00"


def test_a_firing_that_is_due_while_redis_is_away_waits(tmp_path, caplog):
    """The log says once that Redis is away. Then the firing happens once."""
    settings = replace(Settings.from_environment({}), retrain_always=True)
    folder = tmp_path / "mill"
    with Stack(folder, 0) as stack:
        client, app = connect(stack.url), make_app(stack.url, settings)
        let_a_firing_be_missed(client)
        fire = Firing(client, Doorbell(client), settings, "one")
        beat = Beat(app=app, schedule_in_redis=Schedule(client), fire=fire, cron=DAILY, name="one")
        beat._resume()
    for _ in range(3):
        beat.tick()
    assert caplog.text.count("Cannot reach") == 1
    with Stack(folder, 0):
        for _ in range(3):
            beat.tick()
        assert count(client) == 1


def test_at_redis_memory_limit_a_scheduler_begins_and_skips_and_only_asking_waits(
    make_beat, schedule, trainings, client, caplog
):
    """It reports itself alive, records each firing once, and logs once what it waits for."""
    caplog.set_level(logging.INFO, "worker.scheduler")
    client.config_set("maxmemory", 1)
    make_beat().tick()
    assert schedule.schedulers() == ["one"]
    client.config_set("maxmemory", "1gb")
    for always in (False, True):
        let_a_firing_be_missed(client)
        client.config_set("maxmemory", 1)
        beat = make_beat(retrain_always=always)
        for _ in range(4):
            beat.tick()
        assert schedule.status().outcome == NOTHING_TAUGHT
        assert caplog.text.count("due at") == 1
        assert caplog.text.count("out of memory") == always
        client.config_set("maxmemory", "1gb")
    beat.tick()
    assert schedule.status().outcome == f"training {trainings.latest().identifier} is asked for"


@pytest.fixture
def start(server, tmp_path):
    """Start a scheduler in an empty folder, in which it must write nothing."""
    started = []

    def begin(**variables):
        environment = {**os.environ, "DIGITMILL_REDIS_URL": server.url, "HOME": "/nonexistent", **variables}
        command = Role.SCHEDULER.command()
        log = (tmp_path / "log").open("ab")
        folder = tmp_path / "read-only"
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
    assert list((tmp_path / "read-only").iterdir()) == [], "a scheduler keeps no file"


def test_two_processes_fire_once_although_one_is_killed(start, schedule, client, teach, eventually, tmp_path):
    """SIGKILL costs nothing. SIGTERM ends a scheduler with exit code 0, and removes it from the list."""
    teach()
    let_a_firing_be_missed(client)
    first, second = (start(DIGITMILL_RETRAIN_CRON=DAILY) for _ in range(2))
    eventually(lambda: len(schedule.schedulers()) == 2, what="two schedulers")
    eventually(lambda: schedule.status().outcome, what="the firing")
    second.kill()
    client.delete("digitmill:schedulers", "digitmill:training-current")
    second = start(DIGITMILL_RETRAIN_CRON=DAILY)
    eventually(lambda: len(schedule.schedulers()) == 2, what="two schedulers again")
    assert count(client) == 1
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    assert [name.endswith(f"-{second.pid}") for name in schedule.schedulers()] == [True]
    log = (tmp_path / "log").read_text()
    assert "-cron is asked for" in log
    assert "Traceback" not in log


def test_without_a_schedule_a_scheduler_idles_and_says_so(start, schedule, eventually, tmp_path):
    """So containers may always start a scheduler."""
    scheduler = start(DIGITMILL_RETRAIN_CRON="")
    eventually(schedule.schedulers, what="the scheduler")
    assert "DIGITMILL_RETRAIN_CRON is not set" in (tmp_path / "log").read_text()
    assert (schedule.status().cron, schedule.status().next) == ("", None)
    scheduler.send_signal(signal.SIGTERM)
    assert scheduler.wait(60) == 0


def test_an_invalid_schedule_is_refused(start, tmp_path):
    """The scheduler ends at its start, with one line that says why."""
    assert start(DIGITMILL_RETRAIN_CRON="soon").wait(60) == 2
    assert (tmp_path / "log").read_text().startswith("DIGITMILL_RETRAIN_CRON='soon' is invalid: ")


@pytest.mark.usefixtures("client")
def test_a_clock_that_is_set_back_does_not_stop_the_schedule(make_beat):
    """Otherwise nothing would be due until the clock is there again, which may be in a year."""
    beat = make_beat(cron="* * * * *")
    beat.tick()
    beat.schedule["retrain"].last_run_at = datetime.now(UTC) + timedelta(days=365)
    beat.populate_heap()
    assert beat._heap[0].time > time.time() + 300 * DAY_SECONDS
    beat.tick()
    assert beat._next() < time.time() + 120
    assert beat._heap[0].time < time.time() + 120


@pytest.mark.parametrize("key", ["schedule", "schedulers", "taught-changes", "teaching-inbox", "training-seen"])
def test_a_damaged_key_does_not_end_the_scheduler(make_beat, client, caplog, key):
    """It logs what to do, once, and goes on."""
    beat = make_beat(cron="* * * * *")
    beat.tick()
    beat.schedule["retrain"].last_run_at = datetime.now(UTC) - timedelta(minutes=2)
    beat.populate_heap()
    for value in ("list", "text"):
        client.delete(f"digitmill:{key}")
        if value == "list":
            client.rpush(f"digitmill:{key}", "somebody else's")
        else:
            client.set(f"digitmill:{key}", "somebody else's")
        for _ in range(3):
            beat.tick()
    assert caplog.text.count(f"redis-cli DEL digitmill:{key}") <= 2
    client.delete(f"digitmill:{key}")
    beat.tick()
    assert Schedule(client).schedulers() == ["one"]


@pytest.mark.parametrize("since", ["nonsense", "nan", "inf", "-1", "9" * 400])
def test_a_damaged_time_of_the_last_firing_counts_as_now(schedule, client, since):
    """What came due before is not made up for."""
    schedule.begin(DAILY)
    client.hset("digitmill:schedule", "since", since)
    assert schedule.begin(DAILY) == pytest.approx(time.time(), abs=60)
