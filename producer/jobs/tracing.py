"""The span of a job, below which hang the spans of its batches: those of all its clients and those of the workers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from model.errors import UsageError
from producer.jobs.kept.files import open_job_file
from producer.jobs.kept.order import Order, job_file
from worker.contract.telemetry.traces import TRACEPARENT_BYTES, read_traceparent, span, start_tracing
from worker.contract.validation.identifiers import this_process
from worker.settings import Settings


@contextlib.contextmanager
def job_span(order: Order, settings: Settings) -> Iterator[None]:
    """Make what this client does for a job a span, if the settings ask for traces.

    The span of the first client is the root of the job's trace, unless the caller has a span of its own. The data
    folder keeps its context, so the span of a client that continues the job hangs below it.

    Args:
        order: Order of the job.
        settings: Settings of this process.

    Raises:
        UsageError: OpenTelemetry is not installed.
    """
    if not settings.traces:
        yield
        return
    start_tracing(role="client", name=this_process())
    path = job_file(settings, order.job, "trace")
    first = _kept(path)
    name = "continue job" if first else "job"
    with span(name, first, job=order.job, model=order.model, detached=order.detached) as trace:
        if not first:
            # Without it, a job that is continued gets a second trace. It is answered all the same.
            with contextlib.suppress(UsageError, OSError), open_job_file(path) as file:
                file.write(trace.encode("ascii"))
        yield


def _kept(path: Path) -> str:
    """Return the context of the job's span, or "" if no client has traced the job before."""
    try:
        with path.open("rb") as file:
            return read_traceparent(file.read(TRACEPARENT_BYTES + 1))
    except OSError:
        return ""
