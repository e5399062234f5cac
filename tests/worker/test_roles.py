"""Facts about the start of each role: a user's own files do not disturb it, and a missing library is named."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from worker.roles import Role

ROOT = Path(__file__).parents[2]
MODULES = [*(role.module for role in Role), "worker.health"]
HOSTILE = "raise SystemExit('imported by mistake')\n"


def run(*command: str, folder: Path, path: str | Path = ROOT, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder. The invalid `DIGITMILL_RETRAIN_CRON` ends each role after its imports."""
    environment = {**os.environ, "DIGITMILL_RETRAIN_CRON": "soon", "PYTHONPATH": str(path), **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("own", ["files", "packages"])
def test_a_folder_with_a_model_of_its_own_does_no_harm(tmp_path: Path, module: str, own: str) -> None:
    """Nor do its other files with names that digitmill imports, although `python -m` looks there first."""
    for name in ("model", "producer", "redis", "numpy", "celery"):
        if own == "files":
            (tmp_path / f"{name}.py").write_text(HOSTILE)
        else:
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(HOSTILE)
    ran = run("-m", module, "worker", folder=tmp_path)
    assert (ran.stdout + ran.stderr).startswith("DIGITMILL_RETRAIN_CRON='soon' is invalid: ")


@pytest.mark.parametrize("module", MODULES)
def test_a_checkout_runs_from_its_own_folder(module: str, tmp_path: Path) -> None:
    """It runs without an installation, when digitmill lies only in the current folder."""
    for package in ("model", "worker"):
        (tmp_path / package).symlink_to(ROOT / package)
    ran = run("-m", module, "worker", folder=tmp_path, path="")
    assert (ran.stdout + ran.stderr).startswith("DIGITMILL_RETRAIN_CRON='soon' is invalid: ")


def without(folder: Path, *libraries: str) -> str:
    """Return a PYTHONPATH with which these libraries cannot be imported, as if they were not installed."""
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in libraries)]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    return os.pathsep.join([str(folder), str(ROOT)])


@pytest.mark.parametrize(
    ("role", "missing", "names", "extras"),
    [
        (Role.WORKER, ["ai_edge_litert"], "LiteRT", "worker"),
        (Role.TRAINER, ["tensorflow", "keras"], "TensorFlow", "train"),
        (
            Role.TRAINER,
            ["tensorflow", "keras", "safetensors", "matplotlib", "ai_edge_litert"],
            "LiteRT, TensorFlow, safetensors, Matplotlib",
            "train,worker",
        ),
    ],
)
def test_a_role_without_its_library_ends_with_the_install_command(
    tmp_path: Path, role: Role, missing: list[str], names: str, extras: str
) -> None:
    """It ends at its start, with one line and exit code 2."""
    if role is Role.TRAINER and not find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    ran = run("-m", role.module, folder=tmp_path, path=without(tmp_path, *missing), DIGITMILL_RETRAIN_CRON="")
    expected = (
        f"A {role} needs libraries that this Python does not have ({names}). "
        f"Install them with: pip install 'digitmill[{extras}]'\n"
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", expected)


def test_the_scheduler_needs_no_extra(tmp_path: Path) -> None:
    """It starts, and reads its settings, without LiteRT and TensorFlow."""
    path = without(tmp_path, "ai_edge_litert", "tensorflow", "keras", "safetensors", "matplotlib")
    ran = run("-m", Role.SCHEDULER.module, folder=tmp_path, path=path)
    assert ran.stderr.startswith("DIGITMILL_RETRAIN_CRON='soon' is invalid: ")


@pytest.mark.parametrize("role", Role)
def test_each_role_is_a_module_that_runs(role: Role) -> None:
    """Its command never imports from the current folder."""
    assert role.command() == [sys.executable, "-P", "-m", role.module]
    assert (ROOT.joinpath(*role.module.split(".")) / "__main__.py").exists()
