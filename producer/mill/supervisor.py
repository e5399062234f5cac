"""The supervisor starts processes, restarts those that end, and stops all of them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.private_files import PRIVATE_UMASK, open_private
from producer.mill import die_with_parent

CHECK_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 5.0
HEALTHY_SECONDS = 10.0
"""A process that has run for this long is healthy: its next restart waits only the first backoff."""

MAX_LOG_BYTES = 16 * 1024**2
"""Size of a log beyond which the next start of its program begins another one. The one before is kept."""


@dataclass(slots=True)
class Program:
    """One process to keep running.

    Attributes:
        name: Name in messages, and key in `Supervisor.processes` and `Supervisor.restarts`.
        command: Command line.
        environment: All environment variables of its process.
        log: File to append its output to. The supervisor bounds its size when it starts the program.
        grace_seconds: Seconds that it may take to end after SIGTERM.
        stops_last: Whether the supervisor stops it after the other programs, because they need it until they end.
        parent_death_signal: Signal that the kernel (Linux) sends it when the supervisor's process is killed.
        process: Its process, or None between two starts.
        started: Monotonic time of the last start.
        backoff: Seconds to wait before the next restart.
        next_start: Earliest monotonic time of the next start.
        starts: Number of starts so far.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    grace_seconds: float
    stops_last: bool = False
    parent_death_signal: signal.Signals = signal.SIGTERM
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    backoff: float = FIRST_BACKOFF_SECONDS
    next_start: float = 0.0
    starts: int = 0


class Supervisor(threading.Thread):
    """Keeps programs running, from a thread of its own.

    Each program leads its own session. Ctrl-C in the terminal therefore reaches only this process, which stops the
    programs in order. On Linux the kernel also signals them when this process is killed.

    Args:
        on_end: Called in this thread when a process has ended that should run, with its program. It must not wait.
    """

    def __init__(self, on_end: "Callable[[Program, subprocess.Popen[bytes]], None]" = lambda *_: None) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._on_end = on_end
        self._programs: list[Program] = []
        self._programs_lock = threading.Lock()
        self._stopping = threading.Event()

    def add(self, program: Program) -> None:
        """Keep one more program running."""
        with self._programs_lock:
            self._programs.append(program)

    def restarts(self) -> dict[str, int]:
        """Return the number of restarts of each program, by name."""
        with self._programs_lock:
            return {program.name: max(program.starts - 1, 0) for program in self._programs}

    def processes(self) -> dict[str, int]:
        """Return the process identifiers of the programs that run now, by name."""
        with self._programs_lock:
            return {
                program.name: program.process.pid
                for program in self._programs
                if program.process and program.process.poll() is None
            }

    def run(self) -> None:
        """Keep all programs running until `stop`."""
        stopping = False
        while not stopping:
            with self._programs_lock:
                for program in self._programs:
                    if program.process and program.process.poll() is not None:
                        self._on_end(program, program.process)
                    _keep_running(program)
            stopping = self._stopping.wait(CHECK_SECONDS)
        # Here and not in `stop`, because on Linux the programs die with the thread that started them.
        with self._programs_lock:
            for stops_last in (False, True):
                _stop([program for program in self._programs if program.stops_last is stops_last])

    def stop(self) -> None:
        """Stop all programs, and wait for each."""
        self._stopping.set()
        if self.is_alive():
            self.join()


def _keep_running(program: Program) -> None:
    """Start a program that does not run, unless it must still wait for its next start."""
    now = time.monotonic()
    if program.process:
        if program.process.poll() is None:
            return
        if now - program.started > HEALTHY_SECONDS:
            program.backoff = FIRST_BACKOFF_SECONDS
        program.process = None
        program.next_start = now + program.backoff
        program.backoff = min(program.backoff * 2, MAX_BACKOFF_SECONDS)
    if now >= program.next_start:
        program.started = now
        program.starts += 1
        program.process = _start(program)


def _bound(log: Path) -> None:
    """Put a log that has grown too large aside, in place of the one before."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))


def _start(program: Program) -> "subprocess.Popen[bytes]":
    # -S starts faster. With -P no module beside the script can hide one of the standard library.
    wrapper = [sys.executable, "-S", "-P", die_with_parent.__file__, str(int(program.parent_death_signal))]
    _bound(program.log)
    with open_private(program.log, "ab") as log:
        return subprocess.Popen(  # noqa: S603  the stack builds these command lines
            [*wrapper, *program.command],
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )


def _stop(programs: Sequence[Program]) -> None:
    """Ask all programs to end at the same time, and wait for each. Kill those that take too long, with all children."""
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
