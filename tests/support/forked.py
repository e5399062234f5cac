"""The command `digitmill` in a process that is forked from this one, which has its imports already.

It is a process like that of a user, with its own input, output, signals, folder, variables and exit code. But it starts
in a tenth of the time.
"""

import faulthandler
import functools
import gc
import importlib
import logging
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import producer
from digitmill.__main__ import main
from tests.support.signals import interrupts_heard


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
        _end(_run())

    with interrupts_heard():
        # Popen calls the function when the files of the new process are in place, in place of a program to execute.
        return subprocess.Popen(["digitmill"], preexec_fn=run, **options)  # noqa: PLW1509  its threads hold no locks


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


def _run() -> int:
    """Run the command and return its exit code, as Python does."""
    try:
        main("digitmill")
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
