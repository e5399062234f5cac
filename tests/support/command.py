"""The command `digitmill`: in this process, in one that is forked from it, or as it is installed beside this Python."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from producer.cli.main import main
from tests.support.forked import start_forked
from tests.support.json_schemas import check_json
from tests.support.signals import interrupts_heard

DIGITMILL = Path(sys.executable).with_name("digitmill")
SECONDS = 60.0
"""Time after which a command hangs, also on a busy machine."""


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the handlers of signals back at the end, because a command installs its own.

    SIGALRM, for example, belongs to the time limit of the tests.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_here(*arguments: object, given: Any = None, **variables: str | None) -> Result:
    """Run a command in this process, which saves most of a second, check its JSON, and return its result.

    Args:
        arguments: Its arguments.
        given: Its standard input, as bytes or text.
        variables: Its variables, in addition to those of this process. With None a variable is not set.
    """
    with _signals_kept():
        result = CliRunner(env=variables).invoke(main, list(map(str, arguments)), input=given, prog_name="digitmill")
    if "--json" in arguments:
        check_json(arguments, result.stdout, result.stderr)
    return result


class CommandLine:
    """Runs `digitmill` in one folder, with one mill and one data folder.

    Args:
        folder: Folder in which commands run; the data folder is in it.
        url: URL of Redis, or None for no mill.
        stack: The mill, for tests that need it.
    """

    def __init__(self, folder, url, stack=None):
        self.folder = folder
        self.stack = stack
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DIGITMILL_")},
            "DIGITMILL_DATA": str(folder / "data"),
            "DIGITMILL_CACHE": str(folder / "cache"),
            "DIGITMILL_OFFLINE": "1",
            **({"DIGITMILL_REDIS_URL": url} if url else {}),
        }

    def start(self, *arguments, installed=False, **variables):
        """Start a command as a process.

        Args:
            arguments: Its arguments.
            installed: Whether to start the installed program, whose imports take most of a second, and not to fork.
            variables: Its variables, in addition to those of all commands in this folder.
        """
        streams: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        environment = {**self.environment, **variables}
        if not installed:
            return start_forked(arguments, environment, cwd=self.folder, **streams)
        with interrupts_heard():
            return subprocess.Popen([DIGITMILL, *map(str, arguments)], cwd=self.folder, env=environment, **streams)

    def run(self, *arguments, code=0, seconds=SECONDS, installed=False, **variables):
        """Run a command as a process to its end and check its exit code. Return what it printed."""
        with self.start(*arguments, installed=installed, **variables) as process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if "--json" in arguments:
            check_json(arguments, output, errors)
        return _checked(process.returncode, output, errors, code)

    def __call__(self, *arguments, code=0, given=None, **variables):
        """Run a command in this process to its end and check its exit code. Return what it printed."""
        removed = dict.fromkeys(os.environ.keys() - self.environment.keys())
        with contextlib.chdir(self.folder):
            ended = run_here(*arguments, given=given, **{**removed, **self.environment, **variables})
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return _checked(ended.exit_code, ended.stdout, ended.stderr, code)


class Printed:
    """What a command printed."""

    def __init__(self, output, errors):
        self.output, self.errors = output, errors

    @property
    def json(self):
        """Standard output, which must be one value of strict JSON."""

        def refuse(constant):
            raise ValueError(f"{constant} is not JSON")

        return json.loads(self.output, parse_constant=refuse)


def _checked(ended_with, output, errors, code):
    """Check the exit code of a command, and that it left no traceback. Return what it printed."""
    assert "Traceback" not in output + errors, output + errors
    assert ended_with == code, f"exit code {ended_with}, not {code}: {output}{errors}"
    return Printed(output, errors)
