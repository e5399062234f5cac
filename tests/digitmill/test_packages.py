"""`import digitmill` and `python -m digitmill` work beside a user's own modules, or name the file in the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import digitmill
from model.errors import DigitmillError
from worker.contract.errors import WireError

NAMES = ("model", "worker", "producer")


def script(folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """Run a script that lies in `folder`, from the folder above it."""
    path = folder / "script.py"
    path.write_text(text)
    root = str(Path(digitmill.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(
        [sys.executable, path], cwd=folder.parent, env=environment, capture_output=True, text=True, check=False
    )


def test_every_public_name_is_there():
    """`dir` lists the public names, and each can be used."""
    assert dir(digitmill) == sorted(digitmill.__all__)
    assert all(getattr(digitmill, name) for name in digitmill.__all__)
    assert digitmill.DigitmillError is DigitmillError
    assert digitmill.WireError is WireError


def test_an_unknown_name_is_an_attribute_error():
    """A name that digitmill does not have raises an AttributeError, on which `hasattr` relies."""
    assert not hasattr(digitmill, "no_such_name")


def test_importing_digitmill_loads_nothing_else(tmp_path: Path):
    """`import digitmill` loads none of our other packages and no library."""
    text = "import digitmill, sys\nprint([name for name in ('model', 'numpy', 'click') if name in sys.modules])"
    done = script(tmp_path, text)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_file_in_the_way_is_named(tmp_path: Path, name: str):
    """Beside a script's own `model.py`, the version works. Using an error class raises an ImportError that names it."""
    (tmp_path / f"{name}.py").write_text("MINE = 1\n")
    text = f"import digitmill, {name}\nassert {name}.MINE\nprint(digitmill.__version__)\ndigitmill.UsageError"
    done = script(tmp_path, text)
    assert done.stdout == f"{digitmill.__version__}\n"
    assert done.returncode == 1
    assert "ImportError: digitmill needs its own package" in done.stderr
    assert str(tmp_path / f"{name}.py") in done.stderr
    assert "Rename that file" in done.stderr


@pytest.mark.parametrize("kind", ["module", "package", "namespace"])
def test_the_command_works_in_a_folder_with_a_model_of_its_own(tmp_path: Path, kind: str):
    """`python -m digitmill` ignores a `model.py`, a package `model/` and a folder `model/` without Python files."""
    for name in NAMES:
        if kind == "module":
            (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
        else:
            (tmp_path / name).mkdir()
        if kind == "package":
            (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported')\n")
    done = subprocess.run(
        [sys.executable, "-m", "digitmill", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"python -m digitmill, version {digitmill.__version__}\n", done.stderr


def test_a_folder_in_the_way_hides_nothing(tmp_path: Path):
    """A folder `model/` without `__init__.py` beside a script does not hide our package."""
    (tmp_path / "model").mkdir()
    assert script(tmp_path, "import digitmill\ndigitmill.UsageError").returncode == 0


def test_a_module_path_with_the_current_folder_is_explained(tmp_path: Path):
    """If PYTHONPATH names a folder with a `model.py`, the command ends with 2, and one line names that file."""
    (tmp_path / "model.py").write_text("MINE = 1\n")
    environment = {**os.environ, "PYTHONPATH": f":{Path(digitmill.__file__).parents[1]}"}
    for command in (["-m", "digitmill", "jobs"], ["-P", "-m", "worker"], ["-P", "-m", "worker.trainer"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        [line] = done.stderr.splitlines()
        assert f"{tmp_path / 'model.py'} is in the way" in line


def test_the_command_loads_no_library_file_of_the_user(tmp_path: Path):
    """`python -m digitmill` runs beside files with the names of standard modules, and executes none of them."""
    for name in ("csv", "calendar", "email", "random", "string", "pathlib", "typing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    done = subprocess.run(
        [sys.executable, "-m", "digitmill", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
