"""The released version 0.1.0 in an environment of its own, and processes of both versions that share what they keep."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis.exceptions import RedisError

from producer.mill.server import ServerFolder
from producer.mill.stack import Stack
from tests.support.command import DIGITMILL, CommandLine
from tests.support.processes import children, send
from tests.support.waiting import eventually
from worker.contract.connection import connect
from worker.contract.ledger import Ledger
from worker.contract.training import Trainings
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
            # Both versions pin the same TensorFlow, which would take minutes to install. All else is 0.1.0's own.
            packages = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").decode().strip()
            Path(packages, "tensorflow.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        except (OSError, subprocess.SubprocessError) as fault:
            said = getattr(fault, "stderr", b"") or str(fault).encode()
            pytest.skip(f"version 0.1.0 cannot be installed here, so no upgrade was tried: {said[-300:].decode()}")
        done.touch()
    return python


class Versions:
    """Processes of both versions beside one Redis and with one data folder.

    Args:
        folder: Folder of the data folder, and in which commands run.
        url: URL of Redis, or None for that of the mill in the data folder (`up`).
        old_python: Python of version 0.1.0.

    Attributes:
        new: Runs commands of this version.
        ledger: The ledger, as this version reads it.
        trainings: The trainings, as this version reads them.
    """

    def __init__(self, folder: Path, url: str | None, old_python: Path) -> None:
        self.new = CommandLine(folder, url)
        self._python = old_python
        self._workers: list[subprocess.Popen[bytes]] = []
        self._mill: subprocess.Popen[bytes] | None = None
        self._old_environment = {
            **{name: value for name, value in self.new.environment.items() if not name.startswith("PYTHON")},
            "PYTHONPATH": str(FOLDER / "source"),
        }
        client = connect(url or ServerFolder(folder / "data" / "mill").url)
        self.ledger, self.trainings = Ledger(client), Trainings(client)

    def start_old(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start a command of version 0.1.0."""
        return subprocess.Popen(
            self._command(*arguments, old=True),
            env=self._old_environment,
            cwd=self.new.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _command(self, *arguments: object, old: bool) -> list[str]:
        program = [str(self._python), "-c", "from producer.cli import main; main()"] if old else [str(DIGITMILL)]
        return [*program, *map(str, arguments)]

    def _environment(self, *, old: bool) -> dict[str, str]:
        return self._old_environment if old else {**os.environ, **self.new.environment}

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
        environment = self._environment(old=old)
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

    def up(self, *, old: bool, **variables: str) -> None:
        """Start a whole mill of one version with one worker, and wait until that worker, and a trainer, are there.

        Args:
            old: Whether it is that of version 0.1.0.
            variables: Its variables, in addition to those of all processes here.
        """
        environment = {**self._environment(old=old), **variables}
        command = self._command("up", "--workers", "1", old=old)
        with (self.new.folder / "up.log").open("ab") as log:
            self._mill = subprocess.Popen(command, env=environment, cwd=self.new.folder, stdout=log, stderr=log)
        eventually(lambda: self._try(self.trainings.trainers), seconds=SECONDS, what="a trainer is there")
        eventually(lambda: any(worker.ready for worker in self.ledger.workers()), what="a worker is ready")

    def _try(self, read: Callable[[], Any]) -> Any:
        """Return what is read, or None while Redis is away."""
        assert self._mill
        assert self._mill.poll() is None, (self.new.folder / "up.log").read_text()
        try:
            return read()
        except RedisError:
            return None

    def put_to_sleep(self, module: str) -> None:
        """Stop all processes of a role of the mill that runs, as if they hung, but none that they have started."""
        assert self._mill
        for process in children(psutil.Process(self._mill.pid)):
            if process.cmdline()[-1:] == [module]:
                send(process, signal.SIGSTOP)

    def down(self, *, killed: bool = False) -> None:
        """End the mill that runs: in order, or all of its processes at once."""
        if not self._mill:
            return
        found = children(psutil.Process(self._mill.pid))
        if killed:
            for process in [psutil.Process(self._mill.pid), *found]:
                send(process, signal.SIGKILL)
        else:
            self._mill.terminate()
        self._mill.wait(SECONDS)
        psutil.wait_procs(found, SECONDS)
        self._mill = None


@pytest.fixture
def mills(tmp_path: Path, old_python: Path) -> Iterator[Versions]:
    """Whole mills of both versions, one after the other, on one data folder, where nothing is yet."""
    running = Versions(tmp_path, None, old_python)
    yield running
    running.down(killed=True)


@pytest.fixture
def versions(tmp_path: Path, old_python: Path) -> Iterator[Versions]:
    """Both versions beside a Redis that holds nothing."""
    with Stack(tmp_path / "server", 0) as stack:
        running = Versions(tmp_path, stack.url, old_python)
        yield running
        running.kill_workers()
