"""Spans of OpenTelemetry: from the client that sends a batch, through Redis, to the worker that answers it.

Only this module imports `opentelemetry`, and only if `DIGITMILL_TRACES` is on.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any

from model.errors import required_extra

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)

_NO_SPAN = contextlib.nullcontext("")

_tracers: list[Any] = []
"""The tracer of this process, if there is one."""


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
        resource=Resource.create({"service.name": f"digitmill-{role}", "service.instance.id": name})
    )
    # A queue of limited length, which a thread empties. If it is full, spans are dropped, and nobody waits.
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    _tracers.append(provider.get_tracer("digitmill"))


def stop_tracing() -> None:
    """Send what is left, and trace no more."""
    for tracer in _tracers:
        tracer.span_processor.shutdown()
    _tracers.clear()


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
