"""Facts about the spans of batches."""

import subprocess
import sys

import numpy as np
import pytest

from model.errors import UsageError
from tests.support.collector import TRACES
from worker.contract.ledger import JobRecord, Owner, Part, Window
from worker.contract.telemetry import traces
from worker.contract.telemetry.traces import SpanKind, read_traceparent, span, start_tracing, stop_tracing
from worker.contract.wire import Batch, Manifest

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def spans(monkeypatch):
    """Trace in this process. Return what was sent, by name, when tracing has stopped."""
    # Not in the environment itself, because redis-py would import it in each process of the tests.
    monkeypatch.setattr(sys, "path", [*sys.path, str(TRACES)])
    reason = "OpenTelemetry is not installed here (`make .venv/test.done` does it)"
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter", reason=reason)
    exporter = memory.InMemorySpanExporter()
    start_tracing(role="test", name="host-1", exporter=exporter)

    def stop():
        stop_tracing()
        return {each.name: each for each in exporter.get_finished_spans()}

    yield stop
    stop_tracing()


IMAGES = Batch(np.zeros((2, 28, 28), np.uint8))
MANIFEST = Manifest(("a", "b"), (None, None), {})


def claim(ledger, part):
    """Claim a part."""
    return ledger.claim(part, token="token", holder="w", lease_seconds=60)  # noqa: S106  not a password


def submit(ledger, trace):
    """Submit a batch of two images, and claim it."""
    ledger.create("job", JobRecord("scans/", "live", "host-1", {}, ""))
    part = Part("job", 0, 0, len(IMAGES))
    ledger.submit(part, IMAGES, MANIFEST, Window(9, 10**6), detached=True, trace=trace)
    return claim(ledger, part)


def test_the_span_of_a_worker_is_below_that_of_the_client(spans, ledger):
    """The context travels in the batch's record."""
    with span("send", kind=SpanKind.PRODUCER, job="job") as trace:
        claimed = submit(ledger, trace)
    with span("answer", parent=claimed.trace, kind=SpanKind.CONSUMER), span("classify"):
        pass
    found = spans()
    assert {each.context.trace_id for each in found.values()} == {found["send"].context.trace_id}
    assert found["send"].parent is None
    assert found["answer"].parent.span_id == found["send"].context.span_id
    assert found["classify"].parent.span_id == found["answer"].context.span_id
    assert dict(found["send"].attributes) == {"digitmill.job": "job"}
    assert found["send"].resource.attributes["service.name"] == "digitmill-test"


def test_the_halves_of_a_batch_belong_to_its_trace(ledger):
    """A worker that splits a batch hands its context on, whether or not it traces itself."""
    claimed = submit(ledger, TRACE)
    assert [claim(ledger, half).trace for half in ledger.split(claimed, IMAGES)] == [TRACE, TRACE]


def test_the_halves_of_a_batch_without_a_trace_have_none(ledger):
    """Their client does not trace."""
    claimed = submit(ledger, "")
    assert [claim(ledger, half).trace for half in ledger.split(claimed, IMAGES)] == ["", ""]


@pytest.mark.parametrize("trace", [TRACE, ""])
def test_a_batch_that_is_sent_again_has_the_trace_of_that_sending(ledger, client, trace):
    """Redis has lost the first one."""
    part = submit(ledger, "00-" + "c" * 32 + "-" + "d" * 16 + "-01").part
    client.delete(part.key)
    owned = ledger.owned("job", Owner("", "host", "folder"))
    assert owned.restore(part, IMAGES, MANIFEST.to_wire(), due_seconds=1, attempts=3, trace=trace)
    assert claim(ledger, part).trace == trace


def test_without_a_parent_a_worker_begins_a_trace_of_its_own(spans):
    """As for a batch of a client that does not trace."""
    with span("answer", parent=""):
        pass
    assert spans()["answer"].parent is None


@pytest.mark.parametrize(
    "stored", [b"", b"x" * 90, b"x" * 200, b"\xff", TRACE.encode() + b"\n", TRACE.upper().encode()]
)
def test_what_is_not_a_context_is_ignored(ledger, client, stored):
    """Whoever writes to Redis may have written anything."""
    claimed = submit(ledger, TRACE)
    assert claimed.trace == TRACE
    client.hset(claimed.part.key, "trace", stored)
    assert claim(ledger, claimed.part).trace == read_traceparent(stored) == ""


def test_without_tracing_a_span_is_nothing():
    """It yields no context."""
    assert not traces._tracers
    with span("send") as trace:
        assert trace == ""


def test_without_tracing_nothing_of_opentelemetry_is_imported():
    """Neither in a worker nor in a client that sends a job."""
    code = """
import sys
import worker.classifying.service, producer.jobs.submission
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_who_wants_traces_without_the_library_is_told_how_to_get_it(monkeypatch):
    """In one sentence."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(UsageError, match=r"OpenTelemetry is not installed\. Install it: .*digitmill\[traces\]"):
        start_tracing(role="test", name="host-1")
