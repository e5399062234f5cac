"""`digitmill queue` beside a real server. The tests act as the worker."""

import pytest

from producer.jobs.sending import JobProgress
from producer.jobs.waiting import JobWatch
from producer.mill.finding import open_running_mill
from tests.support.answering import answer
from tests.support.users import add_users, url_for
from worker.contract.connection import connect
from worker.contract.gate import GateState, QueueGate
from worker.contract.gate.keys import GATE
from worker.contract.lane import CallKind, Lane
from worker.contract.lane.lane import PAUSED
from worker.contract.ledger import JobRecord, JobState, JobStatus, Ledger, Part, Verdict, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.users import RedisUser
from worker.contract.wire import Batch, Manifest
from worker.settings import Settings


@pytest.fixture
def client(server):
    """A connection to the server, which holds one live worker."""
    connection = connect(server.url)
    connection.flushall()
    Ledger(connection).announce("host-1", {"ready": 1}, ttl_seconds=600)
    yield connection
    connection.close()


@pytest.fixture
def submit(client):
    """Submit a batch of one image, and return its part."""

    def run(job: str = "job") -> Part:
        ledger, part = Ledger(client), Part(job, 0, 0, 1)
        ledger.create(job, JobRecord("scans/", "live", "host-1", {}, ""))
        ledger.submit(part, Batch((b"x",)), Manifest(("a",), (None,), {}), Window(9, 10**6), detached=True)
        return part

    return run


def claim(client, part):
    """Claim a part as a worker does, and return the verdict."""
    return Ledger(client).claim(part, token=part.job, holder="w-1", lease_seconds=60).verdict


def test_a_paused_queue_accepts_and_does_not_answer(client, digitmill, submit):
    """`status` says who did it and why. When it is open again, workers are told at once."""
    held = submit("held")
    assert claim(client, held) is Verdict.WORK
    digitmill("queue", "pause", "--reason", "a bad\x1b[2J model")
    part = submit()
    assert claim(client, part) is Verdict.PAUSED
    assert claim(client, held) is Verdict.WORK, "a worker ends what it has in hand"
    assert Ledger(client).due(overdue_seconds=-60) == []
    assert Lane(client).send(CallKind.FILES, b"call").sequence == PAUSED
    said = digitmill("status").output
    assert "warning   The queue is paused by " in said
    assert "(a bad\\x1b[2J model); `digitmill queue resume` opens it again." in said
    assert digitmill("status", "--json").json["gate"]["state"] == "paused"
    client.delete(CLASSIFY_QUEUE)
    digitmill("queue", "resume")
    assert client.llen(CLASSIFY_QUEUE) >= 1
    assert claim(client, part) is Verdict.WORK
    assert Lane(client).send(CallKind.FILES, b"call").sequence > 0
    assert "The queue is" not in digitmill("status").output


def test_a_client_of_a_paused_queue_waits_and_says_why(client, digitmill, submit):
    """It does not give up, however long the pause."""
    part, settings = submit(), Settings.from_environment(digitmill.environment)
    digitmill("queue", "pause")
    problems: list[str] = []

    def on_progress(_status: JobStatus, progress: JobProgress) -> None:
        problems.append(progress.problem)
        if len(problems) == 20:
            QueueGate(client).turn(GateState.OPEN, who="me", reason="")
            answer(Ledger(client), part)
            client.hset(ledger_keys.job("job"), "state", JobState.DONE)

    JobWatch(open_running_mill(settings), "job", settings, timeout=0.1, on_progress=on_progress).await_end()
    assert "The queue is paused by" in problems[15]


def test_a_drained_queue_takes_no_new_job_and_ends_what_is_there(client, digitmill, submit, tmp_path):
    """`--wait` waits for that, and names a job that makes no progress."""
    part = submit()
    (tmp_path / "a.png").write_bytes(b"no image")
    digitmill("queue", "drain", "--reason", "upgrade")
    refused = digitmill("submit", tmp_path / "a.png", code=2).errors
    assert "(upgrade); `digitmill queue resume` opens it again. Until then, it accepts no new jobs." in refused
    assert (
        "`digitmill show job` says what hinders"
        in digitmill("queue", "drain", "--wait", "--timeout", "0.1", code=5).errors
    )
    answer(Ledger(client), part)
    client.hset(ledger_keys.job("job"), "state", JobState.DONE)
    ended = digitmill("queue", "drain", "--wait", "--json").json
    assert (ended["gate"]["state"], ended["gate"]["reason"]) == ("drained", None)


def test_draining_waits_for_an_old_job_behind_many_that_have_ended(client, digitmill, submit):
    """A client may have been away for longer than it took to submit and end hundreds of jobs."""
    submit("old")
    ledger = Ledger(client)
    for number in range(150):
        ledger.create(f"new-{number}", JobRecord("scans/", "live", "host-1", {}, ""))
        client.hset(ledger_keys.job(f"new-{number}"), "state", JobState.DONE)
    refused = digitmill("queue", "drain", "--wait", "--timeout", "0.1", code=5).errors
    assert "with 1 job left. `digitmill show old` says" in refused


def test_a_damaged_gate_counts_as_open_and_is_named(client, digitmill, submit):
    """Nobody waits for what somebody else wrote there."""
    for damage in (lambda: client.set(GATE, "text"), lambda: client.hset(GATE, mapping={"state": "x", "since": "y"})):
        client.delete(GATE)
        damage()
        assert claim(client, submit(f"job-{client.type(GATE).decode()}")) is Verdict.WORK
        assert "gate" in digitmill("status").errors
    digitmill("queue", "resume")
    assert digitmill("status").errors == ""


def test_only_an_admin_may_turn_the_gate(server, client, submit):
    """Workers and submitters read it."""
    add_users(client)
    part = submit()
    clients = {user: connect(url_for(server.url, user)) for user in RedisUser}
    QueueGate(clients[RedisUser.ADMIN]).turn(GateState.PAUSED, who="me", reason="")
    assert claim(clients[RedisUser.WORKER], part) is Verdict.PAUSED
    assert QueueGate(clients[RedisUser.SUBMITTER]).read().state is GateState.PAUSED
    for user in (RedisUser.WORKER, RedisUser.SUBMITTER):
        with pytest.raises(Exception, match="permission"):
            QueueGate(clients[user]).turn(GateState.OPEN, who="me", reason="")
