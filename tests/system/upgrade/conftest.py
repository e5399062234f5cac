"""The released version 0.1.0 in an environment of its own, and processes of both versions beside one Redis."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer.mill.stack import Stack
from tests.support.command import CommandLine
from worker.contract.connection import connect
from worker.contract.ledger import Ledger
from worker.roles import Role

REPOSITORY = Path(__file__).parents[3]
COMMIT = "81572f27c5ab96d6551e6285f2ba88a25529d06e"
"""The commit of version 0.1.0."""

PARTS = ("model", "worker", "producer", "requirements/serve.txt", "requirements/report.txt")
FOLDER = REPOSITORY / ".venv-0.1.0"
SECONDS = 120
INSTALL_SECONDS = 300
"""Time that an index of packages has. It is less than the time limit of a test, so a slow one fails nothing."""


def _run(*command: object) -> bytes:
    words = list(map(str, command))
    return subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True, timeout=INSTALL_SECONDS).stdout


@pytest.fixture(scope="session")
def old_python() -> Path:
    """The Python of version 0.1.0, whose code is in `source`. Both are made once, from git and an index of packages."""
    python, done, source = FOLDER / "python" / "bin" / "python", FOLDER / "done", FOLDER / "source"
    if not (done.exists() and python.exists()):
        source.mkdir(parents=True, exist_ok=True)
        try:
            archive = _run("git", "archive", COMMIT, *PARTS)
            subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
            _run(sys.executable, "-m", "venv", "--clear", FOLDER / "python")
            pins = [word for name in PARTS[3:] for word in ("-r", source / name)]
            _run(python, "-m", "pip", "install", "-qq", "--require-hashes", *pins)
        except (OSError, subprocess.SubprocessError) as fault:
            said = getattr(fault, "stderr", b"") or str(fault).encode()
            pytest.skip(f"version 0.1.0 cannot be installed here, so no upgrade was tried: {said[-300:].decode()}")
        done.touch()
    return python


class Versions:
    """Processes of both versions beside one Redis and with one data folder.

    Args:
        folder: Folder of the data folder, and in which commands run.
        url: URL of Redis.
        old_python: Python of version 0.1.0.

    Attributes:
        new: Runs commands of this version.
        ledger: The ledger, as this version reads it.
    """

    def __init__(self, folder: Path, url: str, old_python: Path) -> None:
        self.new = CommandLine(folder, url)
        self._python = old_python
        self._workers: list[subprocess.Popen[bytes]] = []
        self._old_environment = {
            **{name: value for name, value in self.new.environment.items() if not name.startswith("PYTHON")},
            "PYTHONPATH": str(FOLDER / "source"),
        }
        self.ledger = Ledger(connect(url))

    def start_old(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start a command of version 0.1.0."""
        code = "from producer.cli import main; main()"
        command = [str(self._python), "-c", code, *map(str, arguments)]
        return subprocess.Popen(
            command,
            env=self._old_environment,
            cwd=self.new.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def old(self, *arguments: object, code: int = 0) -> Any:
        """Run a command of version 0.1.0 to its end. Return its JSON, or what it printed."""
        return self.end(self.start_old(*arguments), code=code, as_json="--json" in arguments)

    def end(self, process: "subprocess.Popen[str]", *, code: int = 0, as_json: bool = False) -> Any:
        """Wait for the end of a command. Return its JSON, or what it printed."""
        output, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == code, output + errors
        return json.loads(output) if as_json else output + errors

    def start_workers(self, number: int, *, old: bool) -> None:
        """Start workers of one version."""
        environment = self._old_environment if old else {**os.environ, **self.new.environment}
        command = [str(self._python), "-m", "worker"] if old else Role.WORKER.command()
        with (self.new.folder / "workers.log").open("ab") as log:
            self._workers += [
                subprocess.Popen(command, env=environment, cwd=self.new.folder, stderr=log) for _ in range(number)
            ]

    def stop_workers(self) -> None:
        """Tell all workers to stop, and wait until they have."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            assert worker.wait(SECONDS) == 0
        self._workers.clear()

    def kill_workers(self) -> None:
        """Kill all workers that run."""
        for worker in self._workers:
            worker.kill()
            worker.wait()


@pytest.fixture
def versions(tmp_path: Path, old_python: Path) -> Iterator[Versions]:
    """Both versions beside a Redis that holds nothing."""
    with Stack(tmp_path / "server", 0) as stack:
        running = Versions(tmp_path, stack.url, old_python)
        yield running
        running.kill_workers()
