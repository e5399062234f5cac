"""Signals for the programs that tests start."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_heard() -> Iterator[None]:
    """Let programs that are started within this context hear Ctrl-C and a hang-up, even if this process ignores them.

    A shell that runs the tests in the background starts them with SIGINT ignored, `nohup` with SIGHUP, and programs
    inherit that. But a digitmill that a test interrupts must not ignore it. A program does not inherit a handler, so
    this process still ignores the signals. Only the main thread may set handlers; within its context, other threads may
    enter one too.
    """
    ignored = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, lambda *_: None)
    try:
        yield
    finally:
        for each in ignored:
            signal.signal(each, signal.SIG_IGN)
