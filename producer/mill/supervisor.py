"""Keeps processes running: starts them, starts them again when they end, stops them all."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from producer.mill import die_with_parent

LOOK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0
"""A process that has run for so long is healthy: its next restart waits only the first pause again."""


@dataclass(slots=True)
class Program:
    """One process to keep running.

    Attributes:
        name: for the log's file name and for people.
        command: its command line.
        environment: all of its variables.
        log: file that its output is appended to.
        grace_seconds: how long it may take to end after SIGTERM.
        outlives: it is ended after the others, which need it until their end.
        orphaned: the signal that it gets from the kernel when we are killed ourselves (Linux).
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    grace_seconds: float
    outlives: bool = False
    orphaned: signal.Signals = signal.SIGTERM
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    next_start: float = 0.0
    restarts: int = field(default=-1)


class Supervisor(threading.Thread):
    """Supervises programs from a thread of its own.

    Each program leads its own process group, so a Ctrl-C in the terminal reaches only us, and we stop it in order. On
    Linux the kernel ends it as well when we are killed ourselves.
    """

    def __init__(self) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._programs: list[Program] = []
        self._guard = threading.Lock()
        self._stopping = threading.Event()

    def add(self, program: Program) -> None:
        """Keep one more program running."""
        with self._guard:
            self._programs.append(program)

    def restarts(self) -> dict[str, int]:
        """Return how often each program had to be started again."""
        with self._guard:
            return {program.name: max(program.restarts, 0) for program in self._programs}

    def processes(self) -> dict[str, int]:
        """Return the process ids of the programs that run now."""
        with self._guard:
            return {
                program.name: program.process.pid
                for program in self._programs
                if program.process and program.process.poll() is None
            }

    def run(self) -> None:
        """Look after the programs until `stop`."""
        stopping = False
        while not stopping:
            with self._guard:
                for program in self._programs:
                    self._look_after(program)
            stopping = self._stopping.wait(LOOK_SECONDS)
        # Ended here and not in `stop`: on Linux the programs live no longer than the thread that started them.
        with self._guard:
            for outlives in (False, True):
                _end([program for program in self._programs if program.outlives is outlives])

    def stop(self) -> None:
        """End all programs, and wait for each."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _look_after(self, program: Program) -> None:
        now = time.monotonic()
        if program.process:
            if program.process.poll() is None:
                return
            if now - program.started > STEADY_SECONDS:
                program.pause = FIRST_PAUSE_SECONDS
            program.process = None
            program.next_start = now + program.pause
            program.pause = min(program.pause * 2, MAX_PAUSE_SECONDS)
        if now >= program.next_start:
            program.started = now
            program.restarts += 1
            with program.log.open("ab") as log:
                program.process = subprocess.Popen(  # noqa: S603  our own command lines
                    [sys.executable, "-S", die_with_parent.__file__, str(int(program.orphaned)), *program.command],
                    env=dict(program.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )


def _end(programs: Sequence[Program]) -> None:
    """Ask all to end, then wait for each; what outstays its grace is killed with all its children."""
    running = [(program.process, program.grace_seconds) for program in programs if program.process]
    for process, _ in running:
        process.terminate()
    for process, grace_seconds in running:
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it leads a process group of its own
            process.wait()
