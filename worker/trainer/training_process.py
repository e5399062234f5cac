"""The process in which a training runs: started, listened to, ended."""

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_log = logging.getLogger(__name__)


class TrainingProcess:
    """A running `python -m model.training.retrain`; a context manager that leaves no process behind.

    It ends by itself when this process does, however that comes about: it reads from a pipe that closes then.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "-P", "-m", "model.training.retrain", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal reaches only us
        )
        self._lock = threading.Lock()
        self._said: dict[str, Any] = {}
        self._listener = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # At once: its checkpoints are whole at any moment.
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def wait(self, seconds: float) -> int | None:
        """Wait so long for its end; return its exit code, or None if it has not ended."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._listener.join()
        return code

    def news(self) -> dict[str, Any]:
        """Return what it has said since the last call, by name; of several words the last."""
        with self._lock:
            said, self._said = self._said, {}
        return said

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            try:
                said = json.loads(line)
            except ValueError:
                said = None
            if not isinstance(said, dict):
                _log.info("%s", line.decode("utf-8", "replace").rstrip())
                continue
            with self._lock:
                self._said |= said
