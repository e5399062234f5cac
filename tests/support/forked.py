"""The command `digitmill`, or a role, in a process that is forked from this one, which has its imports already.

It is a process like that of a user, with its own input, output, signals, folder, variables and exit code. But it starts
in a small part of the time.
"""

import ctypes
import faulthandler
import functools
import gc
import importlib
import logging
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import producer
from digitmill.__main__ import main
from model.private_files import PRIVATE_UMASK, open_private
from producer.mill import die_with_parent
from producer.mill.supervisor import Program
from tests.support.signals import interrupts_heard

OWN = {"digitmill", "model", "worker", "producer"}
"""The packages that a forked worker imports anew."""

WORKING = (
    "worker.classifying.service",
    "worker.contract.broker.transport",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.events.dispatcher",
    "celery.fixups.django",
    "celery.loaders.app",
    "celery.worker.autoscale",
    "celery.worker.consumer",
    "celery.worker.control",
    "psutil",
)
"""Modules that import the libraries of a worker."""


def start_forked(
    arguments: Sequence[object],
    environment: Mapping[str, str],
    *,
    prepare: Callable[[], None] = lambda: None,
    **options: Any,
) -> "subprocess.Popen[Any]":
    """Start a command.

    Args:
        arguments: Its arguments.
        environment: All its variables.
        prepare: Called in the new process before anything else.
        options: Further arguments of `subprocess.Popen`: its folder, and where its input and output are.
    """
    _import_all()

    def run() -> NoReturn:
        _become_the_command(["digitmill", *map(str, arguments)], environment)
        prepare()
        _end(_run(lambda: main("digitmill")))

    with interrupts_heard():
        # Popen calls the function when the files of the new process are in place, in place of a program to execute.
        return subprocess.Popen(["digitmill"], preexec_fn=run, **options)  # noqa: PLW1509  its threads hold no locks


def start_forked_worker(program: Program, injected: Path) -> "subprocess.Popen[bytes]":
    """Start a worker, or a process of another role, as a supervisor does.

    It has the libraries of this process, which take most of its start, but imports our own code anew. So it has nothing
    that tests have changed there, and the injected code is the first to import it.

    Args:
        program: What the supervisor keeps running.
        injected: Folder of a `sitecustomize.py` that makes workers misbehave.
    """

    def run() -> NoReturn:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(die_with_parent.PR_SET_PDEATHSIG, int(program.parent_death_signal))
        _become_the_command(program.command, program.environment)
        sys.orig_argv[:] = program.command
        sys.path[:] = [str(Path(producer.__file__).parents[1]), *sys.path, str(injected)]
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
            del sys.modules[name]
        for package in OWN:  # a command that ran in the process of the tests shows what they log
            logging.getLogger(package).handlers.clear()
        _end(_run(work))

    def work() -> None:
        runpy.run_path(str(injected / "sitecustomize.py"))
        runpy.run_module(program.command[-1], run_name="__main__", alter_sys=True)

    with open_private(program.log, "ab") as log:
        return subprocess.Popen(
            program.command,
            preexec_fn=run,  # noqa: PLW1509  as above
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )


def import_working() -> None:
    """Import here what workers import, so that it stays imported."""
    for name in WORKING:
        importlib.import_module(name)


@functools.cache
def _import_all() -> None:
    """Import here what commands import when they need it, so that it stays imported."""
    for module in pkgutil.walk_packages(producer.__path__, "producer."):
        importlib.import_module(module.name)


def _become_the_command(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Forget what belongs to the process of the tests."""
    gc.freeze()
    faulthandler.disable()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # one of them is a pipe whose end tells Popen that the process runs
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python does when it starts
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(arguments)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115  until the process ends
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    sys.unraisablehook, threading.excepthook = sys.__unraisablehook__, threading.__excepthook__
    logging.getLogger().handlers.clear()
    warnings.simplefilter("ignore")
    tempfile.tempdir = None


def _run(program: Callable[[], None]) -> int:
    """Run a program and return its exit code, as Python does."""
    try:
        program()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)  # noqa: T201
            return 1
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120  # as Python ends if it cannot write the rest
    os._exit(code)
