"""A collector of traces: an HTTP server that takes spans as OpenTelemetry's own collector does, over OTLP."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

TRACES = Path(sys.prefix) / "traces"
"""Where `make` installs OpenTelemetry for the tests: apart, because each process with redis-py would import it."""


class Collector:
    """What was collected.

    Attributes:
        url: URL to send spans to, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        spans: The spans that have arrived, as OTLP's messages.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Any] = []

    @property
    def variables(self) -> dict[str, str]:
        """Variables of a process that sends its spans here."""
        return {"DIGITMILL_TRACES": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    def named(self, name: str) -> list[Any]:
        """Return the spans of one name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Any:
        """Return the only span of its name."""
        [span] = self.named(name)
        return span


@contextmanager
def running_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Run a collector until the end of the context. What starts meanwhile finds OpenTelemetry."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(TRACES)])
    monkeypatch.setenv("PYTHONPATH", str(TRACES), prepend=":")
    messages = pytest.importorskip(
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
        reason="OpenTelemetry is not installed here (`make .venv/test.done` does it)",
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = messages.ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in sent.resource_spans:
                for scope in resource.scope_spans:
                    collector.spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
