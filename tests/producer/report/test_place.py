"""A report replaces nothing but a report, and whether it can be written is known before the work starts."""

import csv
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from model.errors import UsageError
from producer.jobs.results import Results
from producer.report.place import FILES, PNGS, check_place, open_growing_table, replacing_report
from producer.report.tables.tables import growing_table
from producer.report.write import write_report
from tests.producer.report.invented import info_of

FORKED = multiprocessing.get_context("fork")
"""Other programs are processes that are forked from this one, because they then have their libraries already."""


@pytest.fixture
def write(perfect):
    """Write a report without the PNG files."""

    def write(folder: Path, **options):
        return write_report(
            folder, perfect, info_of(perfect), card=None, read_pictures=lambda _: {}, plots=False, **options
        )

    return write


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Return everything below a folder: the content of each file, and the target of each link."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else "a folder"
        if path.is_dir()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", ["notes.txt", "predictions.csv", "report.html", "report.json", "errors.csv"])
def test_a_folder_with_something_else_is_refused_and_stays_as_it_is(tmp_path, write, name):
    """A name proves nothing: other programs write a `predictions.csv` or a `report.json` as well."""
    (tmp_path / name).write_text('{"job": "mine"}', encoding="utf-8")
    before = snapshot(tmp_path)
    for attempt in (check_place, write):
        with pytest.raises(UsageError, match=rf"(?s){name}.*--out"):
            attempt(tmp_path)
    assert snapshot(tmp_path) == before


def test_a_report_is_replaced_and_files_of_other_names_stay(tmp_path, write):
    """The second report has no `review.csv`, so that of the first goes. What the user put beside it stays."""
    write(tmp_path, min_confidence=0.99)
    (tmp_path / "review.csv.filled-in").write_text("mine", encoding="utf-8")
    (tmp_path / "7").mkdir()
    assert (tmp_path / "review.csv").exists()
    check_place(tmp_path)
    write(tmp_path)
    present = {path.name for path in tmp_path.iterdir()}
    assert present == {"predictions.csv", "errors.csv", "report.html", "report.json", "review.csv.filled-in", "7"}


@pytest.mark.parametrize("name", ["review.csv", "predictions.csv", "report.json"])
def test_a_file_that_was_changed_since_is_not_replaced(tmp_path, write, name):
    """The labels that a person has filled in are work, and the message says so."""
    write(tmp_path, min_confidence=0.99)
    text = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace("1", "7", 1), encoding="utf-8")
    before = snapshot(tmp_path)
    for attempt in (check_place, write):
        with pytest.raises(UsageError, match=rf"{name} was changed after digitmill wrote it.*--out"):
            attempt(tmp_path)
    assert snapshot(tmp_path) == before


def test_a_link_or_a_folder_in_the_place_of_a_file_is_not_replaced(tmp_path, write):
    """A link may lead to a file of somebody else, even if its content is that of the report."""
    report, elsewhere = tmp_path / "report", tmp_path / "elsewhere.csv"
    write(report)
    (report / "predictions.csv").rename(elsewhere)
    (report / "predictions.csv").symlink_to(elsewhere)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=r"predictions\.csv was changed"):
        write(report)
    assert snapshot(tmp_path) == before
    (report / "predictions.csv").unlink()
    elsewhere.rename(report / "predictions.csv")
    (report / "review.csv").mkdir()
    with pytest.raises(UsageError, match=r"review\.csv was changed"):
        write(report)
    (report / "review.csv").rmdir()
    write(report)


def test_a_report_of_an_earlier_version_is_replaced_unless_it_was_edited(tmp_path, write):
    """Its `report.json` has no sums, so the times of its files say whether a person edited them."""
    write(tmp_path, min_confidence=0.99)
    figures = json.loads((tmp_path / "report.json").read_bytes())
    del figures["files"]
    (tmp_path / "report.json").write_text(json.dumps(figures), encoding="utf-8")
    check_place(tmp_path)
    written = (tmp_path / "report.json").stat().st_mtime
    os.utime(tmp_path / "review.csv", (written + 3600, written + 3600))
    with pytest.raises(UsageError, match=r"review\.csv was changed"):
        check_place(tmp_path)


def test_a_copied_report_is_still_a_report(tmp_path, write):
    """Copying changes times and leaves hidden files behind, but not the contents."""
    write(tmp_path / "report")
    shutil.copytree(tmp_path / "report", tmp_path / "copy", copy_function=shutil.copyfile)
    write(tmp_path / "copy")


def run_elsewhere(program: Callable[..., None], *arguments: object) -> int | None:
    """Run a program in another process to its end. Return its exit code."""
    process = FORKED.Process(target=program, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def write_some(folder: Path, last: int, confidence: float) -> None:
    """Write a report, but die as if killed before file number `last` is moved."""
    move, moves = Path.replace, itertools.count()

    def move_some(path: Path, target: Path) -> Path:
        if Path(target).parent == folder and next(moves) == last:
            os._exit(9)
        return move(path, target)

    ones = np.ones(9, np.int8)
    job = Results(list("abcdefghi"), ones, ones, np.full(9, confidence, np.float32), None, ["v"] * 9, {})
    with patch.object(Path, "replace", move_some):
        write_report(folder, job, info_of(job), card=None, read_pictures=lambda _: {}, min_confidence=0.5, plots=False)


def run_reports(folder: Path, last: int, confidence: float) -> int | None:
    """Write a report in another process, which dies before it moves file number `last`; return its exit code."""
    return run_elsewhere(write_some, folder, last, confidence)


def test_a_report_whose_program_was_killed_is_written_again(tmp_path):
    """Whichever files were moved by then: the next report knows them and those of the report before."""
    assert run_reports(tmp_path, 99, 0.1) == 0
    assert len(list(tmp_path.iterdir())) == 5
    for last in (1, 3):
        assert run_reports(tmp_path, last, 0.2 + last / 10) == 9
        check_place(tmp_path)
    assert run_reports(tmp_path, 99, 0.9) == 0
    assert {path.name for path in tmp_path.iterdir()} == FILES - PNGS
    assert run_reports(tmp_path / "new", 2, 0.1) == 9
    assert run_reports(tmp_path / "new", 99, 0.2) == 0
    assert len(list((tmp_path / "new").iterdir())) == 5


def hold(folder: Path, ready: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    """Be in the middle of a report until told to end."""
    with replacing_report(folder):
        ready.set()
        done.wait(30)


def test_two_programs_do_not_write_one_report_at_a_time(tmp_path, write):
    """The second one is refused, and says why."""
    ready, done = FORKED.Event(), FORKED.Event()
    process = FORKED.Process(target=hold, args=(tmp_path, ready, done), daemon=True)
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(UsageError, match=r"Another process is writing a report"):
            write(tmp_path)
    finally:
        process.kill()
        process.join()
    write(tmp_path)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file/report", "Not a directory|there is a file"),
        ("file", "there is a file in its place|Not a directory"),
        ("nowhere", "there is a file in its place"),
        ("x" * 300, "name too long"),
        ("/".join(["x" * 200] * 25), "name too long"),
        ("/proc/report", "No such file"),
    ],
    ids=["below a file", "a file", "a link that leads nowhere", "a long name", "a long path", "no such place"],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, place, reason):
    """The check leaves nothing behind."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "away")
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=rf"(?i)Cannot write the report into .*({reason}).*--out"):
        check_place(tmp_path / place)
    assert snapshot(tmp_path) == before


def test_the_check_leaves_nothing_behind(tmp_path):
    """Neither the folders that the report will need, nor a draft."""
    check_place(tmp_path / "not" / "there" / "yet")
    check_place(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    check_place(tmp_path / "link" / "report")
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can mount a file system")
def test_a_read_only_file_system_is_refused(tmp_path):
    """Permissions do not show that a file system is mounted read-only."""
    check = "import sys, pathlib, producer.report.place as place; place.check_place(pathlib.Path(sys.argv[1]))"
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$1/report"'
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", str(tmp_path), sys.executable, check]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if "mount:" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine does not allow mounts")
    assert "Read-only file system" in done.stderr


def rows_of(path: Path) -> list[str]:
    """Return the names in a table of predictions."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["name"] for row in csv.DictReader(file)]


def test_a_table_grows_row_by_row_until_the_report_replaces_it(tmp_path, write, perfect):
    """Readers see each row at once. The report has the same rows, and nothing of the growth stays."""
    folder = tmp_path / "report"
    write(folder)
    with growing_table(folder, 0.5) as add:
        assert rows_of(folder / "predictions.csv") == []
        add(perfect)
        assert rows_of(folder / "predictions.csv") == perfect.names
        grown = (folder / "predictions.csv").read_bytes()
    write(folder, min_confidence=0.5)
    assert (folder / "predictions.csv").read_bytes() == grown
    assert not (folder / ".digitmill-report").exists()


def grow(folder: Path) -> None:
    """Begin a table, and die as if killed."""
    open_growing_table(folder).write("half")
    os._exit(9)


def test_the_table_of_a_killed_program_is_replaced_and_that_of_a_user_is_not(tmp_path, write, perfect):
    """The folder of drafts says which file grew. An editor writes another file in its place."""
    for name in ("killed", "edited"):
        assert run_elsewhere(grow, tmp_path / name) == 9
        assert (tmp_path / name / "predictions.csv").exists()
    (tmp_path / "edited" / "mine.csv").write_text("edited")
    (tmp_path / "edited" / "mine.csv").replace(tmp_path / "edited" / "predictions.csv")
    with growing_table(tmp_path / "killed", None) as add:
        add(perfect)
    write(tmp_path / "killed")
    with pytest.raises(UsageError, match=r"predictions\.csv"):
        write(tmp_path / "edited")
    assert (tmp_path / "edited" / "predictions.csv").read_text() == "edited"
