"""Spans of OpenTelemetry: from a job and its batches in the client, through Redis, to the workers that answer them.

Only this module imports `opentelemetry`, and only if `DIGITMILL_TRACES` is on.
"""

import atexit
import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any

from model.errors import required_extra

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
TRACEPARENT_BYTES = 55
"""Length of a context, as it goes to another process."""

_NO_SPAN = contextlib.nullcontext("")

STOP_SECONDS = 2.0
"""Longest time that a process which ends waits for the collector."""

_tracers: list[Any] = []
"""The tracer of this process, if there is one."""

_stoppers: list["_Stopper"] = []
"""What ends that tracer."""


class SpanKind(StrEnum):
    """What a span is to the others of its trace, by the names of OpenTelemetry."""

    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


def start_tracing(*, role: str, name: str, exporter: Any = None) -> None:
    """Send the spans of this process to a collector from now on. A second call changes nothing.

    A forked process calls it for itself. OpenTelemetry's own variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`, say
    where the collector is.

    Args:
        role: Role of the process.
        name: Name of the process.
        exporter: Exporter of OpenTelemetry to use in place of the one for OTLP.

    Raises:
        UsageError: OpenTelemetry is not installed.
    """
    if _tracers:
        return
    with required_extra("OpenTelemetry", "traces"):
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"digitmill-{role}", "service.instance.id": name}),
        shutdown_on_exit=False,  # it would wait half a minute for a collector that does not answer
    )
    # A queue of limited length, which a thread empties. If it is full, spans are dropped, and nobody waits.
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    _tracers.append(provider.get_tracer("digitmill"))
    _stoppers.append(_Stopper(provider))
    _stoppers[0].start()
    atexit.register(stop_tracing)


class _Stopper(threading.Thread):
    """Sends what is left when the process ends. It starts early, because a process that ends may start no thread.

    Args:
        provider: What makes the spans of this process.
    """

    def __init__(self, provider: Any) -> None:
        super().__init__(name="traces", daemon=True)
        self._provider = provider
        self._told = threading.Event()

    def run(self) -> None:
        """Wait until the process ends."""
        self._told.wait()
        self._provider.shutdown()

    def stop(self, seconds: float) -> None:
        """Send what is left.

        Args:
            seconds: Time after which to leave it.
        """
        self._told.set()
        self.join(seconds)


def stop_tracing() -> None:
    """Send what is left, but for `STOP_SECONDS` at most, and trace no more."""
    _tracers.clear()
    while _stoppers:
        _stoppers.pop().stop(STOP_SECONDS)


def is_tracing() -> bool:
    """Return whether this process makes spans."""
    return bool(_tracers)


def span(
    name: str, parent: str = "", kind: SpanKind = SpanKind.INTERNAL, **attributes: str | float
) -> AbstractContextManager[str]:
    """Return a context that is a span, if this process traces.

    Args:
        name: Name of the span.
        parent: What the context of the parent span returned in another process, or "" for the current span.
        kind: What it is to the others.
        attributes: Attributes; their names get the prefix `digitmill.`.

    Returns:
        The context to hand on to another process (W3C's traceparent), or "" if this process does not trace.
    """
    return _span(name, parent, kind, attributes) if _tracers else _NO_SPAN


@contextlib.contextmanager
def _span(name: str, parent: str, kind: SpanKind, attributes: Mapping[str, str | float]) -> Iterator[str]:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator, carrier = TraceContextTextMapPropagator(), dict[str, str]()
    with _tracers[0].start_as_current_span(
        name,
        context=propagator.extract({"traceparent": parent}) if parent else None,
        kind=trace.SpanKind[kind],
        attributes={f"digitmill.{attribute}": value for attribute, value in attributes.items()},
    ):
        propagator.inject(carrier)
        yield carrier["traceparent"]


def read_traceparent(stored: bytes) -> str:
    """Return a context that somebody has stored in Redis, or "" if it is not one."""
    text = stored.decode("ascii", "replace")
    return text if _TRACEPARENT.fullmatch(text) else ""
