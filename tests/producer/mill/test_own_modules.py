"""A user's own modules in the current folder never replace those of digitmill."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from model.data.digits import Digits

ROOT = Path(__file__).parents[3]
OWN_MODULES = ("model.py", "worker.py", "producer.py", "digitmill.py", "redis.py", "ctypes.py", "model/__init__.py")


@pytest.fixture
def folder(tmp_path: Path, digits: Digits, png: Callable[[NDArray[np.uint8]], bytes]) -> Path:
    """A folder with a digit, and with a user's modules that have the names of ours and must not run."""
    for name in OWN_MODULES:
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit(f'{__file__} was imported')")
    (tmp_path / "folder" / "digit.png").write_bytes(png(digits.images[0]))
    return tmp_path / "folder"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the commands: a mill of their own, and this version of the code."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "DIGITMILL_DATA": str(tmp_path / "data"), "DIGITMILL_REDIS_URL": ""}


# As the console script does, -P keeps the current folder out of the search path.
DIGITMILL = (sys.executable, "-P", "-c", "from producer.cli import main; main()")


@pytest.fixture
def digitmill(folder: Path, environment: dict[str, str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command of digitmill in the folder."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*DIGITMILL, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def up(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run `digitmill up` in the folder; return its first line."""
    command = [*DIGITMILL, "up", "--workers", "1"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline()
        mill = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        psutil.wait_procs(mill, timeout=10)


@pytest.mark.usefixtures("one_core")
def test_a_temporary_mill_ignores_them(digitmill: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    """`classify` and `submit` start a server and workers, and classify the digit in a folder of such modules."""
    classified = digitmill("classify", "digit.png", "--json")
    assert (classified.returncode, "was imported" in classified.stderr) == (0, False), classified.stderr
    submitted = digitmill("submit", "digit.png", "--labels", "none")
    assert submitted.returncode == 0, submitted.stderr


def test_a_running_mill_ignores_them(
    up: str, digitmill: Callable[..., "subprocess.CompletedProcess[str]"], environment: dict[str, str]
) -> None:
    """`up` starts every role in a folder of such modules, no log has an import of one, and `submit` uses the mill."""
    assert up.startswith("The mill is running"), up
    submitted = digitmill("submit", "digit.png", "--labels", "none")
    assert submitted.returncode == 0, submitted.stderr
    logs = list((Path(environment["DIGITMILL_DATA"]) / "mill").glob("*.log"))
    assert logs
    assert not [log for log in logs if "was imported" in log.read_text()]
