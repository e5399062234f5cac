"""Whatever somebody writes under our keys in Redis, commands name it, show everything else, and do not fail."""

import json
import time
from itertools import product

import numpy as np
import pytest

from model.training.options import TrainingOptions
from producer.mill.stack import Stack
from tests.support.answering import seal
from tests.support.command import run_here
from tests.support.harms import WRITERS
from worker.contract.connection import connect
from worker.contract.ledger import JobRecord, JobState, Ledger, Part, Submitted, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.registry import Registry
from worker.contract.registry import keys as registry_keys
from worker.contract.teaching import LabelChange, Teaching
from worker.contract.teaching import keys as teaching_keys
from worker.contract.training import Schedule, Trainings
from worker.contract.training import keys as training_keys
from worker.contract.wire import Batch, Manifest, Result

GARBAGE = {
    "nothing": b"",
    "no JSON": b"nonsense",
    "no text": b"\xff\xfe\x00\x80",
    "a number": b"7",
    "a negative number": b"-7",
    "a huge number": b"9" * 5000,
    "a number beyond every calendar": b"99999999999999999999",
    "not a number": b"nan",
    "an infinite number": b"-inf",
    "a list": b"[1, 2, 3]",
    "deep nesting": b"[" * 100_000,
    "another format": b'{"format": 999}',
    "missing fields": b'{"format": 1}',
    "wrong types": b'{"format": 1, "source": 1, "model": [], "client": {}, "options": "x", "folder": null, "at": 1}',
    "infinite numbers": b'{"format": 1, "at": Infinity, "version": 1e999}',
    "escapes for a terminal": b"\x1b[31m\x07\r\n\x9b",
    "a lone surrogate": b'"\\ud800"',
    "a path": b"../../../x",
    "many elements": b"[" + b"0," * 2**14 + b"0]",
    "many bytes": b'["' + b"0" * 2**21 + b'"]',
}
HEALTHY = "261125-120000-healthy2"
NOW_MS = int(time.time() * 1000)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server without workers."""
    with Stack(tmp_path_factory.mktemp("server"), 0) as stack:
        yield stack


@pytest.fixture
def client(server):
    """A connection to the server, which holds one healthy job and one live worker."""
    connection = connect(server.url)
    connection.flushall()
    ledger = Ledger(connection, ttl_seconds=3600)
    ledger.create(HEALTHY, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    ledger.announce("healthy-1", {"ready": 1, "started": time.time(), "model": "baseline-1"}, ttl_seconds=60)
    yield connection
    connection.close()


@pytest.fixture
def run(server, tmp_path):
    """Run a command in this process, and check that it ends as a command should. Return what it printed."""

    def call(*words, code=None):
        variables = {"DIGITMILL_REDIS_URL": server.url, "DIGITMILL_DATA": str(tmp_path), "DIGITMILL_OFFLINE": "1"}
        ended = run_here(*words, **variables)
        printed = ended.stdout + ended.stderr
        assert ended.exception is None or isinstance(ended.exception, SystemExit), (words, ended.exception)
        assert ended.exit_code in ((0, 1, 2, 4, 5) if code is None else (code,)), (words, printed[-2000:])
        assert "Traceback" not in printed, (words, printed)
        assert printed.replace("\n", "").isprintable(), (words, printed)
        return ended

    return call


def check_lists(run, named=()):
    """Check that every list shows what is healthy, and names what is damaged."""
    for words in (("jobs", "--latest", "1"), ("status",)):
        shown = run(*words, code=0)
        assert HEALTHY in shown.stdout, shown.stdout
        shown = run(*words, "--json", code=0)
        assert HEALTHY in shown.stdout
        for name in named:
            assert name in shown.stdout
    assert "healthy-1" in run("status", code=0).stdout
    baseline = json.loads(run("models", "list", "--json", code=0).stdout)["models"][-1]
    assert baseline["problem"] is None
    run("models", "list", code=0)
    run("teach", "--list", code=0)
    run("teach", "--list", "--json", code=0)


def test_a_report_with_a_damaged_answer_exits_with_1(client, run, tmp_path):
    """The counters of the job say that all is well."""
    ledger, part = Ledger(client, ttl_seconds=3600), Part(HEALTHY, 0, 0, 1)
    names = Manifest(("a.png",), (None,), {})
    assert ledger.submit(part, Batch((b"file",)), names, Window(9, 10**6), detached=True) is Submitted.STORED
    claimed = ledger.claim(part, token="t", holder="w", lease_seconds=60)  # noqa: S106  not a password
    assert ledger.finish(claimed, Result("m", "w", np.zeros(1, np.uint8), np.ones(1, np.float32), None, {}))
    assert seal(ledger, HEALTHY) is JobState.DONE
    client.hset(ledger_keys.results(HEALTHY), part.field, b"garbage")
    run("report", HEALTHY, "--out", str(tmp_path / "report"), code=1)
    assert "damaged in Redis" in (tmp_path / "report" / "errors.csv").read_text(encoding="utf-8")


def job_fields():
    """Return the fields of a finished job."""
    record = JobRecord("scans/", "baseline-1", "host-1", {}, "").to_json()
    counts = {"images": 4, "answered": 4, "failed": 0, "open": 0, "unread": 0}
    return {"record": record, "model": "baseline-1", "state": "done", "ended": NOW_MS, "problem": "", **counts}


def test_a_damaged_job_hides_no_other(client, run):
    """Each field of a job's record is damaged in each way. The healthy job is older, and still listed."""
    fields = job_fields()
    names = {}
    for number, (field, garbage) in enumerate(product(fields, GARBAGE)):
        names[f"261125-130000-{number}"] = (field, garbage)
    for name, (field, garbage) in names.items():
        client.hset(ledger_keys.job(name), mapping={**fields, field: GARBAGE[garbage]})
        client.zadd(ledger_keys.JOBS, {name: NOW_MS + 1000})
    listed = json.loads(run("jobs", "--latest", "1000", "--json", code=0).stdout)
    damaged = {record["name"] for record in listed["damaged"]}
    assert {names[name][1] for name in damaged if names[name][0] == "record"} == GARBAGE.keys()
    assert HEALTHY in {job["job"] for job in listed["jobs"]}
    shown = run("jobs", "--latest", "1000", code=0)
    assert "more; --json lists them" in shown.stderr
    for name in list(names)[::3]:
        assert run("show", name).exit_code == (2 if name in damaged else 0)
    for name in list(names)[:: len(GARBAGE) // 2]:
        for words in (("show", name, "--json"), ("wait", name), ("cancel", name)):
            run(*words)
    for name in names:
        client.hset(ledger_keys.job(name), "record", b"{}")  # all are damaged now, and newer than the healthy one
    check_lists(run)


def test_names_that_no_job_can_have_are_named_and_never_used(client, run):
    """They become neither keys nor paths nor escapes, and `last` means a job that can have its name."""
    strange = ["../../x", "/etc/passwd", "a b", "\x1b[31mred", "", "x" * 5000, b"\xff\xfe", "a\nb", ".hidden", "-rf"]
    for name in strange:
        client.zadd(ledger_keys.JOBS, {name: NOW_MS * 2})
        client.zadd(ledger_keys.WORKERS, {name: NOW_MS})
    for score in ("inf", "-inf", -5, 1e300):
        client.zadd(ledger_keys.JOBS, {f"score{score}".replace("-", ""): score})
        client.hset(ledger_keys.job(f"score{score}".replace("-", "")), mapping=job_fields())
    check_lists(run, named=["../../x", "/etc/passwd", "-rf"])
    assert run("show", "scoreinf", code=2)
    client.zrem(ledger_keys.JOBS, "scoreinf", "score1e+300")
    assert HEALTHY in run("show", "last", code=0).stdout
    for name in ("../../x", "\x1b[31mred"):
        for words in (("show", name), ("wait", name), ("cancel", "--", name), ("report", name)):
            run(*words, code=2)


def test_a_damaged_worker_hides_no_other(client, run):
    """The report of a worker has each of its fields damaged in each way."""
    fields = {
        "seen": time.time(),
        "started": time.time(),
        "images": 1,
        "process": 1,
        "ready": 1,
        "model": "m",
        "model_fault": "",
        "startup_seconds": 1,
    }
    for number, (field, garbage) in enumerate(product(fields, GARBAGE)):
        client.hset(ledger_keys.worker(f"w-{number}"), mapping={**fields, field: GARBAGE[garbage]})
        client.zadd(ledger_keys.WORKERS, {f"w-{number}": NOW_MS})
    check_lists(run, named=[])
    damaged = json.loads(run("status", "--json", code=0).stdout)["damaged"]
    assert len(damaged) > 3 * len(GARBAGE)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_damaged_training_or_schedule_hides_nothing_else(client, run, garbage):
    """Neither the rest of `status` nor that another training can be asked for.

    Each field and each other key meets every fourth kind of garbage, because all pairs would take half a minute.
    """
    value, turn = GARBAGE[garbage], list(GARBAGE).index(garbage)
    trainings = Trainings(client)
    trainings.ask("training-1", TrainingOptions(), who="me")
    claim = trainings.claim(holder="trainer-1", lease_seconds=60)
    assert claim
    trainings.renew(claim, lease_seconds=60, epoch=1, epochs=2, accuracy=0.5, seconds_left=3.0)
    Schedule(client).announce("scheduler-1", "0 3 * * *", time.time())
    Schedule(client).handled("done")
    key = training_keys.training("training-1")
    healthy = {key: client.hgetall(key), training_keys.SCHEDULE: client.hgetall(training_keys.SCHEDULE)}
    for hash_key, fields in healthy.items():
        for number, (field, before) in enumerate(fields.items()):
            if (number + turn) % 4 == 0:
                client.hset(hash_key, field, value)
                assert HEALTHY in run("status", code=0).stdout
                client.hset(hash_key, field, before)
    others = (training_keys.CURRENT, training_keys.SEEN, training_keys.LEASE, training_keys.TOKEN)
    name = others[turn % 4]
    before = client.get(name)
    client.set(name, value)
    assert HEALTHY in run("status", code=0).stdout
    run("train", "--json")
    if before is not None:
        client.set(name, before)
    client.zadd(training_keys.TRAINERS, {value[:100]: NOW_MS})
    client.zadd(training_keys.SCHEDULERS, {value[:100]: NOW_MS})
    client.hset(key, "order", value)
    assert HEALTHY in run("status", code=0).stdout
    run("train", "--cancel")


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_damaged_taught_image_hides_no_other(client, run, garbage, digits):
    """A record of the account or of the inbox, its key, and the counts."""
    value = GARBAGE[garbage]
    change = LabelChange.of(digits.images[0], 7, "healthy.png", time.time())
    Teaching(client).send([change])
    for key in (teaching_keys.TAUGHT, teaching_keys.INBOX):
        client.hset(key, "0" * 64, value)
        client.hset(key, value[:100], change.to_wire())
    client.set(teaching_keys.CHANGES, value)
    shown = run("teach", "--list", code=0)
    assert "healthy.png" in shown.stdout
    listed = json.loads(run("teach", "--list", "--json", code=0).stdout)
    assert [row["name"] for row in listed["taught"]] == ["healthy.png"]
    assert len(listed["damaged"]) >= 4
    assert HEALTHY in run("status", code=0).stdout
    run("teach", "--remove", "0000")


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_damaged_version_hides_no_other(client, run, garbage, variant):
    """Its record, an alias, a change of the live version, and the counts of its answers."""
    value = GARBAGE[garbage]
    registry = Registry(client)
    card, files = variant()
    registry.publish(card, files)
    registry.promote(card.version, reason="better")
    for name in ("damaged", value[:100]):
        client.zadd(registry_keys.MODELS, {name: NOW_MS})
    client.hset(registry_keys.model("damaged"), mapping={"card": value, "sha256": value, "published": value})
    client.lpush(registry_keys.MOVES, value)
    listed = json.loads(run("models", "list", "--json", code=0).stdout)
    assert card.version in {row["model"] for row in listed["models"] if not row["problem"]}
    assert "damaged" in {row["model"] for row in listed["models"] if row["problem"]}
    assert [change["model"] for change in listed["history"]] == [card.version]
    assert listed["damaged"]
    assert card.version in run("models", "list", code=0).stdout
    run("models", "show", card.version, code=0)
    run("models", "show", "damaged", code=2)
    client.hset(registry_keys.model("damaged"), mapping={"card": "x", "sha256": "x", "published": value})
    client.hset(registry_keys.service_counts(card.version), "images", value)
    run("models", "compare", card.version, "baseline")
    Ledger(client).remove_worker("healthy-1")  # commands that change the live version wait for the workers
    for alias in ("previous", "candidate", "watched", "live"):
        client.hset(registry_keys.ALIASES, alias, value)
        listed = json.loads(run("models", "list", "--json", code=0).stdout)
        assert card.version in {row["model"] for row in listed["models"] if not row["problem"]}
    for words in (("models", "show", "live"), ("models", "rollback"), ("models", "promote", "baseline"), ("status",)):
        run(*words)


NEVER_READ = (b"digitmill:training-token", b"digitmill:trainings", b"digitmill:taught-keeper")
"""Keys that only scripts use. They delete what has another type."""


def keys_of_every_kind(client, digits, variant):
    """Make every kind of key that digitmill stores for people to list. Return the keys."""
    registry, trainings = Registry(client), Trainings(client)
    card, files = variant()
    registry.publish(card, files)
    registry.promote(card.version, reason="better")
    trainings.ask("training-1", TrainingOptions(), who="me")
    trainings.claim(holder="trainer-1", lease_seconds=60)
    trainings.announce("trainer-1")
    Schedule(client).announce("scheduler-1", "0 3 * * *", time.time())
    Teaching(client).send([LabelChange.of(digits.images[0], 7, "a.png", time.time())])
    client.set(training_keys.SEEN, 0)
    client.set(teaching_keys.CHANGES, 0)
    client.hset(teaching_keys.TAUGHT, "0" * 64, "x")
    client.set(teaching_keys.KEEPER, "folder", px=15_000)
    client.hset(registry_keys.service_counts(card.version), "images", 1)
    client.hset(ledger_keys.job("other"), mapping=job_fields())
    client.zadd(ledger_keys.JOBS, {"other": NOW_MS})
    return sorted(client.scan_iter())


def test_a_key_of_another_type_is_named_and_hides_nothing_else(client, run, digits, variant):
    """Every key in turn holds another type. Commands that need it name it, and the others work."""
    for key in keys_of_every_kind(client, digits, variant):
        before = client.dump(key)
        other = "list" if client.type(key) == b"string" else "string"  # to Redis, one wrong type is like another
        client.delete(key)
        WRITERS[other](client, key)
        printed = ""
        for words in (
            ("jobs",),
            ("jobs", "--json"),
            ("status",),
            ("status", "--json"),
            ("models", "list"),
            ("models", "show", "baseline"),
            ("models", "compare", "variant", "baseline"),
            ("teach", "--list"),
            ("show", HEALTHY),
            ("show", "other"),
            ("wait", "other"),
        ):
            ended = run(*words)
            printed += ended.stdout + ended.stderr
            if words[0] == "status" and key not in (ledger_keys.JOBS.encode(), ledger_keys.job(HEALTHY).encode()):
                assert HEALTHY in ended.stdout
        if key not in NEVER_READ:
            assert key.decode() in printed
        client.delete(key)
        client.restore(key, 0, before)
