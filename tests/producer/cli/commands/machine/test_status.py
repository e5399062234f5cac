"""`digitmill status` as whoever is woken at night sees it, beside a real server. The tests act as the workers."""

import time

import pytest

from model.errors import Failure, FailureCode
from tests.producer.cli.test_terminal import on_a_terminal
from tests.support.command import CommandLine
from worker.contract.connection import connect
from worker.contract.ledger import JobRecord, Ledger, Part, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.observation import Incident, Incidents, RecentAnswers, RecentCounts
from worker.contract.registry import Registry
from worker.contract.wire import Batch, Manifest


@pytest.fixture
def client(server):
    """A connection to the server, which holds nothing and has its usual limits."""
    connection = connect(server.url)
    connection.flushall()
    yield connection
    connection.config_set("maxmemory", "1gb")
    connection.config_set("appendonly", "yes")
    connection.close()


@pytest.fixture
def digitmill(server, tmp_path):
    """Run `digitmill …` beside that server."""
    return CommandLine(tmp_path, server.url)


@pytest.fixture
def worker(client, monkeypatch):
    """Announce a worker that serves the live model. On a busy machine, a minute may pass until somebody looks."""
    monkeypatch.setattr("worker.contract.ledger.records.SILENT_SECONDS", 60.0)
    facts: dict[str, str | int | float] = {
        "ready": 1,
        "started": time.time() - 90,
        "model": Registry(client).live(),
        "version": "1.2.3",
    }

    def announce(name: str = "host-1", **others: str) -> None:
        Ledger(client).announce(name, {**facts, "memory": 90 * 2**20, **others}, ttl_seconds=600)

    announce()
    return announce


def words(printed):
    """Return what a command printed, as one line."""
    return " ".join(printed.output.split())


@pytest.mark.usefixtures("worker")
def test_a_sound_mill_fits_on_a_small_screen(client, digitmill):
    """All is there within 24 lines, and `--check` ends with 0."""
    answers = RecentAnswers()
    answers.add(1200, [Failure(FailureCode.BLANK, "…")] * 3)
    answers.report(RecentCounts(client))
    printed = digitmill("status", "--check")
    assert len(printed.output.splitlines()) < 24
    assert printed.output.startswith("well      nothing is wrong\nredis     ")
    said = words(printed)
    for text in (
        "noeviction append-only file ok, last fork",
        "master, 0 replicas",
        "queue 0 batches waiting (0 images); 0 in work; 0 answered",
        "failed 3 of 1,200 images in the last minute; 3 of 1,200 in the last hour (3 blank)",
        "1 ready, 1 alive",
        "host-1 ready 2 m 0 0 90 MB",
        "1.2.3",
        "running 0 jobs",
    ):
        assert text in said, (text, said)
    body = digitmill("status", "--json").json
    assert (body["problems"], body["minute"]["images"], body["queue"]["waiting"]) == ([], 1200, 0)
    assert body["hour"]["failures"] == {"blank": 3}


def test_what_is_wrong_comes_first_with_its_remedy(client, digitmill, worker):
    """Each fault is a problem of its own, and `--check` ends with 6. Without it, the exit code is 0."""
    worker("host-1", model_fault="The file is damaged.")
    worker("host-2")
    client.hincrbyfloat(ledger_keys.worker("host-2"), "seen", -70)
    ledger = Ledger(client)
    ledger.create("job", JobRecord("scans/", "live", "host-1", {}, ""))
    part = Part("job", 0, 0, 1)
    ledger.submit(part, Batch((b"x",)), Manifest(("a",), (None,), {}), Window(9, 10**6), detached=True)
    client.hincrby(part.key, "submitted", -300_000)
    for number in range(3):
        Incidents(client).record(Incident(time.time(), f"host-{number}", f"worker-{number} ended", ended=True))
    answers = RecentAnswers()
    answers.add(100, [Failure(FailureCode.QUARANTINED, "…")] * 60)
    answers.report(RecentCounts(client))
    client.config_set("maxmemory", str(int(client.info("memory")["used_memory"] * 1.05)))
    printed = digitmill("status", "--check", code=6)
    client.config_set("maxmemory", "1gb")
    lines = printed.output.splitlines()
    urgent = [line for line in lines if line.startswith("problem ")]
    assert lines[: len(urgent)] == urgent
    for text in (
        "Silent for more than 3 s: host-2. Look whether",
        "Workers have died 3 times in the last 10 minutes; the last time, worker-2 ended.",
        "The oldest batch has waited for 30",
        "60 images of the last hour failed by a fault of a worker",
        "% of the memory that it may use",
        "host-1 does not serve the live model: The file is damaged.",
    ):
        assert text in "\n".join(urgent), (text, urgent)
    assert "60 of 100 images of the last minute failed (quarantined 60)" in lines[len(urgent)]
    assert "1 ready, 1 alive, 1 silent" in printed.output
    body = digitmill("status", "--json").json
    assert [worker["silent"] for worker in body["workers"]] == [False, True]
    assert all(problem["urgent"] for problem in body["problems"][:5])


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (132, 50)])
def test_a_large_mill_fits_on_the_screen_too(client, digitmill, server, worker, tmp_path, monkeypatch, columns, rows):
    """Of many workers, those stay that may need help, and what is below the table is there. A pipe gets all."""
    monkeypatch.setattr("tests.producer.cli.test_terminal.SIZE", (columns, rows))
    for number in range(2, 61):
        worker(f"digitmill-worker-{number:02d}-17", restarts=int(number == 33))
    worker("starting-1", ready=0)
    ledger = Ledger(client)
    for number in range(40):
        ledger.create(f"job-{number}", JobRecord("scans/", "live", "host-1", {}, ""))
    code, written = on_a_terminal(["status"], folder=tmp_path, url=server.url)
    assert code == 0
    lines = written.splitlines()
    assert len(lines) <= rows - 2
    assert lines[0].startswith("\x1b[32mwell") or "well" in lines[0]
    for text in ("starting-1", "model", "trainers", "disk", "running   40 jobs", "more: digitmill status | less"):
        assert text in written, (text, written)
    assert "more: digitmill jobs" in written
    assert ("digitmill-worker-33-17" in written) == (rows == 50)
    piped = digitmill("status").output
    assert all(f"digitmill-worker-{number:02d}-17" in piped for number in range(2, 61))
    assert all(f"job-{number}" in piped for number in range(20))


@pytest.mark.usefixtures("client")
def test_without_a_worker_the_exit_code_is_4_as_before(digitmill):
    """Also with `--check`, because 4 says more."""
    printed = digitmill("status", "--check", code=4)
    assert printed.output.startswith("problem   No worker is ready. `digitmill up` starts workers")
    assert "no worker is ready" in printed.errors


@pytest.mark.usefixtures("worker")
def test_watching_needs_a_terminal(digitmill):
    """Elsewhere nobody could end it, and `--json` is one value."""
    assert "--watch needs a terminal" in digitmill("status", "--watch", code=2).errors
    assert "--watch is for people" in digitmill("status", "--watch", "--json", code=2).errors


def test_a_worker_elsewhere_is_silent_after_three_seconds_and_gone_after_ten(client, eventually):
    """Its last report expires in Redis. One that a supervisor here replaces is gone at once: see `test_stack.py`."""
    ledger = Ledger(client, ttl_seconds=60)
    ledger.announce("host-9", {"ready": 1}, ttl_seconds=ALIVE_SECONDS)
    [worker] = ledger.workers(silent=True)
    assert not worker.is_silent(worker.seen + 2.9)
    assert worker.is_silent(worker.seen + 3.1)
    assert client.pttl(ledger_keys.worker("host-9")) <= 10_000
    client.pexpire(ledger_keys.worker("host-9"), 1)
    eventually(lambda: ledger.workers(silent=True) == [], what="an expired report")
