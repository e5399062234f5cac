"""An interrupt ends a command wherever Python happens to be when it comes."""

import subprocess
import sys

from tests.support.signals import interrupts_heard

PROGRAM = """
import signal, time
from producer.cli.main import main

with main.make_context("digitmill", ["demo"]):
    main.callback()

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

try:
    Dropping()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_that_python_drops_is_raised_again() -> None:
    """A finalizer cannot raise an error, so Python would print it and go on."""
    command = [sys.executable, "-c", PROGRAM]
    with interrupts_heard():
        ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=50, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n", "")
