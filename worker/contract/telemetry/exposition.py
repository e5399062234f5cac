"""Shows Prometheus what a process counts. Only this module imports `prometheus_client`, and only when it is needed."""

import errno
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from model.errors import UsageError, required_extra
from worker.contract.telemetry.counts import SUM, Counts, Key
from worker.contract.telemetry.metrics import METRICS, PROCESS, Kind, Metric
from worker.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

PORTS = 64
"""Number of ports, from `DIGITMILL_METRICS_PORT` on, of which a process takes the first free one.

The processes of one machine have the same settings."""

CLIENT_SECONDS = 5.0
"""Time that a client may pause."""

_log = logging.getLogger(__name__)

Collect = Callable[[], Iterable[tuple[Key, float]]]
"""Returns further values at the moment of a scrape."""


def make_registry(
    counts: Iterable[Counts], *, role: str, name: str, version: str, collect: Collect = tuple
) -> "CollectorRegistry":
    """Return what `prometheus_client` shows of a process.

    Args:
        counts: Counts of the process and of those that it forked.
        role: Role of the process.
        name: Name of the process.
        version: Version of digitmill that is installed.
        collect: Function that returns further values.

    Raises:
        UsageError: `prometheus_client` is not installed.
    """
    with required_extra("prometheus-client", "worker"):
        from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    itself = ((PROCESS.name, role, name, version), 1.0)
    registry.register(_Collector([*counts], itself, collect))
    ProcessCollector(registry=registry)
    return registry


def render(registry: "CollectorRegistry", accepted: str) -> tuple[bytes, str]:
    """Return the metrics as text, and its media type.

    Args:
        registry: Registry of `make_registry`.
        accepted: What the client accepts, as in the header Accept.
    """
    from prometheus_client.exposition import choose_encoder

    encode, media_type = choose_encoder(accepted)
    return encode(registry), media_type


class Exposition:
    """Answers Prometheus from a thread of its own.

    Args:
        settings: Settings of this process, which name the address.
        registry: Registry of `make_registry`.

    Raises:
        UsageError: None of the ports is free.
    """

    def __init__(self, settings: Settings, registry: "CollectorRegistry") -> None:
        class Handler(_Handler):
            def do_GET(self) -> None:
                self.answer(*render(registry, self.headers.get("Accept", "")))

        self._server = _listen(settings.metrics_host, settings.metrics_port or 0, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        # A forked process must not hold the port after this one has ended.
        os.register_at_fork(after_in_child=self._server.socket.close)

    @property
    def url(self) -> str:
        """The address at which it answers."""
        host, port = self._server.server_name, self._server.server_port
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def start(self) -> None:
        """Begin to answer. Before that, this process may fork."""
        self._thread.start()
        _log.info("metrics are at %s", self.url)

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Collector:
    """Turns counts into the families of metrics that `prometheus_client` writes."""

    def __init__(self, counts: Iterable[Counts], itself: tuple[Key, float], collect: Collect) -> None:
        self._counts, self._itself, self._collect = counts, itself, collect

    def collect(self) -> Iterator[Any]:
        """Return the families. `prometheus_client` calls this."""
        found = [self._itself, *self._collect(), *(item for each in self._counts for item in each.read().items())]
        for metric in METRICS:
            values: dict[Key, float] = {}
            for (name, *rest), value in found:
                if name == metric.name:
                    key, before = tuple(rest), values.get(tuple(rest), 0.0)
                    values[key] = max(before, value) if metric.kind is Kind.GAUGE else before + value
            if values:
                yield _family(metric, values)


def _family(metric: Metric, values: Mapping[Key, float]) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    kinds = {
        Kind.COUNTER: CounterMetricFamily,
        Kind.GAUGE: GaugeMetricFamily,
        Kind.HISTOGRAM: HistogramMetricFamily,
    }
    family: Any = kinds[metric.kind](metric.name, metric.meaning, labels=metric.labels)
    if metric.kind is not Kind.HISTOGRAM:
        for labels, value in values.items():
            if value or not metric.name.endswith("_info"):  # what does not apply any more has been set to 0
                family.add_metric(labels, value)
        return family
    limits = [*map(str, metric.buckets), "+Inf"]
    for labels in dict.fromkeys(key[:-1] for key in values):
        counts = accumulate(values.get((*labels, str(index)), 0.0) for index in range(len(limits)))
        family.add_metric(labels, [*zip(limits, counts, strict=True)], values.get((*labels, SUM), 0.0))
    return family


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_SECONDS

    def answer(self, content: bytes, media_type: str) -> None:
        """Send the metrics."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND, "The metrics are at /metrics")
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Return what the header Server says, without the version of Python."""
        return "digitmill"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the names are the standard library's
        """Log nothing, because scrapes come every few seconds."""


class _Server(HTTPServer):
    """Answers one client after the other, so any number of them takes one thread."""

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that the base class does, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the base class gives them
        """Log what went wrong, except that a client has gone away."""
        if not isinstance(sys.exception(), OSError):
            _log.exception("the metrics could not be shown")


class _ServerOverIp6(_Server):
    address_family = socket.AF_INET6


def _listen(host: str, first: int, handler: type[BaseHTTPRequestHandler]) -> _Server:
    """Return a server on the first free port.

    Raises:
        UsageError: There is none, or the host is not an address of this machine.
    """
    fault: OSError | None = None
    for port in range(first, min(first + PORTS, 65536)):
        try:
            return (_ServerOverIp6 if ":" in host else _Server)((host, port), handler)
        except OSError as error:
            fault = error
            if error.errno != errno.EADDRINUSE:
                break
    raise UsageError(
        f"The metrics cannot be shown on {host}, port {first}: {fault}. Set DIGITMILL_METRICS_HOST to an address of "
        "this machine, and DIGITMILL_METRICS_PORT to a free port."
    )
