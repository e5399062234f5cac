"""The command line as its users meet it: real processes, real files, a real mill."""

import csv
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image

from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from producer.cli.main import COMMANDS
from producer.mill.stack import Stack
from tests.support.signals import ctrl_c_heard
from worker.contract.ledger import JobState

DIGITMILL = Path(sys.executable).with_name("digitmill")
MARK_SLOW = b"MARK:slow"  # for the workers of the tests' mills; see tests/faults/injected
NOWHERE = "redis://localhost:1/0"


class CommandLine:
    """Runs `digitmill` in a folder of its own, with a mill and a data folder of its own."""

    def __init__(self, folder, url):
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DIGITMILL_")},
            "DIGITMILL_DATA": str(folder / "data"),
            "DIGITMILL_CACHE": str(folder / "cache"),
            "DIGITMILL_OFFLINE": "1",
            **({"DIGITMILL_REDIS_URL": url} if url else {}),
        }

    def start(self, *arguments, **variables):
        """Start a command."""
        with ctrl_c_heard():
            return subprocess.Popen(
                [DIGITMILL, *map(str, arguments)],
                cwd=self.folder,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def __call__(self, *arguments, code=0, seconds=30.0, **variables):
        """Run a command to its end, which must be this exit code; return what it printed."""
        with self.start(*arguments, **variables) as process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert "Traceback" not in output + errors, output + errors
        assert process.returncode == code, f"exit code {process.returncode}, not {code}: {output}{errors}"
        return Printed(output, errors)


class Printed:
    """What a command printed."""

    def __init__(self, output, errors):
        self.output, self.errors = output, errors

    @property
    def json(self):
        """Standard output, which is nothing but one value of strict JSON."""

        def refuse(constant):
            raise ValueError(f"{constant} is no JSON")

        return json.loads(self.output, parse_constant=refuse)


@pytest.fixture
def digitmill(tmp_path, mill):
    """The command line beside the tests' mill."""
    return CommandLine(tmp_path, mill.stack.url)


@pytest.fixture
def alone(tmp_path):
    """The command line without any mill."""
    return CommandLine(tmp_path, None)


@pytest.fixture(scope="session")
def undisturbed(digits):
    """What the model makes of the first digits in this process, without any queue."""
    return Classifier.baseline().classify(digits.images[:100]).digits.astype(int).tolist()


@pytest.fixture
def scans(tmp_path, digits, png):
    """Write so many digits as `<folder>/<index>.png`, with a mark behind the last byte of each."""

    def write(count=8, folder="scans", *, mark=b""):
        target = tmp_path / folder
        target.mkdir()
        for index in range(count):
            (target / f"{index:03d}.png").write_bytes(png(digits.images[index]) + mark)
        return target

    return write


def rows(report):
    """The rows of a report's table of predictions, by name and in order."""
    with (report / "predictions.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    by_name = {row["name"]: row for row in listed}
    assert len(by_name) == len(listed), "an image has two rows"
    return by_name


def names(folder):
    """The names of a folder's files, in the order in which they are submitted."""
    return sorted(path.name for path in folder.iterdir())


def predicted(report):
    """The digits of a report, in order."""
    return [int(row["digit"]) for row in rows(report).values()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(alone, command):
    """`--help` needs no mill."""
    text = alone(command, "--help").output
    assert f"digitmill {command}" in text.partition("Example")[2]


def test_the_group_lists_every_command_and_what_exit_codes_mean(alone):
    """A newcomer's first screen."""
    text = alone("--help").output
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert "Exit codes" in text


@pytest.mark.slow
def test_with_json_every_command_prints_strict_json_and_nothing_else(digitmill, scans):
    """One walk through all that take it."""
    folder = scans()
    (folder / "bad.png").write_bytes(b"")
    submitted = digitmill("submit", folder, "--json", code=1).json
    job = submitted["job"]
    assert (submitted["images"], submitted["failed"]) == (9, 1)
    assert digitmill("classify", "scans", "--json", code=1).json[0]["name"] == "scans/000.png"
    assert job in {found["identifier"] for found in digitmill("jobs", "--json").json}
    assert digitmill("show", job, "--json").json["images"] == 9
    assert digitmill("wait", job, "--json", code=1).json["state"] == "done with errors"
    assert digitmill("report", job, "--json", code=1).json["images"] == 9
    assert len(digitmill("status", "--json").json["workers"]) == 2
    detached = digitmill("submit", folder, "--detach", "--json").json["job"]
    assert digitmill("wait", detached, "--json", code=1).json["images"] == 9
    assert digitmill("submit", folder, "--dry-run", "--json").json["images"] == 9


def test_a_folder_of_good_images_ends_with_0_and_its_report(digitmill, scans, undisturbed):
    """In the folder that was asked for."""
    printed = digitmill("submit", scans(), "--out", "out")
    assert predicted(digitmill.folder / "out") == undisturbed[:8]
    assert "report.html" in printed.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit", "absent/"], "absent"),
        (["submit", ".", "--frobnicate"], "--frobnicate"),
        (["submit", "empty/"], "empty"),
        (["submit", "images", "--model", "cnn-0"], "cnn-0"),
        (["submit", "images", "--labels", "absent.csv"], "absent.csv"),
        (["submit", "images", "--batch-size", "0"], "--batch-size"),
        (["show", "no-such-job"], "no-such-job"),
        (["wait", "no-such-job"], "no-such-job"),
        (["report", "no-such-job"], "no-such-job"),
        (["cancel", "no-such-job"], "no-such-job"),
        (["resume", "no-such-job"], "no-such-job"),
        (["models", "promote", "cnn-0"], "cnn-0"),
        (["models", "show", "candidate"], "candidate"),
        (["models", "compare", "live", "cnn-0"], "cnn-0"),
        (["models", "push", "empty"], "card.json"),
        (["models", "pull", "live", "--out", "images"], "not empty"),
        (["frobnicate"], "frobnicate"),
        (["classify"], "FILE"),
    ],
)
def test_what_cannot_be_done_as_asked_ends_with_2_and_names_the_fault(digitmill, scans, arguments, words):
    """Nothing on standard output, the fault on standard error."""
    scans(1, "images")
    (digitmill.folder / "empty").mkdir()
    printed = digitmill(*arguments, code=2)
    assert words in printed.errors
    assert printed.output == ""


@pytest.mark.slow
def test_without_redis_every_command_ends_with_3_within_ten_seconds(alone, scans):
    """The address is named, so that who mistyped it sees it."""
    scans(1, "images")
    asked = (
        "submit images",
        "submit images --detach",
        "classify images",
        "inspect images",
        "resume last",
        "jobs",
        "status",
        "models list",
    )
    for process in [alone.start(*words.split(), DIGITMILL_REDIS_URL=NOWHERE) for words in asked]:
        with process:
            output, errors = process.communicate(timeout=10)
        assert process.returncode == 3
        assert "localhost:1" in errors
        assert "Traceback" not in errors
        assert output == ""


@pytest.fixture
def workless(tmp_path):
    """The command line beside a server that has no workers."""
    with Stack(tmp_path / "server", 0) as stack:
        yield CommandLine(tmp_path, stack.url)


def test_without_workers_commands_end_with_4_and_what_was_sent_stays(workless, scans):
    """The message says how to go on."""
    folder = scans(3)
    printed = workless("submit", folder, "--patience", "1", code=4)
    assert "digitmill resume" in printed.errors
    assert workless("status", "--json", code=4).json["workers"] == []
    assert workless("show", "last", "--json").json["images"] == 3


def last_runs(digitmill):
    """Whether there is a job, and it runs."""
    with digitmill.start("show", "last", "--json") as process:
        output, _ = process.communicate(timeout=20)
    return process.returncode == 0 and json.loads(output)["state"] == "running"


def test_a_cancelled_job_ends_with_5_for_all_who_wait_for_it(workless, scans, eventually):
    """The client that sent it, and others; a second time there is nothing to cancel."""
    with workless.start("submit", scans(3)) as client:
        eventually(lambda: last_runs(workless), what="a running job")
        workless("cancel", "last")
        _, errors = client.communicate(timeout=20)
    assert client.returncode == 5
    assert "cancelled" in errors
    assert "Traceback" not in errors
    workless("wait", "last", code=5)
    assert "ended already" in workless("cancel", "last", code=2).errors


def truncated(png):
    """The first half of a PNG."""
    return png[: len(png) // 2]


def bomb():
    """A PNG of 50,000 by 50,000 pixels in a few hundred bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


def animation(tmp_path, digits):
    """A GIF of two frames."""
    frames = [Image.fromarray(image) for image in digits.images[:2]]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    return (tmp_path / "two.gif").read_bytes()


def test_every_kind_of_bad_file_is_one_row_that_says_why_and_its_neighbours_are_classified(
    digitmill, scans, digits, png, undisturbed
):
    """All of them among good ones in one folder, packed into the same batches."""
    folder = scans(8)
    bad = {
        "empty.png": (b"", "empty"),
        "truncated.png": (truncated(png(digits.images[0])), "broken"),
        "text.png": (b"This is no picture.\n" * 20, "not_an_image"),
        "bomb.png": (bomb(), "too_large"),
        "two.gif": (animation(digitmill.folder, digits), "several_frames"),
        "blank.png": (png(np.zeros((28, 28), np.uint8)), "blank"),
    }
    for place, (name, (content, _)) in enumerate(bad.items()):
        (folder / f"{place:03d}-{name}").write_bytes(content)
    (folder / "dangling.png").symlink_to("nowhere.png")
    digitmill("submit", folder, "--out", "out", code=1)
    found = rows(digitmill.folder / "out")
    assert list(found) == names(folder)
    expected = {f"{place:03d}-{name}": code for place, (name, (_, code)) in enumerate(bad.items())}
    expected["dangling.png"] = "unreadable"
    assert {name: row["error"] for name, row in found.items() if row["error"]} == expected
    assert all(row["message"] and not row["digit"] for row in found.values() if row["error"])
    assert [int(row["digit"]) for row in found.values() if not row["error"]] == undisturbed[:8]


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_bad_members_of_an_archive_are_rows_among_their_neighbours(digitmill, scans, undisturbed, suffix):
    """One without bytes, one whose path leaves the archive."""
    folder = scans(3)
    path = digitmill.folder / f"scans{suffix}"
    outside = folder / "000.png"
    (folder / "empty.png").write_bytes(b"")
    pack(path, [*((file, file.name) for file in sorted(folder.iterdir())), (outside, "../outside.png")])
    digitmill("submit", path, "--out", "out", code=1)
    found = rows(digitmill.folder / "out")
    codes = {name: row["error"] for name, row in found.items() if row["error"]}
    assert codes == {"empty.png": "empty", "../outside.png": "unsafe_path"}
    assert [int(row["digit"]) for row in found.values() if not row["error"]] == undisturbed[:3]
    assert not (digitmill.folder.parent / "outside.png").exists()


def test_a_label_file_that_names_an_absent_image_gives_it_a_row(digitmill, scans, undisturbed):
    """Whoever wrote the label meant the image to be there."""
    folder = scans(2)
    (digitmill.folder / "truth.csv").write_text("name,label\n000.png,1\n001.png,2\nabsent.png,3\n")
    digitmill("submit", folder, "--labels", "truth.csv", "--out", "out", code=1)
    found = rows(digitmill.folder / "out")
    assert {name: row["error"] for name, row in found.items()} == {
        "000.png": "",
        "001.png": "",
        "absent.png": "missing",
    }
    assert [int(found[name]["digit"]) for name in ("000.png", "001.png")] == undisturbed[:2]


def pack(path, files):
    """Write a zip or tar.gz of files under names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file, name in files:
                archive.write(file, name)
        return
    with tarfile.open(path, "w:gz") as archive:
        for file, name in files:
            archive.add(file, name)


def test_a_folder_and_its_archives_give_the_same_digits(digitmill, scans, undisturbed):
    """Whatever the images came in."""
    folder = scans(12)
    files = [(file, file.name) for file in sorted(folder.iterdir())]
    for name in ("scans", "scans.zip", "scans.tar.gz"):
        path = digitmill.folder / name
        if not path.exists():
            pack(path, files)
        digitmill("submit", path, "--out", f"{name}-out")
        assert predicted(digitmill.folder / f"{name}-out") == undisturbed[:12]


def test_labels_by_folder_and_by_file_give_the_same_accuracy(digitmill, digits, png):
    """And it is the share of the right ones, counted here; one label is wrong on purpose."""
    truth = []
    for index in range(12):
        label = (int(digits.labels[index]) + (index == 0)) % 10
        path = digitmill.folder / "labelled" / str(label) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(digits.images[index]))
        truth.append(f"{label}/{index}.png,{label}\n")
    (digitmill.folder / "truth.csv").write_text("name,label\n" + "".join(truth))
    by_folder = digitmill("submit", "labelled", "--json", "--out", "out").json
    by_file = digitmill("submit", "labelled", "--json", "--labels", "truth.csv").json
    found = rows(digitmill.folder / "out").values()
    assert by_folder["correct"] == by_file["correct"] == sum(row["label"] == row["digit"] for row in found)
    assert by_folder["accuracy"] == by_file["accuracy"] == by_file["correct"] / 12
    assert by_file["correct"] < 12


def test_a_dry_run_needs_no_redis_and_makes_no_job(alone, scans):
    """It says what would be sent, and what of it cannot be read."""
    folder = scans(3)
    (folder / "dangling.png").symlink_to("nowhere.png")
    printed = alone("submit", folder, "--dry-run", DIGITMILL_REDIS_URL=NOWHERE)
    assert re.search(r"\b4\b.*\b1\b.*read", printed.output)
    assert not (alone.folder / "data").exists()


def test_a_detached_job_is_reported_from_any_machine_that_reaches_its_redis(digitmill, scans, undisturbed):
    """Here: with another data folder, as another machine would have; and again from the first."""
    job = digitmill("submit", scans(), "--detach", "--json").json["job"]
    elsewhere = {"DIGITMILL_DATA": str(digitmill.folder / "elsewhere")}
    assert "done" in digitmill("wait", job, **elsewhere).output
    assert job in digitmill("show", "last", **elsewhere).output
    digitmill("report", job, "--out", "there", **elsewhere)
    digitmill("report", job, "--out", "here")
    assert predicted(digitmill.folder / "there") == predicted(digitmill.folder / "here") == undisturbed[:8]


def interrupted(digitmill, mill, eventually, *arguments, state, by):
    """Start a job, end its client by a signal once the job is so far, and return the job and the client."""
    known = {status.identifier for status in mill.connection.ledger.jobs()}

    def begun():
        for status in mill.connection.ledger.jobs(latest=1):
            if status.identifier not in known and status.state is state and status.answered >= 2:
                return status.identifier
        return None

    with digitmill.start("submit", *arguments) as client:
        job = eventually(begun, what=f"a job that is {state} with answers")
        client.send_signal(by)
        output, errors = client.communicate(timeout=20)
    assert "Traceback" not in output + errors
    return job, client.returncode


@pytest.mark.slow
def test_a_job_whose_client_was_killed_is_resumed_to_one_row_for_each_image(
    digitmill, mill, scans, undisturbed, eventually
):
    """Killed while it still sent; refused over a source that has changed; the rows are those of an undisturbed run."""
    folder = scans(24, mark=MARK_SLOW)
    arguments = (folder, "--batch-size", "1")
    job, _ = interrupted(digitmill, mill, eventually, *arguments, state=JobState.SUBMITTING, by=signal.SIGKILL)
    (folder / "000.png").rename(folder / "000-renamed.png")
    assert "changed" in digitmill("resume", job, code=5).errors
    (folder / "000-renamed.png").rename(folder / "000.png")
    digitmill("resume", job, "--out", "out")
    assert list(rows(digitmill.folder / "out")) == names(folder)
    assert predicted(digitmill.folder / "out") == undisturbed[:24]
    assert "nothing is left to do" in digitmill("resume", job, code=2).errors


@pytest.mark.slow
def test_a_job_whose_client_was_killed_after_sending_is_reported_whole(digitmill, mill, scans, undisturbed, eventually):
    """Some answers are in the client's journal, the others in Redis; the report waits for the last."""
    folder = scans(14, mark=MARK_SLOW)
    arguments = (folder, "--batch-size", "1")
    job, _ = interrupted(digitmill, mill, eventually, *arguments, state=JobState.RUNNING, by=signal.SIGKILL)
    digitmill("report", job, "--out", "out")
    assert predicted(digitmill.folder / "out") == undisturbed[:14]


def test_a_job_whose_client_is_at_work_is_not_resumed(workless, scans, eventually):
    """Two clients would keep every answer twice; the first one is left to its work."""
    with workless.start("submit", scans(3)) as client:
        eventually(lambda: last_runs(workless), what="a running job")
        assert "nother process" in workless("resume", "last", code=2).errors
        assert client.poll() is None
        client.kill()


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_client_cancels_its_job_and_ends_with_130(digitmill, mill, scans, eventually, by):
    """Ctrl-C and `kill` alike."""
    folder = scans(14, mark=MARK_SLOW)
    job, code = interrupted(digitmill, mill, eventually, folder, "--batch-size", "1", state=JobState.RUNNING, by=by)
    assert code == 130
    assert mill.connection.ledger.job(job).state is JobState.CANCELLED


def test_classify_prints_a_digit_for_each_file_and_a_row_for_one_that_is_missing(digitmill, scans, undisturbed):
    """In the order in which they were given."""
    folder = scans(3)
    printed = digitmill("classify", folder / "002.png", folder / "absent.png", folder / "000.png", code=1)
    lines = [line.split() for line in printed.output.splitlines()]
    assert [Path(line[0]).name for line in lines] == ["002.png", "absent.png", "000.png"]
    assert [line[1] for line in lines] == [str(undisturbed[2]), "-", str(undisturbed[0])]


def test_inspect_draws_the_steps_to_what_the_network_is_shown(digitmill, scans, undisturbed, tmp_path):
    """On a terminal, as a PNG file and as JSON; an image that cannot be read has its reason there."""
    folder = scans(1)
    (tmp_path / "torn.png").write_bytes((folder / "000.png").read_bytes()[:60])
    paper = Image.new("L", (120, 140), 235)
    paper.paste(Image.open(folder / "000.png").resize((84, 84)).point(lambda ink: 235 - 180 * ink // 255), (18, 28))
    paper.save(tmp_path / "paper.png")

    printed = digitmill("inspect", "paper.png", "torn.png", "--out", "steps.png", code=1)
    captions = " ".join(printed.output.split())
    for caption in ("paper.png", "the image", "ink on it", "the digit", "usual strokes", "what is shown", "torn.png"):
        assert caption in captions
    assert "@" in printed.output  # ink, where there are no colours
    assert "broken" in printed.output
    assert "steps.png" in printed.errors
    with Image.open(tmp_path / "steps.png") as sheet:
        assert sheet.width > 5 * 168
        assert len(sheet.getcolors(256)) > 20

    told = digitmill("inspect", "paper.png", "torn.png", "--json", code=1).json
    assert told[0]["digit"] == undisturbed[0]
    assert list(told[0]["steps"]) == ["image", "ink", "digit", "strokes", "shown"]
    assert np.array(told[0]["shown"]).shape == (28, 28)
    assert len(told[0]["probabilities"]) == 10
    assert told[1]["error"] == "broken"
    assert told[1]["steps"] == {}


def test_classify_says_which_image_may_be_no_digit(digitmill, scans):
    """In words for people, as a truth value for programs; with 0 nothing is doubted."""
    folder = scans(8)
    files = [folder / f"{index:03}.png" for index in range(8)]
    sure = digitmill("classify", *files, "--min-confidence", "0", "--json").json
    assert not any(row["review"] for row in sure)
    threshold = str(sum(row["confidence"] for row in sure) / 8)
    doubted = [row["confidence"] < float(threshold) for row in sure]
    assert 0 < sum(doubted) < 8
    assert [
        row["review"] for row in digitmill("classify", *files, "--min-confidence", threshold, "--json").json
    ] == doubted
    lines = digitmill("classify", *files, "--min-confidence", threshold).output.splitlines()
    assert ["unsure, may be no digit: review" in line for line in lines] == doubted


def test_a_word_is_listed_for_review_without_being_asked_for(digitmill):
    """It is answered with a digit, and with doubt; and its report can be written again without or with more of it."""
    page = np.full((60, 200), 255, np.uint8)
    cv2.putText(page, "HAMW", (5, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 0, 3)
    cv2.imwrite(str(digitmill.folder / "word.png"), page)
    said = digitmill("submit", "word.png", "--out", "report").output
    assert f"review    1  (confidence below {REVIEW_BELOW}); review.csv lists them" in said
    assert "word.png" in (digitmill.folder / "report" / "review.csv").read_text()
    figures = digitmill("report", "last", "--json").json
    assert (figures["min_confidence"], figures["review"]) == (REVIEW_BELOW, 1)
    assert digitmill("report", "last", "--min-confidence", "0", "--json").json["review"] is None
    assert digitmill("report", "last", "--min-confidence", "0.001", "--json").json["review"] == 0


def test_output_that_nobody_reads_any_more_is_no_fault(digitmill, digits):
    """`digitmill classify … | head -1` prints its line, and standard error stays empty."""
    np.save(digitmill.folder / "images.npy", np.tile(digits.images[:1], (5000, 1, 1)))
    pipe = f"{DIGITMILL} classify images.npy | head -1; echo ${{PIPESTATUS[0]}}"
    printed = subprocess.run(
        ["bash", "-c", pipe],
        cwd=digitmill.folder,
        env=digitmill.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert printed.stderr == ""
    line, code = printed.stdout.splitlines()
    assert line.startswith("images.npy/00000 ")
    assert code == "0"


@pytest.fixture
def demo(alone, tmp_path_factory):
    """The command line of a demo, whose processes are known by their folder for temporary files."""
    temporary = tmp_path_factory.mktemp("t")  # short: a socket's path is
    alone.environment |= {"TMPDIR": str(temporary)}
    if "DIGITMILL_MNIST" in os.environ:
        alone.environment["DIGITMILL_MNIST"] = os.environ["DIGITMILL_MNIST"]
    yield alone
    assert list(temporary.iterdir()) == []
    assert [process.cmdline() for process in started_under(temporary)] == []


def started_under(temporary):
    """All processes that use this folder for their temporary files."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary):
                found.append(process)
        except psutil.Error:  # gone, or somebody else's
            continue
    return found


@pytest.mark.slow
def test_the_demo_leaves_its_report_and_nothing_else(demo):
    """A server, a worker, a test set through the queue, a report, with what to look at."""
    demo("demo", "--workers", "1", "--out", "out", seconds=60)
    report = json.loads((demo.folder / "out" / "report.json").read_text())
    assert (demo.folder / "out" / "review.csv").exists()
    assert (demo.folder / "out" / "report.html").stat().st_size > 10_000
    assert report["accuracy"] >= 0.9
    assert report["images"] > 1000
    assert not (demo.folder / "data").exists()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["starting", "running"])
def test_an_interrupted_demo_leaves_nothing(demo, eventually, moment):
    """Ctrl-C while the workers start, and while images go through."""
    with demo.start("demo", "--workers", "1", "--out", "out") as client:
        if moment == "running":
            assert "images go in" in client.stdout.readline()
        else:
            temporary = demo.environment["TMPDIR"]
            eventually(lambda: len(started_under(temporary)) > 1, what="a process of the demo")
        client.send_signal(signal.SIGINT)
        output, errors = client.communicate(timeout=30)
    assert client.returncode == 130
    assert "Traceback" not in output + errors
