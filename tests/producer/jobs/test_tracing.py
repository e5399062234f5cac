"""Facts about the trace of a job, which a real collector has got from real processes."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest

from producer.mill.stack import Stack
from tests.support.collector import running_collector
from tests.support.command import CommandLine
from worker.contract.connection import connect
from worker.contract.ledger import Ledger
from worker.roles import Role

pytestmark = pytest.mark.slow

BATCHES = 3


@pytest.fixture
def collector(monkeypatch):
    """A collector of traces."""
    with running_collector(monkeypatch) as running:
        yield running


@pytest.fixture
def traced(tmp_path, digits, png, collector):
    """A client and a server without workers, and a folder of images that makes three batches. They trace."""
    scans = tmp_path / "scans"
    scans.mkdir()
    for index in range(BATCHES):
        (scans / f"{index}.png").write_bytes(png(digits.images[index]))
    with Stack(tmp_path / "server", 0) as stack:
        client = CommandLine(tmp_path, stack.url)
        client.environment.update(collector.variables)
        yield client


def run_worker(client, until):
    """Run a worker until a condition is true, and stop it in order."""
    with (client.folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(Role.WORKER.command(), env=client.environment, cwd=client.folder, stderr=log)
        try:
            until()
        finally:
            worker.terminate()
        assert worker.wait(60) == 0


def tree(collector):
    """Return the names of each span and its parent, with how many there are, and check that all are of one trace."""
    assert len({span.trace_id for span in collector.spans}) == 1
    names = {span.span_id: span.name for span in collector.spans}
    return Counter((names[span.parent_span_id] if span.parent_span_id else "", span.name) for span in collector.spans)


def attribute(span, name):
    """Return an attribute of a span that is a text."""
    [value] = [each.value.string_value for each in span.attributes if each.key == f"digitmill.{name}"]
    return value


STAGES = {("answer batch", stage): BATCHES for stage in ("decode", "classify", "finish")}


@pytest.mark.parametrize("detached", [False, True])
def test_the_span_of_a_job_is_the_root_of_all_that_is_done_for_it(traced, collector, eventually, detached):
    """In the client and in the worker, which stops right after its last answer. It sends that answer's spans first."""
    ledger = Ledger(connect(traced.environment["DIGITMILL_REDIS_URL"]))
    options = ["--detach"] if detached else ["--out", "report"]
    client = traced.start("submit", "scans", "--batch-size", 1, *options, installed=True)
    eventually(lambda: [job for job in ledger.jobs() if job.open == BATCHES], what="all is sent")
    [job] = ledger.jobs()
    run_worker(traced, lambda: eventually(lambda: not ledger.job(job.identifier).open, what="all is answered"))
    output, errors = client.communicate(timeout=60)
    assert client.returncode == 0, output + errors
    assert tree(collector) == {
        ("", "job"): 1,
        ("job", "send batch"): BATCHES,
        ("send batch", "answer batch"): BATCHES,
        **STAGES,
    }
    assert {attribute(span, "job") for span in collector.spans if span.name in ("job", "answer batch")} == {
        job.identifier
    }
    assert attribute(collector.one("job"), "model") == job.record.model


def test_a_client_that_continues_a_job_continues_its_trace(traced, collector, eventually):
    """What both clients do hangs below the span of the job."""
    ledger = Ledger(connect(traced.environment["DIGITMILL_REDIS_URL"]))
    first = traced.start("submit", "scans", "--batch-size", 1, "--out", "report", installed=True)
    eventually(lambda: [job for job in ledger.jobs() if job.open == BATCHES], what="all is sent")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    run_worker(traced, lambda: traced.run("resume", "last", "--out", "report", installed=True))
    found = tree(collector)
    assert found[("", "job")] == found[("job", "continue job")] == 1
    assert found[("job", "send batch")] == BATCHES
    assert found[("send batch", "answer batch")] >= BATCHES
    assert not [names for names in found if names[0] == "" and names[1] != "job"]


@pytest.mark.usefixtures("collector")
def test_a_process_does_not_wait_for_a_collector_that_never_answers():
    """Its end takes a few seconds at most, whatever OpenTelemetry's own limits are."""
    code = """
from worker.contract.telemetry.traces import span, start_tracing
start_tracing(role="test", name="host-1")
with span("job"):
    pass
"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
        }
        subprocess.run([sys.executable, "-c", code], env=variables, check=True, timeout=25)
