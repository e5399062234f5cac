"""Facts about what the exporter shows of a mill."""

import time

import pytest

from model.training.options import TrainingOptions
from tests.support.metrics import parse
from tests.support.running_server import running_server
from tests.support.users import add_users, url_for
from worker.contract.connection import connect
from worker.contract.gate import GateState, QueueGate
from worker.contract.lane import CallKind, Lane
from worker.contract.ledger import JobRecord, Part, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.registry import Registry
from worker.contract.registry import keys as registry_keys
from worker.contract.telemetry.exposition import make_registry, render
from worker.contract.telemetry.metrics import METRICS
from worker.contract.training import Trainings
from worker.contract.users import RedisUser
from worker.contract.wire import Batch, Manifest
from worker.exporter.values import MillValues


def look(client):
    """Return what Prometheus would read."""
    registry = make_registry([], role="exporter", name="here-1", version="1", collect=MillValues(client).collect)
    return parse(render(registry, "")[0].decode())


@pytest.fixture
def exporter(server, client):
    """A connection with the rights of the exporter alone."""
    add_users(client)
    return connect(url_for(server.url, RedisUser.EXPORTER))


def test_an_empty_mill_shows_zeros_and_not_nothing(exporter):
    """A rule about a metric that is not there would never fire."""
    found = look(exporter)
    names = {metric.name for metric in METRICS if metric.where == "exporter"} - {"digitmill_review_ratio"}
    assert {name for name in names if not found.has(name)} == set()
    assert found.value("digitmill_redis_up") == 1
    assert found.value("digitmill_workers") == 0
    assert found.value("digitmill_redis_memory_limit_bytes") == 2**30
    assert found.value("digitmill_damaged_records") == 0


def test_the_queue_is_shown_by_state_and_lane_with_the_age_of_its_oldest_batch(exporter, client, ledger):
    """As the ledger counts it."""
    ledger.create("job", JobRecord("scans/", "live", "host-1", {}, ""))
    for sequence in range(3):
        manifest = Manifest(("a",) * 4, (None,) * 4, {})
        part = Part("job", sequence, 0, 4)
        ledger.submit(part, Batch((b"x",) * 4), manifest, Window(9, 10**6), detached=True)
    claimed = ledger.claim(part, token=part.field, holder="w", lease_seconds=60)
    assert 0 <= claimed.waited < 60
    client.hincrby(Part("job", 0, 0, 4).key, "submitted", -90_000)
    Lane(client).send(CallKind.FILES, b"call")
    found = look(exporter)
    assert found.value("digitmill_queue_batches", state="waiting", lane="jobs") == 2
    assert found.value("digitmill_queue_batches", state="working", lane="jobs") == 1
    assert found.value("digitmill_queue_batches", state="waiting", lane="files") == 1
    assert found.value("digitmill_queue_images", state="waiting") == 8
    assert 90 <= found.value("digitmill_oldest_batch_seconds") < 150
    assert found.value("digitmill_running_jobs") == 1


def test_workers_are_shown_by_state_and_those_that_do_not_follow_the_live_version(
    exporter, client, ledger, monkeypatch
):
    """One that is starting serves nothing yet, and a silent one may be dead. On a busy machine, a minute may pass."""
    monkeypatch.setattr("worker.contract.ledger.records.SILENT_SECONDS", 60.0)
    live = Registry(client).live()
    for name, ready, model in (("a-1", 1, live), ("b-1", 1, "other-12345678"), ("c-1", 0, ""), ("d-1", 1, live)):
        ledger.announce(name, {"ready": ready, "started": time.time()}, ttl_seconds=ALIVE_SECONDS)
        ledger.report_model(name, model, "")
    client.hset(ledger_keys.worker("d-1"), "seen", ledger.now() - 61)
    found = look(exporter)
    assert [found.value("digitmill_workers", state=state) for state in ("ready", "starting", "silent")] == [2, 1, 1]
    assert found.value("digitmill_workers_behind") == 1
    assert found.value("digitmill_live_model_info", version=live) == 1


def test_a_training_is_shown_by_its_state(exporter, client):
    """1 for its state, and 0 for all others."""
    trainings = Trainings(client)
    trainings.ask("one", TrainingOptions(epochs=1), who="me")
    found = look(exporter)
    assert found.value("digitmill_training_state", state="asked") == 1
    assert found.value("digitmill_training_state") == 1


def test_a_damaged_record_does_not_hide_the_others(exporter, client):
    """It is counted."""
    client.set(registry_keys.ALIASES, "nonsense")
    found = look(exporter)
    assert found.value("digitmill_damaged_records") >= 1
    assert found.value("digitmill_redis_up") == 1
    assert not found.has("digitmill_live_model_info")
    client.delete(registry_keys.ALIASES)


def test_without_redis_that_alone_is_shown_and_logged_once(tmp_path, caplog):
    """So nobody takes old figures for new ones."""
    with running_server(tmp_path / "r") as url:
        values = MillValues(connect(url))
        assert len(dict(values.collect())) > 20
    for _ in range(2):
        assert dict(values.collect()) == {("digitmill_redis_up",): 0}
    assert caplog.text.count("Cannot reach") == 1


def test_a_queue_that_is_paused_is_shown(exporter, client):
    """So that somebody is told if nobody opens it again."""
    QueueGate(client).turn(GateState.PAUSED, who="me", reason="test")
    found = look(exporter)
    assert [found.value("digitmill_queue_gate", state=state) for state in ("open", "paused", "drained")] == [0, 1, 0]
