"""The process in which a training runs: this module starts it, reads its reports and ends it."""

import contextlib
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from worker.trainer.priority import lower_session

ERRORS_SECONDS = 2.0
"""Longest wait for the last errors of a process that has ended. One that it has started may still write some."""

_log = logging.getLogger(__name__)


class TrainingProcess:
    """A running `python -m model.training.retrain`. As a context manager it ends that process.

    The process also ends when this one dies, because the pipe that it reads from closes then.

    Args:
        folder: Folder of the training, with its assignment.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "-P", "-m", "model.training.retrain", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the trainer
        )
        lower_session(self._process.pid)
        self._lock = threading.Lock()
        self._reports: dict[str, Any] = {}
        self._listener = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._listener.start()
        self._errors = threading.Thread(target=self._log_errors, name="errors", daemon=True)
        self._errors.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # SIGKILL does no harm, because its checkpoints are always complete.
        self._process.kill()
        self._process.wait()
        self._join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def wait(self, seconds: float) -> int | None:
        """Wait for the process to end.

        Args:
            seconds: Maximum time to wait.

        Returns:
            Its exit code, or None if it has not ended.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._join()
        return code

    def take_reports(self) -> dict[str, Any]:
        """Return the fields that the process has reported since the last call, each with its latest value."""
        with self._lock:
            reports, self._reports = self._reports, {}
        return reports

    def _join(self) -> None:
        """Wait until all that the process has said is read."""
        self._listener.join()
        self._errors.join(ERRORS_SECONDS)

    def _log_errors(self) -> None:
        """Put what the process and its libraries write to standard error into this log, which may be JSON."""
        with self._process.stderr or contextlib.nullcontext(()) as lines:
            for line in lines:
                if text := line.decode("utf-8", "replace").rstrip():
                    _log.warning("%s", text)

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            try:
                report = json.loads(line)
            except ValueError:
                report = None
            if not isinstance(report, dict):
                _log.info("%s", line.decode("utf-8", "replace").rstrip())
                continue
            with self._lock:
                self._reports |= report
