"""Facts about what Prometheus reads from a process."""

import http.client
import os
import socket
import urllib.error
from dataclasses import replace

import pytest

from model.errors import UsageError
from tests.support.metrics import free_port, parse, scrape
from worker.contract.telemetry import exposition as module
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.exposition import Exposition, make_registry, render
from worker.contract.telemetry.metrics import BATCH_IMAGES, IMAGES, MODEL, RELOADS
from worker.settings import Settings


@pytest.fixture
def settings():
    """Settings that name a free port."""
    return replace(Settings.from_environment({}), metrics_port=free_port())


def test_the_processes_of_a_worker_are_shown_as_one() -> None:
    """Counters add up, buckets contain those below them, and what does not serve any more is not shown."""
    one, two = Counts(), Counts()
    for counts in (one, two):
        counts.add(RELOADS, "loaded", amount=2)
        counts.set(MODEL, 1, "new")
    one.set(MODEL, 0, "old")
    one.observe(BATCH_IMAGES, 3, "jobs")
    two.observe(BATCH_IMAGES, 100_000, "jobs")
    found = parse(render(make_registry([one, two], role="worker", name="host-1", version="1"), "")[0].decode())
    assert found.value("digitmill_model_reloads_total", outcome="loaded") == 4
    assert found.value("digitmill_model_info", version="new") == 1
    assert not found.has("digitmill_model_info", version="old")
    assert found.value("digitmill_batch_images_bucket", lane="jobs", le="1") == 0
    assert found.value("digitmill_batch_images_bucket", lane="jobs", le="4096") == 1
    assert found.value("digitmill_batch_images_bucket", lane="jobs", le="+Inf") == 2
    assert found.value("digitmill_batch_images_count", lane="jobs") == 2
    assert found.value("digitmill_batch_images_sum", lane="jobs") == 100_003


def test_a_process_shows_its_metrics_on_the_port_that_the_settings_name(settings) -> None:
    """And who it is. The processes of one machine take one port after the other."""
    counts = Counts()
    counts.add(IMAGES, "error", "broken", "")
    expositions = [
        Exposition(settings, make_registry([counts], role="worker", name=name, version="1")) for name in ("a-1", "b-2")
    ]
    for each in expositions:
        each.start()
    try:
        ports = [int(each.url.rpartition(":")[2].partition("/")[0]) for each in expositions]
        assert ports[0] == settings.metrics_port < ports[1]
        for name, port in zip(("a-1", "b-2"), ports, strict=True):
            found = scrape(port)
            assert found.value("digitmill_process_info", role="worker", name=name, version="1") == 1
            assert found.value("digitmill_images_total", outcome="error", reason="broken") == 1
            assert found.value("process_resident_memory_bytes") > 1e6
    finally:
        for each in expositions:
            each.stop()


def test_a_forked_process_does_not_hold_the_port(settings) -> None:
    """Otherwise the next worker would not get it while a process of the last one lives."""
    exposition = Exposition(settings, make_registry([], role="worker", name="a-1", version="1"))
    exposition.start()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.read(reading, 1)
        os._exit(0)
    try:
        exposition.stop()
        again = Exposition(settings, make_registry([], role="worker", name="a-1", version="1"))
        assert again.url == exposition.url
        again.start()
        again.stop()
    finally:
        os.write(writing, b".")
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_an_address_of_another_machine_is_refused_with_the_remedy(settings) -> None:
    """A process that cannot show what it should show does not start."""
    with pytest.raises(UsageError, match=r"192\.0\.2\.1.*DIGITMILL_METRICS_HOST"):
        Exposition(
            replace(settings, metrics_host="192.0.2.1"), make_registry([], role="worker", name="a-1", version="1")
        )


def test_a_slow_client_does_not_keep_the_port_for_ever(settings, monkeypatch) -> None:
    """One thread answers one client after the other, and gives up those that say nothing."""
    monkeypatch.setattr(module._Handler, "timeout", 0.1)
    exposition = Exposition(settings, make_registry([], role="worker", name="a-1", version="1"))
    exposition.start()
    try:
        with socket.create_connection(("127.0.0.1", settings.metrics_port)):
            assert scrape(settings.metrics_port).has("digitmill_process_info")
    finally:
        exposition.stop()


def test_a_fault_of_the_program_itself_is_logged(settings, caplog) -> None:
    """Prometheus says only that nobody answers."""

    def collect():
        raise ZeroDivisionError

    exposition = Exposition(settings, make_registry([], role="exporter", name="a-1", version="1", collect=collect))
    exposition.start()
    try:
        with pytest.raises(http.client.RemoteDisconnected):
            scrape(settings.metrics_port)
    finally:
        exposition.stop()
    assert "ZeroDivisionError" in caplog.text


def test_only_the_metrics_are_there(settings) -> None:
    """Another path does not exist."""
    exposition = Exposition(settings, make_registry([], role="worker", name="a-1", version="1"))
    exposition.start()
    try:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            scrape(settings.metrics_port, "/etc")
    finally:
        exposition.stop()
