"""The command that `demo` prints at its end works as printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from producer.cli.commands.running import _this_program


@pytest.mark.parametrize(
    ("program", "typed", "printed"),
    [
        (".venv/bin/digitmill", ".venv/bin/digitmill", ".venv/bin/digitmill"),
        (".venv/bin/digitmill", "{here}/.venv/bin/digitmill", ".venv/bin/digitmill"),
        ("digitmill", "./digitmill", "./digitmill"),
        ("my tools/digitmill", "my tools/digitmill", "'my tools/digitmill'"),
    ],
)
def test_the_path_of_the_program_is_printed_for_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, typed: str, printed: str
) -> None:
    """The path is relative to the current folder, quoted where necessary, and a shell can run it."""
    script = tmp_path / program
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(Path(typed.format(here=tmp_path))), "demo"])
    assert _this_program() == printed
    assert subprocess.run(["sh", "-c", printed], capture_output=True, check=True, cwd=tmp_path).stdout == b"ran\n"


def test_a_program_on_the_search_path_is_printed_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program knows its whole path, but its name is enough for the user."""
    script = tmp_path / "digitmill"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    assert _this_program() == "digitmill"


def test_a_module_is_printed_with_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python that runs `-m digitmill` need not be the first on the user's search path."""
    monkeypatch.setattr(sys, "argv", ["/anywhere/digitmill/__main__.py", "demo"])
    assert _this_program().endswith(" -m digitmill")
    assert Path(sys.executable).name in _this_program()
