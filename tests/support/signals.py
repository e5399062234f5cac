"""Signals for the programs that tests start."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_heard() -> Iterator[None]:
    """Let programs that are started within this context hear Ctrl-C, even if this process ignores it.

    A shell that runs the tests in the background starts them with SIGINT ignored, and programs inherit that. But a
    digitmill that a test interrupts must not ignore it. Only the main thread may change that; within its context, other
    threads may enter one too.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
