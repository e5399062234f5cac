"""PNG files are drawn by a process of their own. However it ends, the report is there."""

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import psutil
import pytest

from producer.report.charts import drawing as drawing_module
from producer.report.charts.drawing import drawing
from producer.report.charts.plots import CaptionedPicture, SheetPlot

REPORT = """
import sys
from pathlib import Path
import numpy as np
import psutil
import producer.report.charts.drawing
from producer.jobs.results import JobInfo, Results
from producer.report.write import write_report
producer.report.charts.drawing.DRAWING_SECONDS = float(sys.argv[2])
ones = np.ones(9, np.int8)
job = Results(list("abcdefghi"), ones, ones, np.full(9, 0.5, np.float32), None, ["v"] * 9, {})
info = JobInfo("j", "s", "done", 0.0, 1.0, [], {"w": 9})
summary = write_report(Path(sys.argv[1]), job, info, card=None, read_pictures=lambda _: {})
print(*summary.notices, psutil.Process().children(), "matplotlib" in sys.modules)
"""
"""A program that writes a report into a folder, waits so many seconds for the charts, and prints its notices, its child
processes, and whether it imported Matplotlib."""

PAGES_AND_TABLES = {"report.html", "report.json", "predictions.csv", "errors.csv"}


def written(folder: Path, matplotlib: str) -> tuple[set[str], str]:
    """Write a report where this is Matplotlib. Return the names of its files, and what the program printed."""
    (folder / "library").mkdir()
    (folder / "library" / "matplotlib.py").write_text(matplotlib, encoding="utf-8")
    path = os.pathsep.join([str(folder / "library"), os.environ.get("PYTHONPATH", str(Path.cwd()))])
    ended = subprocess.run(
        [sys.executable, "-c", REPORT, str(folder / "report"), "2" if "sleep" in matplotlib else "60"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=-1,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return {file.name for file in (folder / "report").iterdir()}, ended.stdout


def interrupted(children: list[psutil.Process]) -> None:
    """Start drawing, add the process to a list, and get an interrupt."""
    before = psutil.Process().children()  # other tests of this process have some, too
    with drawing():
        children += set(psutil.Process().children()) - set(before)
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("matplotlib", "why"),
    [
        pytest.param("import os\nos.kill(os.getpid(), 9)", "ended with SIGKILL;", id="killed"),
        pytest.param("raise MemoryError('no more')", "ended with exit code 1: MemoryError: no more;", id="an error"),
        pytest.param("print('hello')\nraise SystemExit(0)", "answered something else;", id="a word of its own"),
        pytest.param("import time\ntime.sleep(600)", "did not end within 2 s;", id="without an end"),
    ],
)
def test_a_process_that_does_not_draw_costs_only_the_png_files(tmp_path: Path, matplotlib: str, why: str) -> None:
    """The report is complete otherwise, a notice says why, and no process is left."""
    names, said = written(tmp_path, matplotlib)
    assert names == PAGES_AND_TABLES
    notice = f"The PNG charts were left out because the process that draws them {why} the page shows the same figures."
    assert said == f"{notice} To get them, write the report again. [] False\n"


def test_a_report_with_png_files_does_not_import_matplotlib(tmp_path: Path) -> None:
    """It would take memory that a client does not give back. No process is left."""
    said = subprocess.run([sys.executable, "-c", REPORT, str(tmp_path), "60"], stdout=-1, check=True).stdout
    assert said == b"[] False\n"
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_an_order_that_nobody_reads_does_not_stop_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe holds 64 KiB on most systems, and the process may hang before it reads them."""
    monkeypatch.setattr(drawing_module, "DRAWING_SECONDS", 0.5)
    monkeypatch.setattr(drawing_module, "command", lambda _: ["sleep", "600"])
    with drawing() as drawn:
        drawn.begin({"large.png": SheetPlot([CaptionedPicture(bytes(2**22), 2**11, "", wrong=False)], "")})
        files, why = drawn.finish()
    assert not files
    assert "did not end within" in why


def test_a_process_that_says_much_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the end is kept, which has the reason."""
    program = "head -c 64M /dev/zero | tr '\\0' x >&2; echo >&2; echo no more >&2; exit 3"
    monkeypatch.setattr(drawing_module, "command", lambda _: ["sh", "-c", program])
    tracemalloc.start()
    try:
        with drawing() as drawn:
            drawn.begin({})
            files, why = drawn.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not files
    assert "the process that draws them ended with exit code 3: no more;" in why
    assert peak < 2**20


@pytest.mark.parametrize("left", ["wait", "exit 1"])
def test_a_report_does_not_wait_for_what_the_process_has_started(left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib starts a program that lists the fonts, which may hang and holds the same pipes."""
    monkeypatch.setattr(drawing_module, "DRAWING_SECONDS", 0.5)
    monkeypatch.setattr(drawing_module, "command", lambda _: ["sh", "-c", f"sleep 20 & {left}"])
    began = time.monotonic()
    with drawing() as drawn:
        drawn.begin({})
        files, why = drawn.finish()
    assert not files
    assert "did not end within" in why
    assert time.monotonic() - began < 15


def test_whoever_interrupts_a_report_ends_the_process_that_draws() -> None:
    """It is killed and reaped before the interrupt goes on."""
    children: list[psutil.Process] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(children)
    [child] = children
    assert not child.is_running()


def test_a_process_that_draws_ends_with_the_one_that_asked() -> None:
    """It waits for an order, and its pipe says when nobody can give one any more."""
    program = "import os, time\nfrom producer.report.charts.drawing import Drawing\nd = Drawing('x')\n"
    program += "print(d._process.pid, flush=True)\nos._exit(0)"
    ended = subprocess.run([sys.executable, "-c", program], stdout=-1, check=True)
    deadline = time.monotonic() + 30
    while psutil.pid_exists(int(ended.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
