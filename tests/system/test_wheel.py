"""The wheel works where there is no checkout: everything that the program reads at run time is in it."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program of a fresh environment that has the wheel, in a folder with modules of the user's own."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = (folder / "dist").glob("digitmill-*.whl")
    venv.create(folder / "venv")
    binaries = folder / "venv" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", binaries / "python", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    # The libraries are those of this environment, without downloading them again. Python reads no .pth file in a folder
    # that a .pth file names, so the checkout that is installed here stays out of it.
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    work = folder / "work"
    (work / "model").mkdir(parents=True)
    for name in ("model/__init__.py", "worker.py", "producer.py"):
        (work / name).write_text("raise SystemExit('a module of the user was imported')\n")

    def run(*command: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("DIGITMILL", "PYTHON"))
        }
        environment |= {"DIGITMILL_DATA": str(folder / "data"), "DIGITMILL_OFFLINE": "1"}
        environment |= {"DIGITMILL_CACHE": str(folder / "cache"), "PATH": f"{binaries}:{os.environ['PATH']}"}
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
def test_it_classifies_where_there_is_no_checkout(installed: Run):
    """`digitmill demo` runs server, workers and report, on the sample digits that are in the wheel too."""
    done = installed("digitmill", "demo", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["images"] == figures["classified"] == 1797
    assert figures["accuracy"] > 0.9


def test_programs_import_it(installed: Run):
    """`import digitmill` finds the wheel's version, and the wheel's code and no other."""
    program = (
        "import digitmill, model, worker, producer; digitmill.UsageError; print(digitmill.__version__, model.__file__)"
    )
    done = installed("python", "-P", "-c", program)
    version, path = done.stdout.split()
    assert installed("python", "-m", "digitmill", "--version").stdout.split()[-1] == version
    assert ROOT not in Path(path).parents


def test_every_role_is_in_it(installed: Run):
    """The module of each role starts as far as its own check for Redis, without a traceback."""
    for role in ("worker", "trainer", "scheduler"):
        done = installed("python", "-P", "-m", "worker.health", role)
        assert (done.returncode, done.stderr) == (1, ""), role
