"""The command `digitmill`, as it is installed beside this Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.signals import ctrl_c_heard

DIGITMILL = Path(sys.executable).with_name("digitmill")
SECONDS = 60.0
"""Time after which a command hangs, also on a busy machine."""


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

    def start(self, *arguments, **variables):
        """Start a command."""
        with ctrl_c_heard():
            return subprocess.Popen(
                [DIGITMILL, *map(str, arguments)],
                cwd=self.folder,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def __call__(self, *arguments, code=0, seconds=SECONDS, **variables):
        """Run a command to its end and check its exit code. Return what it printed."""
        with self.start(*arguments, **variables) as process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert "Traceback" not in output + errors, output + errors
        assert process.returncode == code, f"exit code {process.returncode}, not {code}: {output}{errors}"
        return Printed(output, errors)


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
