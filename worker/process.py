"""What the processes of all roles share: their names, and a start that reports an error in one line."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import TYPE_CHECKING, Any

from model.errors import DigitmillError
from model.printable import printable
from model.private_files import PRIVATE_UMASK
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.logs import JSON, make_handler
from worker.contract.validation import identifiers
from worker.roles import Role
from worker.settings import Settings, log_format

if TYPE_CHECKING:
    from worker.contract.telemetry.exposition import Collect, Exposition

_log = logging.getLogger(__name__)


def installed_version() -> str:
    """Return the version of digitmill that is installed, or "" if it runs from a folder without being installed."""
    try:
        return version("digitmill")
    except PackageNotFoundError:
        return ""


def is_on_this_host(name: str) -> bool:
    """Return whether the process of that name runs on this host."""
    return name.rpartition("-")[0] == identifiers.host_name(socket.gethostname())


def expose(
    settings: Settings, counts: Iterable[Counts] = (), *, role: str, name: str, collect: "Collect" = tuple
) -> "Exposition | None":
    """Return what will show the metrics of this process, or None if the settings do not ask for it.

    Args:
        settings: Settings of this process.
        counts: Counts of this process and of those that it forks.
        role: Role of this process.
        name: Name of this process.
        collect: Function that returns further values at the moment of a scrape.

    Raises:
        UsageError: A library is missing, or the address is not free.
    """
    if settings.metrics_port is None:
        return None
    from worker.contract.telemetry.exposition import Exposition, make_registry  # here, because few need it

    return Exposition(
        settings, make_registry(counts, role=role, name=name, version=installed_version(), collect=collect)
    )


def run_celery(app: Any, hostname: str, settings: Settings, *, pool: str) -> int:
    """Carry out the tasks of an application, one at a time, until told to stop.

    Args:
        app: Celery application of `worker.contract.broker.application.make_app`.
        hostname: Name of this process in Celery's messages.
        settings: Settings of this process: the level of Celery's messages, and whether Celery's tools may look.
        pool: Celery's name for what a task runs in.

    Returns:
        The exit code.
    """
    if settings.celery_tools:
        from worker.contract.broker.tools import serve_tools  # here, because few operators want it

        serve_tools(app)
    _leave_log_to_us()
    worker = app.Worker(
        hostname=hostname,
        pool=pool,
        concurrency=1,
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=not settings.celery_tools,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _leave_log_to_us() -> None:
    """Let what Celery and billiard have to say go through the log of this process, and past it nothing."""
    from celery import signals  # here, because health checks need no Celery
    from celery.apps import worker
    from celery.utils.log import get_multiprocessing_logger

    def keep(**_: Any) -> None:
        logger = get_multiprocessing_logger()  # which has neither a handler nor a parent by default
        logger.propagate = True
        logger.setLevel(logging.ERROR)

    signals.setup_logging.connect(keep, weak=False)  # whoever listens to it sets up the log
    worker.safe_say = lambda *_: None  # it prints what a signal makes the worker do


def run_role(role: Role, work: Callable[[Settings], int]) -> int:
    """Run a process of a role with the settings of the environment, once its Redis can be used.

    Args:
        role: Role of this process. What it needs must be installed.
        work: Function that works until the process is told to stop, and returns the exit code.

    Returns:
        The exit code, as of `run_process`. It is also 2 if the Redis can never do the work.
    """

    def check_and_work(settings: Settings) -> int:
        role.check_installed()
        from worker.server_wait import await_server  # here, because health checks run often and need no Celery

        await_server(role, settings.server_url)
        return work(settings)

    return run_process(role, check_and_work)


def run_process(role: str, work: Callable[[Settings], int]) -> int:
    """Run a process with the settings of the environment.

    Args:
        role: Role of this process, for its log.
        work: Function that works until the process is told to stop, and returns the exit code.

    Returns:
        The exit code. It is 2 if the process cannot start; one line on standard error then says why.
    """
    form = log_format()
    # What libraries warn of, and what ends a thread or the process, is a part of the log like all else.
    logging.basicConfig(handlers=[make_handler(sys.stderr, form, role=role, name=identifiers.this_process())])
    logging.captureWarnings(True)
    sys.excepthook = _log_end
    threading.excepthook = lambda ended: _log_end(ended.exc_type, ended.exc_value, ended.exc_traceback)
    try:
        settings = Settings.from_environment()
        logging.getLogger().setLevel(settings.log_level)
        os.umask(PRIVATE_UMASK)  # it writes logs, models and taught images, which are nobody else's business
        return work(settings)
    except DigitmillError as fault:
        if form == JSON:
            _log.critical("%s", fault)
        else:
            print(printable(str(fault)), file=sys.stderr)  # noqa: T201  whoever has started it reads this
        return 2
    except KeyboardInterrupt:
        return 130


def _log_end(kind: type[BaseException], fault: BaseException | None, trace: TracebackType | None) -> None:
    """Log an error that ends a thread, or the process."""
    if fault is not None and not isinstance(fault, SystemExit):
        name = threading.current_thread().name
        _log.critical("digitmill itself failed in %s", name, exc_info=(kind, fault, trace))
