"""The process of the exporter. It starts and runs whether Redis is there or not, because it says which."""

import logging
import signal
import threading

from model.errors import UsageError
from worker.contract.connection import connect
from worker.contract.validation.identifiers import this_process
from worker.exporter.values import MillValues
from worker.process import expose
from worker.settings import Settings, without_password

ANSWER_SECONDS = 1.5
"""Seconds without an answer after which Redis counts as away. Prometheus waits for its interval, five seconds."""

_log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Answer Prometheus until told to stop. Return the exit code.

    Args:
        settings: Settings of this process.

    Raises:
        UsageError: The settings name no port, the port is not free, or a library is missing.
        Unreachable: The URL of Redis is invalid.
    """
    url = settings.server_url
    values = MillValues(connect(url, answer_seconds=ANSWER_SECONDS))
    exposition = expose(settings, role="exporter", name=this_process(), collect=values.collect)
    if exposition is None:
        raise UsageError("The exporter needs a port. Set DIGITMILL_METRICS_PORT, for example to 9464.")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    _log.info("exporter %s on %s", this_process(), without_password(url))
    exposition.start()
    stopping.wait()
    exposition.stop()
    return 0
