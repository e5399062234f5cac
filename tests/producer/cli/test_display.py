"""Tables keep every cell whole, and counts have the right plural."""

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.text import Text

from model.cards.card import BASELINE, Card, Score
from model.cards.decision import Decision, ModelAssessment
from model.errors import UsageError
from model.images.doubts import Doubt, DoubtCode
from producer.calls.prediction import Prediction
from producer.cli.display.answers import Answered, answer_text
from producer.cli.display.inspection import Inspected, check_sheet, save_sheet
from producer.cli.display.job_results import print_headline, write_job_report
from producer.cli.display.model_versions import over_time, print_comparison, print_list
from producer.cli.display.tables import Column, print_table
from producer.cli.display.wording import counted, describe_progress
from producer.cli.main import main
from producer.jobs.results import FinishedJob, JobInfo, Results
from producer.public.answers import Answer, Reason
from producer.public.body import time_of
from producer.public.models import ListedModel, PastAccuracy
from producer.report.selection import select
from producer.report.summary import summarise
from worker.contract.ledger import JobRecord, JobState, JobStatus
from worker.contract.registry import ServiceCounts

ONES = np.ones(3, np.int8)
FINISHED = FinishedJob(
    Results(list("abc"), ONES, ONES, np.full(3, 0.9, np.float32), None, ["v"] * 3, {}),
    JobInfo("261125-154401-eew", "scans", "done", 0.0, 1.0, [], {"w": 3}),
    None,
)
WIDE = "/scans/" + "/".join(f"folder {number:02}" for number in range(20))
PRINT = f"""
from producer.cli.display.tables import Column, print_table
print_table([Column("JOB"), Column("IMAGES", numbers=True), Column("SOURCE", wraps=20)],
            [["261125-154401-eew", "1,234", {WIDE!r}], ["b", "7", "short"]])
"""


def test_in_a_pipe_each_row_is_one_whole_line() -> None:
    """Numbers are right-aligned. There are no colours and no spaces at the end of a line."""
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert done.stdout.splitlines() == [
        "JOB                IMAGES  SOURCE",
        f"261125-154401-eew   1,234  {WIDE}",
        "b                       7  short",
    ]


@pytest.mark.parametrize("columns", [80, 50])
def test_on_a_terminal_only_the_column_that_may_wrap_wraps(columns: int) -> None:
    """No cell is cut."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "40", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", PRINT], stdout=theirs, check=True, env=environment, timeout=60)
    os.close(theirs)
    written = os.read(ours, 65536).decode().replace("\r\n", "\n")
    os.close(ours)
    first, *others = [line.split("eew   1,234  ")[-1].strip() for line in written.splitlines()[1:-1]]
    assert "261125-154401-eew   1,234" in written
    assert len(others) >= 2
    assert "".join([first, *others]).replace(" ", "") == WIDE.replace(" ", "")


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            70,
            [
                "JOB                STATE             IMAGES  SOURCE",
                "261125-154401-eew  done with errors   1,234  …r 17/folder 18/folder 19",
                "b                  done                   7  short",
            ],
        ),
        (
            54,
            [
                "JOB                STATE      IMAGES  SOURCE",
                "261125-154401-eew  done with   1,234  …er 18/folder 19",
                "                   errors",
                "b                  done            7  short",
            ],
        ),
    ],
)
def test_a_long_path_in_a_list_is_shortened_at_its_beginning(columns: int, lines: list[str]) -> None:
    """Its end says more, and one line for each job can be read. In a pipe it is whole."""
    program = PRINT.replace("wraps=20", "wraps=8, shortens=True")
    program = program.replace('Column("IMAGES"', 'Column("STATE", wraps=9), Column("IMAGES"')
    program = program.replace('"1,234"', '"done with errors", "1,234"').replace('"7"', '"done", "7"')
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "40", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", program], stdout=theirs, check=True, env=environment, timeout=60)
    os.close(theirs)
    written = os.read(ours, 65536).decode()
    os.close(ours)
    assert written.splitlines() == lines
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60).stdout
    assert WIDE.encode() in piped


def test_a_cell_cannot_write_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are escaped, and brackets are not markup."""
    print_table([Column("NAME")], [["a\x1b[2Jb"], ["[red]"], [Text("styled", style="red")]])
    assert capsys.readouterr().out == "NAME\na\\x1b[2Jb\n[red]\nstyled\n"


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ["job"], "0 jobs"),
        (1, ["job"], "1 job"),
        (1234, ["image"], "1,234 images"),
        (1, ["batch", "batches"], "1 batch"),
        (2, ["batch", "batches"], "2 batches"),
    ],
)
def test_a_count_has_its_plural(number: int, words: list[str], text: str) -> None:
    """The noun is singular only for 1."""
    assert counted(number, *words) == text


def test_help_says_nothing_in_the_old_words() -> None:
    """The old option names `patience` and `unwatched` appear in no help text."""
    for words in (["--help"], ["submit", "--help"], ["models", "promote", "--help"]):
        text = CliRunner().invoke(main, words).stdout
        assert "patience" not in text
        assert "unwatched" not in text


def test_a_finished_job_whose_report_cannot_be_written_is_not_lost(tmp_path):
    """Somebody put a file into the folder while the job ran. The message says how to write the report elsewhere."""
    (tmp_path / "predictions.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"answers are kept: `digitmill report 261125-154401-eew --out FOLDER`"):
        write_job_report(FINISHED, tmp_path, None, None, mill=None, quiet=True)
    with pytest.raises(UsageError, match=r"--out\.$"):
        write_job_report(FINISHED, tmp_path, None, None, mill=None, quiet=True, is_kept=False)
    assert (tmp_path / "predictions.csv").read_text(encoding="utf-8") == "mine"


def test_a_doubted_answer_says_why_it_is_for_review(capsys):
    """The reason stands where other answers only say that they are unsure; programs find its code."""
    doubt = Doubt(DoubtCode.INK_LEFT_OUT, "read from 31 % of the ink")
    results = replace(FINISHED.results, doubts={1: doubt})
    sure, doubted = Prediction(1, 0.9, None, "v", False), Prediction(1, 0.9, None, "v", True, doubt)
    answered = Answered("abc", [sure, doubted, sure], reads_numbers=False, reviews=True)
    rows = answered.as_json()
    assert [answer_text(row, styled=False) for row in rows] == [
        "1  90.0 %",
        "1  90.0 %  read from 31 % of the ink: review",
        "1  90.0 %",
    ]
    assert (rows[1].review, rows[1].review_reason) == (True, Reason(code="ink_left_out", message=doubt.reason))
    assert rows[0].review_reason is None
    assert answer_text(answered._replace(reviews=False).as_json()[1], styled=False) == "1  90.0 %"
    print_headline(summarise(results, FINISHED.info, select(results, 0.8)), Path("reports"))
    assert "review    1  (1 read from a part of the ink); review.csv lists them" in capsys.readouterr().out


def test_inspect_replaces_only_pictures_of_its_own(tmp_path):
    """The user's own PNG file stays, and so does what a link leads to."""
    answer = Answer(name="a.png", digit=3, confidence=0.9, review=False, review_reason=None, model="v", error=None)
    inspected = [Inspected(answer, {"shown": np.zeros((28, 28), np.uint8)})]
    for _ in range(2):
        check_sheet(tmp_path / "stages.png")
        save_sheet(inspected, tmp_path / "stages.png")
    (tmp_path / "link.png").symlink_to("stages.png")
    Image.new("L", (28, 28)).save(tmp_path / "mine.png")
    (tmp_path / "text.png").write_text("mine", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("link.png", "mine.png", "text.png"):
        with pytest.raises(UsageError, match=r"was not written by `digitmill inspect`"):
            check_sheet(tmp_path / name)
    with pytest.raises(UsageError, match=r"Cannot write .*No such file.*--out"):
        check_sheet(tmp_path / "absent" / "stages.png")
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def version_row(version, published, validation, *, images=5000, aliases=(), problem=None):
    """Return a row of the list of versions."""
    return ListedModel(
        model=version,
        aliases=list(aliases),
        published=time_of(published),
        test_accuracy=0.99,
        validation_accuracy=validation,
        validation_images=images,
        data="mnist",
        training_images=50_000,
        parent=None,
        workers=[],
        problem=problem,
        out_of_service=None,
    )


ROWS = [
    version_row("newest", 4.0, 0.9952, aliases=["live"]),
    version_row("samples", 3.0, 0.5, images=300),
    version_row("damaged", 2.5, None, images=None, problem="It is damaged."),
    version_row("second", 2.0, 0.9932),
    version_row("first", 1.0, 0.9942),
]


def test_the_accuracy_over_time_is_that_of_versions_judged_on_the_same_images() -> None:
    """They stand in the order of their publication. If the live version is unknown, there are none."""
    assert [each.model for each in over_time(ROWS)] == ["first", "second", "newest"]
    assert over_time(ROWS)[0] == PastAccuracy(
        model="first", published="1970-01-01T00:00:01.000Z", validation_accuracy=0.9942
    )
    assert over_time(ROWS[1:]) == []


@pytest.mark.parametrize(
    ("encoding", "line"), [("utf-8", "▅▁█  ▁ 99.32 % to █ 99.52 %"), ("ascii", "409  0 99.32 % to 9 99.52 %")]
)
def test_the_list_of_versions_shows_the_accuracy_over_time(encoding: str, line: str) -> None:
    """Digits stand for the levels where the terminal has only ASCII. The lowest and the highest level are explained."""
    program = f"from producer.cli.display.model_versions import *; print_list({ROWS!r}, [])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=60,
    )
    assert done.stdout.decode(encoding).splitlines()[-1] == f"validation over time  {line}"


def test_a_sparkline_shows_at_most_the_latest_versions_and_a_single_level_if_nothing_changes(capsys) -> None:
    """One version has no course, so there is no line."""
    rows = [version_row(f"v{number}", float(number), 0.99, aliases=["live"] * (number == 0)) for number in range(100)]
    print_list(rows, [])
    assert capsys.readouterr().out.splitlines()[-1] == f"validation over time  {'▅' * 40}  always 99.00 %"
    print_list(rows[:1], [])
    assert "over time" not in capsys.readouterr().out


def running(answered, *, state=JobState.RUNNING, images=1000, total=None, ended=None, failed=0):
    """Return a job that was created at time 100."""
    record = JobRecord("scans/", "m", "host-1", {}, "", total)
    return JobStatus("j", record, state, 100.0, ended, images, answered, failed, 1, 0, "")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (running(0), "0 of 1,000 images answered (0 %)"),
        (running(500, failed=5), "500 of 1,000 images answered (50 %), 5 failed; 50/s, 10 s left"),
        (
            running(500, state=JobState.SUBMITTING, total=6500),
            "500 of 6,500 images answered (8 %); 50/s, 2 m left",
        ),
        (running(25, state=JobState.SUBMITTING, total=20), "25 of 1,000 images answered (2 %); 2/s, 6 m left"),
        (running(1, state=JobState.SUBMITTING), "1 image answered; 0/s"),
        (running(1000, state=JobState.DONE, ended=105.0), "1,000 images answered; 200/s"),
        (running(400, state=JobState.CANCELLED, ended=104.0), "400 of 1,000 images answered; 100/s"),
    ],
)
def test_the_progress_of_a_job_has_total_share_rate_and_rest(status, words):
    """A client may not know the total before it has sent all. Until then, the share and the rest are left out."""
    assert describe_progress(status, 110.0) == words
    assert describe_progress(status, 110.0, stands=True) == words.partition(";")[0], "nobody continues it"


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"sha256": "0" * 64}, "trained and judged on different data"),
        ({"sha256": "0" * 64, "test": 360}, "tested and validated on different images"),
    ],
)
def test_versions_that_were_judged_on_other_images_are_compared_with_a_warning(capsys, judged, change, words):
    """The gate lets both classify the same images, but says nothing about the figures of their cards."""
    baseline = Card.read(BASELINE)
    other = replace(baseline, version="other", data=replace(baseline.data, **change))
    score = Score.of(9, 10)
    a, b = (ModelAssessment(card.version, score, None, [0.9] * 10, 1, 1.0) for card in (baseline, other))
    decision = Decision(True, "Passed.", a, b, score) if judged else None
    print_comparison([baseline, other], [], [ServiceCounts()] * 2, decision)
    lines = capsys.readouterr().out.splitlines()
    assert ("Passed." in lines) == judged
    assert ("mean nothing" in lines[-1]) == bool(words and (not judged or "test" in change))
    assert words in lines[-1] or judged
