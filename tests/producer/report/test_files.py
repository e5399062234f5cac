"""A report's files are replaced in one piece each, and those of an earlier report do not linger."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from model.errors import UsageError
from producer.report import write_report
from producer.report.files import replacing
from producer.sources import open_source
from tests.producer.report.invented import Page, run_of, strict, unlabelled

ALWAYS = {"report.html", "report.json", "predictions.csv", "errors.csv"}
PNGS = {"confusion.png", "calibration.png", "throughput.png"}

REPORT_OF_NINE = """
import sys
from pathlib import Path
import numpy as np
from producer.report import write_report
from producer.jobs.results import Progress, Results, Run
ones = np.ones(9, np.int8)
job = Results(list("abcdefghi"), ones, ones, np.full(9, 0.5, np.float32), None, ["v"] * 9, {})
run = Run("j", "s", "done", 0.0, 1.0, [Progress(0.5, 4), Progress(1.0, 9)], {"w": 9})
summary = write_report(Path(sys.argv[1]), job, run, card=None, picture=lambda _: None, plots=%s)
"""


def names(folder: Path) -> set[str]:
    """The names of all files in a folder, hidden ones included."""
    return {path.name for path in folder.iterdir()}


def run_python(code: str, folder: Path) -> str:
    """What a Python program prints that is given a folder."""
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_plots_are_drawn_where_there_is_something_to_draw(tmp_path, results):
    """With labels three PNG files; without, the one that needs none, and an earlier report's others are gone."""
    (tmp_path / "notes.txt").write_text("the user's own", encoding="utf-8")
    summary = write_report(tmp_path, results, run_of(results), card=None, picture=lambda _: None)
    assert summary.notices == ()
    assert names(tmp_path) == ALWAYS | PNGS | {"notes.txt"}
    for name in PNGS:
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG"
            assert min(image.size) > 300
    write_report(tmp_path, unlabelled(results), run_of(results), card=None, picture=lambda _: None)
    assert names(tmp_path) == ALWAYS | {"throughput.png", "notes.txt"}


def test_without_matplotlib_all_but_the_plots_is_there_and_a_notice_says_so(tmp_path):
    """The page draws its own figures: matplotlib is for the PNG files alone."""
    absent = "import sys; sys.modules['matplotlib'] = None\n"
    said = run_python(absent + REPORT_OF_NINE % True + "print(*summary.notices)", tmp_path)
    assert "matplotlib is not installed" in said
    assert "pip install 'digitmill[report]'" in said
    assert names(tmp_path) == ALWAYS
    assert Page((tmp_path / "report.html").read_text(encoding="utf-8")).tags.count("svg") == 3


def test_without_plots_matplotlib_is_never_imported(tmp_path):
    """Its import takes a second, which a caller in a hurry saves."""
    assert run_python(REPORT_OF_NINE % False + "print('matplotlib' in sys.modules)", tmp_path) == "False\n"


def test_a_reader_never_sees_half_a_file(tmp_path, results):
    """While the report is replaced over and over, whoever reads finds a whole page and whole figures."""

    def write():
        write_report(tmp_path, results, run_of(results), card=None, picture=lambda _: None, plots=False)

    write()
    stop, seen = threading.Event(), []

    def read():
        while not stop.is_set():
            page = (tmp_path / "report.html").read_text(encoding="utf-8")
            seen.append(page.endswith("</html>\n") and strict(tmp_path / "report.json")["images"] == 360)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        write()
    stop.set()
    reader.join()
    assert len(seen) > 10
    assert all(seen)
    assert names(tmp_path) == ALWAYS


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path):
    """A full disk costs the new file, not the old one."""
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")

    def fail():
        with replacing(path) as draft:
            draft.write_text("ne", encoding="utf-8")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert [each.read_text(encoding="utf-8") for each in tmp_path.iterdir()] == ["old"]


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path, results):
    """A file stands where the folder should be."""
    folder = tmp_path / "report"
    folder.write_text("in the way", encoding="utf-8")
    with pytest.raises(UsageError, match=r"report .*--out"):
        write_report(folder, results, run_of(results), card=None, picture=lambda _: None, plots=False)


def test_a_report_inside_the_folder_that_it_tells_of_is_not_taken_for_images(perfect, tmp_path):
    """Submitting `.` twice sends the same images twice: the plots of the first report are no digits."""
    report = tmp_path / "reports" / "first"
    write_report(report, perfect, run_of(perfect), card=None, picture=lambda _: None)
    assert list(report.glob("*.png"))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "a.png").write_bytes(b"an image")
    assert [(image.name, image.label) for image in open_source(tmp_path)] == [("7/a.png", 7)]
    # Named expressly, it is a folder like any other.
    assert open_source(report).total == len(list(report.glob("*.png")))
