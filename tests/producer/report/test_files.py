"""Each file of a report is replaced in one piece, and files of an earlier report do not stay."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from model.errors import UsageError
from producer.pictures import Picture
from producer.report.files import replacing
from producer.report.place import PNGS
from producer.report.write import write_report
from producer.sources import open_source
from tests.producer.report.invented import Page, info_of, strict, unlabelled

ALWAYS = {"report.html", "report.json", "predictions.csv", "errors.csv"}

REPORT_OF_NINE = """
import sys
from pathlib import Path
import numpy as np
from producer.report.write import write_report
from producer.jobs.results import JobInfo, Results, TimelinePoint
ones = np.ones(9, np.int8)
job = Results(list("abcdefghi"), ones, ones, np.full(9, 0.5, np.float32), None, ["v"] * 9, {})
info = JobInfo("j", "s", "done", 0.0, 1.0, [TimelinePoint(0.5, 4), TimelinePoint(1.0, 9)], {"w": 9})
summary = write_report(Path(sys.argv[1]), job, info, card=None, read_pictures=lambda _: {}, plots=%s)
"""


def names(folder: Path) -> set[str]:
    """The names of all files in a folder, hidden ones included."""
    return {path.name for path in folder.iterdir()}


def run_python(code: str, folder: Path) -> str:
    """Run a Python program with a folder as its argument. Return what it prints."""
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_time_of_the_whole_command_is_named_where_it_is_known(tmp_path, results):
    """With its rate, as figures and on the page. Without it, both say nothing."""
    began = time.monotonic() - 100
    write_report(tmp_path, results, info_of(results), card=None, read_pictures=lambda _: {}, plots=False, began=began)
    figures, page = strict(tmp_path / "report.json"), Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert 100 <= figures["command_seconds"] < 200
    assert figures["command_images_per_second"] == len(results) / figures["command_seconds"]
    assert "The whole command took 1" in page.words
    assert "images per second, whole command" in page.words
    assert "time-" not in page.text
    write_report(tmp_path, results, info_of(results), card=None, read_pictures=lambda _: {}, plots=False)
    assert strict(tmp_path / "report.json")["command_seconds"] is None
    assert "whole command" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_plots_are_drawn_where_there_is_something_to_draw(tmp_path, results, images, card):
    """With labels, pictures and a card there are six PNG files. Otherwise there are two, and old ones are removed."""

    def read_pictures(indices):
        return {index: Picture(images.images[index]) for index in indices}

    summary = write_report(tmp_path, results, info_of(results), card=card, read_pictures=read_pictures)
    assert summary.notices == ()
    (tmp_path / "notes.txt").write_text("the user's own", encoding="utf-8")
    assert names(tmp_path) == ALWAYS | PNGS | {"notes.txt"}
    for name in PNGS:
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG"
            assert min(image.size) > 300
    write_report(tmp_path, unlabelled(results), info_of(results), card=None, read_pictures=lambda _: {})
    assert names(tmp_path) == ALWAYS | {"confidence.png", "throughput.png", "notes.txt"}


def test_without_matplotlib_all_but_the_plots_is_there_and_a_notice_says_so(tmp_path):
    """Only the PNG files need Matplotlib. The page still has its three charts."""
    absent = "import sys; sys.modules['matplotlib'] = None\n"
    said = run_python(absent + REPORT_OF_NINE % True + "print(*summary.notices)", tmp_path)
    assert "Matplotlib is not installed" in said
    assert "pip install 'digitmill[report]'" in said
    assert names(tmp_path) == ALWAYS
    assert Page((tmp_path / "report.html").read_text(encoding="utf-8")).tags.count("figure") == 3


def test_without_plots_matplotlib_is_never_imported(tmp_path):
    """A caller that asks for no plots saves the second that the import takes."""
    assert run_python(REPORT_OF_NINE % False + "print('matplotlib' in sys.modules)", tmp_path) == "False\n"


def test_a_reader_never_sees_half_a_file(tmp_path, results):
    """While the report is replaced again and again, a reader always finds a whole page and whole figures."""

    def write():
        write_report(tmp_path, results, info_of(results), card=None, read_pictures=lambda _: {}, plots=False)

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
    """After an error in the block the old file is unchanged, and the draft is removed."""
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
    """A file is in the place of the folder. The error names its path and `--out`."""
    folder = tmp_path / "report"
    folder.write_text("in the way", encoding="utf-8")
    with pytest.raises(UsageError, match=r"report .*--out"):
        write_report(folder, results, info_of(results), card=None, read_pictures=lambda _: {}, plots=False)


def test_a_report_inside_the_submitted_folder_is_not_taken_for_images(perfect, tmp_path):
    """The plots of an earlier report are not submitted, unless the user submits the folder of the report itself."""
    report = tmp_path / "reports" / "first"
    write_report(report, perfect, info_of(perfect), card=None, read_pictures=lambda _: {})
    assert list(report.glob("*.png"))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "a.png").write_bytes(b"an image")
    assert [(image.name, image.label) for image in open_source(tmp_path)] == [("7/a.png", 7)]
    # A report folder that is submitted by its own name is read like any other.
    assert open_source(report).total == len(list(report.glob("*.png")))
