"""Facts about the process that trains, as its trainer sees it."""

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
