"""Facts about the process that trains, as its trainer sees it."""

from pathlib import Path

import pytest

from worker.trainer.priority import NICENESS
from worker.trainer.training_process import TrainingProcess


def test_the_process_ignores_the_files_of_the_current_folder_and_reports_why_it_failed(tmp_path, monkeypatch):
    """A trainer may run in a folder with a user's own `model.py`. Each report is taken once."""
    (tmp_path / "model.py").write_text("raise SystemExit('imported by mistake')\n")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "training"
    folder.mkdir()  # without an assignment
    with TrainingProcess(folder) as process:
        assert process.wait(60) == 1
        [reason] = process.take_reports().values()
        assert str(folder) in reason
        assert process.take_reports() == {}


def test_what_the_process_writes_to_standard_error_is_in_the_log(tmp_path, monkeypatch, caplog):
    """Each line is a message of its own, so that a log of JSON objects has nothing else."""
    folder = tmp_path / "training"
    folder.mkdir()  # without an assignment
    code = "import os; os.write(2, b'of a library\\n\\nin C++\\n')"
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with TrainingProcess(folder) as process:
        assert process.wait(60) == 1
    assert caplog.messages == ["of a library", "in C++"]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system does not group by session")
def test_a_training_gives_way_to_other_sessions(tmp_path):
    """Its session has the trainer's niceness, because that of a process counts only within its session."""
    with TrainingProcess(tmp_path) as process:
        group = Path(f"/proc/{process._process.pid}/autogroup").read_text(encoding="utf-8")
    assert group.split()[-2:] == ["nice", str(NICENESS)]
