"""The command line as users see it: real files, a real mill, and real processes where a process matters.

Other commands run in the process of the tests, which saves most of a second each.
"""

import csv
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
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
from producer.cli.commands.classifying import FEW_IMAGES
from producer.cli.commands.models import models
from producer.cli.main import COMMANDS
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from tests.support.command import DIGITMILL, SECONDS, CommandLine, run_here
from tests.support.mill import INJECTED
from tests.support.processes import frozen
from worker.contract.connection import connect
from worker.contract.lane import CallKind
from worker.contract.lane.keys import SENT
from worker.contract.ledger import JobState, Ledger, Part

MARK_SLOW = b"MARK:slow"  # slows the workers of the tests; see tests/system/faults/injected
NOWHERE = "redis://localhost:1/0"


@pytest.fixture
def digitmill(tmp_path, mill):
    """The command line beside the tests' mill."""
    return CommandLine(tmp_path, mill.stack.url)


@pytest.fixture
def alone(tmp_path):
    """The command line without a mill."""
    return CommandLine(tmp_path, None)


@pytest.fixture(scope="session")
def undisturbed(digits):
    """The digits that the model reads in the first 100 images, in this process and without a queue."""
    return Classifier.baseline().classify(digits.images[:100]).digits.astype(int).tolist()


@pytest.fixture
def scans(tmp_path, digits, png):
    """Write digits as `<folder>/<index>.png`, with a mark after the last byte of each."""

    def write(count=8, folder="scans", *, mark=b""):
        target = tmp_path / folder
        target.mkdir()
        for index in range(count):
            (target / f"{index:03d}.png").write_bytes(png(digits.images[index]) + mark)
        return target

    return write


def rows(report):
    """Return the rows of a report's predictions.csv by name, in the order of the file."""
    with (report / "predictions.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    by_name = {row["name"]: row for row in listed}
    assert len(by_name) == len(listed), "an image has two rows"
    return by_name


def names(folder):
    """Return the names of the files in a folder, in the order of submission."""
    return sorted(path.name for path in folder.iterdir())


def predicted(report):
    """Return the predicted digits of a report, in order."""
    return [int(row["digit"]) for row in rows(report).values()]


@pytest.mark.parametrize("command", [*COMMANDS, *(f"models {name}" for name in models.commands)])
def test_every_command_explains_itself_with_an_example(alone, command):
    """`--help` works without a mill, and its example names the command."""
    text = alone(*command.split(), "--help").output
    assert f"digitmill {command}" in text.partition("Example")[2]


def test_the_group_lists_every_command_and_what_exit_codes_mean(alone):
    """`digitmill --help` lists all commands and the exit codes."""
    text = alone.run("--help", installed=True).output
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert "Exit codes" in text


@pytest.mark.slow
def test_with_json_every_command_prints_strict_json_and_nothing_else(digitmill, scans):
    """Nine commands on the same jobs each print one strict JSON value with the right counts, one in a process."""
    folder = scans()
    (folder / "bad.png").write_bytes(b"")
    submitted = digitmill.run("submit", folder, "--json", code=1).json
    job = submitted["job"]
    assert (submitted["images"], submitted["failed"]) == (9, 1)
    assert digitmill("classify", "scans", "--json", code=1).json["predictions"][0]["name"] == "scans/000.png"
    assert job in {found["job"] for found in digitmill("jobs", "--json").json["jobs"]}
    assert digitmill("show", job, "--json").json["images"] == 9
    assert digitmill("wait", job, "--json", code=1).json["state"] == "done with errors"
    assert digitmill("report", job, "--json", code=1).json["images"] == 9
    assert len(digitmill("status", "--json").json["workers"]) == 2
    detached = digitmill("submit", folder, "--detach", "--json").json["job"]
    assert digitmill("wait", detached, "--json", code=1).json["images"] == 9
    assert digitmill("submit", folder, "--dry-run", "--json").json["images"] == 9


@pytest.mark.usefixtures("pngs")
def test_a_folder_of_good_images_ends_with_0_and_its_report(digitmill, scans, undisturbed):
    """The command ends with 0, and the report with the right digits and its charts is in the folder of `--out`."""
    printed = digitmill.run("submit", scans(), "--out", "out")
    assert predicted(digitmill.folder / "out") == undisturbed[:8]
    assert "report.html" in printed.output
    assert {path.stem for path in (digitmill.folder / "out").glob("*.png")} >= {"confidence", "predictions"}


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
def test_what_cannot_be_carried_out_ends_with_2_and_names_the_fault(digitmill, scans, arguments, words):
    """The wrong word is on standard error, nothing on standard output, and the exit code is 2. One is a process."""
    scans(1, "images")
    (digitmill.folder / "empty").mkdir()
    run = digitmill.run if words == "no-such-job" and arguments[0] == "show" else digitmill
    printed = run(*arguments, code=2)
    assert words in printed.errors
    assert printed.output == ""


def test_without_redis_every_command_ends_with_3(alone, scans, monkeypatch):
    """The message names the address, so that the user can see a typing mistake in it. One command is a process."""
    scans(1, "images")
    monkeypatch.setitem(open_mill.__kwdefaults__, "timeout", 0.1)
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
    for words in asked:
        run = alone.run if words == "jobs" else alone
        printed = run(*words.split(), code=3, DIGITMILL_REDIS_URL=NOWHERE)
        assert "localhost:1" in printed.errors
        assert printed.output == ""


@pytest.fixture
def workless(tmp_path):
    """The command line beside a server that has no workers."""
    with Stack(tmp_path / "server", 0) as stack:
        yield CommandLine(tmp_path, stack.url, stack)


def test_without_workers_commands_end_with_4_and_what_was_sent_stays(workless, scans):
    """The message names `digitmill resume`, and the job keeps the three images that were sent."""
    folder = scans(3)
    printed = workless.run("submit", folder, "--timeout", "1", code=4)
    assert "digitmill resume" in printed.errors
    assert workless("status", "--json", code=4).json["workers"] == []
    assert workless("show", "last", "--json").json["images"] == 3


def last_runs(digitmill):
    """Return whether the last job is running."""
    jobs = Ledger(connect(digitmill.stack.url)).jobs(latest=1)
    return bool(jobs) and jobs[0].state is JobState.RUNNING


def test_a_cancelled_job_ends_with_5_for_all_commands_that_wait_for_it(workless, scans, eventually):
    """`submit` and `wait` end with 5, and a second `cancel` ends with 2."""
    with workless.start("submit", scans(3)) as client:
        eventually(lambda: last_runs(workless), what="a running job")
        workless("cancel", "last")
        _, errors = client.communicate(timeout=SECONDS)
    assert client.returncode == 5
    assert "cancelled" in errors
    assert "Traceback" not in errors
    workless("wait", "last", code=5)
    assert "ended already" in workless("cancel", "last", code=2).errors


def truncated(png):
    """Return the first half of a PNG."""
    return png[: len(png) // 2]


def bomb():
    """Return a PNG of 50,000 by 50,000 pixels in a few hundred bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


def animation(tmp_path, digits):
    """Return a GIF of two frames."""
    frames = [Image.fromarray(image) for image in digits.images[:2]]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    return (tmp_path / "two.gif").read_bytes()


def test_each_kind_of_bad_file_gets_one_row_with_its_reason(digitmill, scans, digits, png, undisturbed):
    """Each bad file has its own error code, and the good files in the same batches are classified."""
    folder = scans(8)
    bad = {
        "empty.png": (b"", "empty"),
        "truncated.png": (truncated(png(digits.images[0])), "broken"),
        "text.png": (b"This is not a picture.\n" * 20, "not_an_image"),
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
def test_bad_members_of_an_archive_get_a_row(digitmill, scans, undisturbed, suffix):
    """An empty member and a member with an unsafe path have their error codes. The others are classified."""
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
    """The absent image has the error code `missing`. The others are classified."""
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
    """A folder, a zip and a tar.gz of the same images give the same predictions."""
    folder = scans(12)
    files = [(file, file.name) for file in sorted(folder.iterdir())]
    for name in ("scans", "scans.zip", "scans.tar.gz"):
        path = digitmill.folder / name
        if not path.exists():
            pack(path, files)
        digitmill("submit", path, "--out", f"{name}-out")
        assert predicted(digitmill.folder / f"{name}-out") == undisturbed[:12]


def test_labels_by_folder_and_by_file_give_the_same_accuracy(digitmill, digits, png):
    """Both accuracies equal the accuracy that the test counts. One label is wrong on purpose."""
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


def test_files_as_people_have_them_are_rows_or_are_counted(digitmill, scans, digits, undisturbed):
    """Pages, files without an extension and AVIF are read; a PDF is an error row; the rest is one line everywhere."""
    folder = scans(1)
    pages = [Image.fromarray(digits.images[index]) for index in (1, 2)]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(digits.images[3]).save(folder / "photo", "PNG")
    Image.fromarray(digits.images[4]).save(folder / "z.AVIF", quality=100)
    (folder / "form.pdf").write_bytes(b"%PDF-1.7")
    (folder / "notes.txt").write_text("text", encoding="utf-8")
    (folder / ".DS_Store").touch()
    printed = digitmill("submit", folder, "--out", "out", code=1)
    line = "left out: 1 .DS_Store, 1 text file"
    assert line in printed.errors
    assert line in (digitmill.folder / "out" / "report.html").read_text(encoding="utf-8")
    report = json.loads((digitmill.folder / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["left_out"] == {".DS_Store": 1, "text file": 1}
    found = rows(digitmill.folder / "out")
    assert list(found) == ["000.png", "photo", "scan.tif#page=1", "scan.tif#page=2", "z.AVIF", "form.pdf"]
    assert [int(row["digit"]) for row in list(found.values())[:5]] == [undisturbed[index] for index in (0, 3, 1, 2, 4)]
    assert found["form.pdf"]["error"] == "not_an_image"
    counted = digitmill("submit", folder, "--dry-run", "--json").json
    assert (counted["images"], counted["left_out"]) == (6, {".DS_Store": 1, "text file": 1})


def test_labels_that_match_nothing_are_refused_before_a_job_exists(alone, scans):
    """The message has both spellings. No Redis is needed for it."""
    folder = scans(2)
    (alone.folder / "truth.csv").write_text("name,label\nIMG_1.PNG,3\nIMG_2.PNG,4\n", encoding="utf-8")
    printed = alone("submit", folder, "--labels", "truth.csv", DIGITMILL_REDIS_URL=NOWHERE, code=2)
    assert re.search(r"the label file says 'IMG_1.PNG', and there is '00[01].png'", printed.errors)
    (alone.folder / "truth.csv").write_text("name,label\n000.PNG,3\n001,4\n", encoding="utf-8")
    printed = alone("submit", folder, "--labels", "truth.csv", "--dry-run", DIGITMILL_REDIS_URL=NOWHERE)
    assert "match an image (1 in another case, 1 without the extension)" in printed.errors


def test_a_dry_run_needs_no_redis_and_makes_no_job(alone, scans):
    """It prints how many images it would send and how many of them it cannot read, and writes no file."""
    folder = scans(3)
    (folder / "dangling.png").symlink_to("nowhere.png")
    printed = alone("submit", folder, "--dry-run", DIGITMILL_REDIS_URL=NOWHERE)
    assert re.search(r"\b4\b.*\b1\b.*read", printed.output)
    assert not (alone.folder / "data").exists()


def test_a_detached_job_is_reported_from_any_machine_that_reaches_its_redis(digitmill, scans, undisturbed):
    """A client with another data folder reports the same digits as the client that sent the images."""
    job = digitmill("submit", scans(), "--detach", "--json").json["job"]
    elsewhere = {"DIGITMILL_DATA": str(digitmill.folder / "elsewhere")}
    assert "done" in digitmill("wait", job, **elsewhere).output
    assert job in digitmill("show", "last", **elsewhere).output
    digitmill("report", job, "--out", "there", **elsewhere)
    digitmill("report", job, "--out", "here")
    assert predicted(digitmill.folder / "there") == predicted(digitmill.folder / "here") == undisturbed[:8]


def interrupted(digitmill, mill, eventually, *arguments, state, by):
    """Send a signal to the client of a new job that is in `state` and has answers. Return the job and the client.

    The workers stand still meanwhile. On a busy machine, the job could otherwise end before the client does.
    """
    known = {status.identifier for status in mill.connection.ledger.jobs()}

    def begun():
        for status in mill.connection.ledger.jobs(latest=1):
            if status.identifier not in known and status.state is state and status.answered >= 2:
                return status.identifier
        return None

    with digitmill.start("submit", *arguments) as client:
        job = eventually(begun, what=f"a job that is {state} with answers")
        with frozen(*(psutil.Process(worker.process) for worker in mill.connection.ledger.workers())):
            client.send_signal(by)
            output, client.errors = client.communicate(timeout=SECONDS)
    assert "Traceback" not in output + client.errors
    return job, client


def test_several_paths_and_lists_of_paths_are_one_job_each(digitmill, scans, undisturbed, tmp_path):
    """Names are relative to what the paths have in common, or as they are in the list."""
    first, second = scans(2, "first"), scans(3, "second")
    digitmill("submit", first, second / "000.png", "--out", "several")
    assert list(rows(tmp_path / "several")) == ["first/000.png", "first/001.png", "second/000.png"]
    (tmp_path / "list.txt").write_text("second/002.png\nfirst/000.png\ngone.png\n")
    digitmill("submit", "--files-from", "list.txt", "--out", "listed", code=1)
    listed = rows(tmp_path / "listed")
    assert {name: row["digit"] for name, row in listed.items()} == {
        "second/002.png": str(undisturbed[2]),
        "first/000.png": str(undisturbed[0]),
        "gone.png": "",
    }
    piped = digitmill("submit", "-0", "--files-from", "-", "--json", given=b"first/001.png\0")
    assert piped.json["images"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name what to submit"),
        (("scans", "--files-from", "list.txt"), "One of both"),
        (("scans", "-0"), "Add --files-from, or leave out -0"),
        (("mnist", "scans"), "submitted alone"),
        (("--files-from", "gone.txt"), "Cannot read the list"),
        (("scans", "--detach", "--follow"), "Leave out --detach or --follow"),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_job(alone, arguments, words):
    """The message says what to leave out or to add."""
    assert words in alone("submit", *arguments, code=2).errors


@pytest.mark.slow
def test_a_job_whose_client_was_killed_is_resumed_to_one_row_for_each_image(
    digitmill, mill, scans, undisturbed, eventually
):
    """`resume` gives the rows of an undisturbed run, of the images that the folder had when the job was sent.

    With `--follow`, the first rows are there already, in order.
    """
    folder = scans(24, mark=MARK_SLOW)
    arguments = (folder, "--batch-size", "1", "--follow", "--out", "out")
    job, _ = interrupted(digitmill, mill, eventually, *arguments, state=JobState.SUBMITTING, by=signal.SIGKILL)
    followed = list(rows(digitmill.folder / "out"))
    assert followed == names(folder)[: len(followed)]
    assert predicted(digitmill.folder / "out") == undisturbed[: len(followed)]
    (folder / "000-new.png").write_bytes((folder / "001.png").read_bytes())
    digitmill("resume", job, "--follow", "--out", "out")
    (folder / "000-new.png").unlink()
    assert list(rows(digitmill.folder / "out")) == names(folder)
    assert predicted(digitmill.folder / "out") == undisturbed[:24]
    assert "nothing is left to do" in digitmill("resume", job, code=2).errors


@pytest.mark.slow
def test_a_job_whose_client_was_killed_after_sending_is_reported_whole(digitmill, mill, scans, undisturbed, eventually):
    """`report` joins the answers in the client's journal with those in Redis, and waits for the last one."""
    folder = scans(14, mark=MARK_SLOW)
    arguments = (folder, "--batch-size", "1")
    job, _ = interrupted(digitmill, mill, eventually, *arguments, state=JobState.RUNNING, by=signal.SIGKILL)
    digitmill("report", job, "--out", "out")
    assert predicted(digitmill.folder / "out") == undisturbed[:14]


def test_a_job_whose_client_is_running_is_not_resumed(workless, scans, eventually):
    """`resume` ends with 2, and the first client keeps running."""
    with workless.start("submit", scans(3)) as client:
        eventually(lambda: last_runs(workless), what="a running job")
        assert "nother process" in workless("resume", "last", code=2).errors
        assert client.poll() is None
        client.kill()


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_client_keeps_its_job_and_says_how_to_go_on(digitmill, mill, scans, undisturbed, eventually, by):
    """Ctrl-C, `kill` and a closed terminal end with 130. `resume` goes on at once, and loses nothing."""
    folder = scans(14, mark=MARK_SLOW)
    job, client = interrupted(digitmill, mill, eventually, folder, "--batch-size", "1", state=JobState.RUNNING, by=by)
    assert client.returncode == 130
    assert f"digitmill resume {job}" in client.errors
    assert f"digitmill cancel {job}" in client.errors
    assert not mill.connection.ledger.job(job).state.ended
    digitmill("resume", job, "--out", "out")
    assert predicted(digitmill.folder / "out") == undisturbed[:14]


def test_a_client_interrupted_while_it_writes_its_report_names_the_job(digitmill, scans, undisturbed, monkeypatch):
    """The job is done by then. `report` writes the report."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("producer.cli.display.job_results.write_job_report", interrupt)
        ended = run_here("submit", scans(), **digitmill.environment)
    assert ended.exit_code == 130
    [job] = re.findall(r"digitmill report (\S+)`", ended.stderr)
    digitmill("report", job, "--out", "out")
    assert predicted(digitmill.folder / "out") == undisturbed[:8]


@pytest.mark.slow
def test_a_job_of_a_killed_client_is_named_and_taken_over_only_with_its_files(
    digitmill, mill, scans, undisturbed, eventually
):
    """`show`, `status` and `wait` name its machine and folder. Elsewhere `resume` is refused without its files."""
    folder = scans(24, mark=MARK_SLOW)
    arguments = (folder, "--batch-size", "1")
    job, _ = interrupted(digitmill, mill, eventually, *arguments, state=JobState.SUBMITTING, by=signal.SIGKILL)
    place = f"{socket.gethostname()} with the folder {digitmill.folder / 'data' / 'jobs'}"
    waited = digitmill("wait", job, "--timeout", "7", code=5).errors
    assert f"its client has ended, on {place}" in waited
    assert f"its client has ended on {place}; `digitmill resume {job}`" in digitmill("show", job).output
    assert job in digitmill("status").output
    shown = digitmill("show", job, "--json").json
    assert (shown["owner_host"], shown["lost"]) == (socket.gethostname(), None)

    other = digitmill.folder / "other"
    elsewhere = {"DIGITMILL_DATA": str(other)}
    assert f"submitted on {place}" in digitmill("resume", job, code=2, **elsewhere).errors
    shutil.copytree(digitmill.folder / "data" / "jobs", other / "jobs")
    assert "--take-over" in digitmill("resume", job, code=2, **elsewhere).errors
    digitmill("resume", job, "--take-over", "--out", "out", **elsewhere)
    assert predicted(digitmill.folder / "out") == undisturbed[:24]
    assert mill.connection.ledger.job(job).state is JobState.DONE


@pytest.mark.slow
def test_lost_images_of_a_detached_job_are_named_and_sent_again(workless, scans):
    """`show` names them where they were sent, and counts them elsewhere. `wait` ends, and `resume` sends them again."""
    job = workless("submit", scans(6), "--detach", "--batch-size", "2", "--json").json["job"]
    client = connect(workless.environment["DIGITMILL_REDIS_URL"])
    client.delete(Part(job, 1, 0, 2).key)
    assert "2 images in 1 batch (002.png, 003.png)" in workless("show", job).output
    elsewhere = {"DIGITMILL_DATA": str(workless.folder / "elsewhere")}
    lost = workless("show", job, "--json", **elsewhere).json["lost"]
    assert (lost["batches"], lost["images"]) == (1, 2)
    assert "Redis has lost 2 images" in workless("wait", job, "--timeout", "1", code=5).errors
    workless("resume", job)
    assert client.exists(Part(job, 1, 0, 2).key)
    assert workless("show", job, "--json").json["lost"] is None


def test_a_second_ctrl_c_ends_a_command_at_once(workless, scans, eventually):
    """The command waits for a server that is frozen, and so does its way out."""
    with workless.start("submit", scans(3)) as client:
        job = eventually(lambda: last_runs(workless), what="a running job")
        server = workless.stack.supervisor.processes()["server"]
        os.kill(server, signal.SIGSTOP)
        try:
            client.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                client.wait(0.5)
            client.send_signal(signal.SIGINT)
            assert client.wait(4) == 130
        finally:
            os.kill(server, signal.SIGCONT)
    assert job


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_a_job_of_a_mill_that_was_started_for_it_is_resumed_by_another_such_mill(alone, scans, undisturbed, eventually):
    """Ctrl-C stops the mill with the command. `resume` starts a mill in the same folder, which has the job."""
    folder = scans(24, mark=MARK_SLOW)
    alone.environment["PYTHONPATH"] = os.pathsep.join([str(INJECTED), alone.environment.get("PYTHONPATH", "")])
    with alone.start("submit", folder, "--batch-size", "1") as client:
        journals = alone.folder / "data" / "jobs"
        eventually(
            lambda: any(path.stat().st_size for path in journals.glob("*.journal")), what="an answer", seconds=60
        )
        client.send_signal(signal.SIGINT)
        _, errors = client.communicate(timeout=SECONDS)
    assert client.returncode == 130
    [journal] = journals.glob("*.journal")
    assert f"digitmill resume {journal.stem}" in errors
    alone("resume", journal.stem, "--out", "out")
    assert predicted(alone.folder / "out") == undisturbed[:24]


def test_one_image_loads_only_what_it_needs(digitmill, scans):
    """`classify` starts fast, because it loads nothing that only jobs, archives, arrays and label files need."""
    words = ("classify", scans(1) / "000.png", "--json")  # without JSON, a slow machine would show progress
    with digitmill.start(*words, installed=True, PYTHONPROFILEIMPORTTIME="1") as client:
        _, errors = client.communicate(timeout=SECONDS)
    loaded = {line.rpartition("|")[2].strip() for line in errors.splitlines()}
    assert {"redis", "producer.calls.client"} <= loaded
    slow = {"celery", "zipfile", "tarfile", "csv", "producer.sources.arrays.opening", "producer.sources.zips"}
    assert not slow & loaded


def test_an_interrupted_classify_leaves_no_job(digitmill, mill, scans, eventually):
    """Its images were given one by one, so nobody could resume it."""
    files = sorted(scans(FEW_IMAGES + 1, mark=MARK_SLOW).iterdir())
    known = {status.identifier for status in mill.connection.ledger.jobs()}

    def begun():
        return [status.identifier for status in mill.connection.ledger.jobs(latest=1) if status.identifier not in known]

    with digitmill.start("classify", *files) as client:
        [job] = eventually(begun, what="a job")
        eventually(lambda: mill.connection.ledger.job(job).open, what="a batch of the job")
        with frozen(*(psutil.Process(worker.process) for worker in mill.connection.ledger.workers())):
            client.send_signal(signal.SIGINT)
            _, errors = client.communicate(timeout=SECONDS)
    assert client.returncode == 130
    assert f"job {job} is cancelled" in errors
    assert mill.connection.ledger.job(job).state is JobState.CANCELLED


def test_a_few_images_go_past_the_jobs(digitmill, mill, scans, eventually):
    """There is no job, also if the command is interrupted. More images are a job, and the answers are the same."""
    known = len(mill.connection.ledger.jobs())
    folder = scans(FEW_IMAGES + 1)
    few = digitmill("classify", *sorted(folder.iterdir())[:FEW_IMAGES], "--json").json["predictions"]
    assert len(mill.connection.ledger.jobs()) == known
    [*many, _] = digitmill("classify", *sorted(folder.iterdir()), "--json").json["predictions"]
    assert len(mill.connection.ledger.jobs()) == known + 1
    for alone, in_job in zip(few, many, strict=True):
        assert alone.pop("probabilities") == pytest.approx(in_job.pop("probabilities"), abs=1e-6)
        assert alone == in_job
    slow = [digitmill.folder / f"{number}.png" for number in range(6)]
    for path in slow:
        path.write_bytes((folder / "000.png").read_bytes() + MARK_SLOW)
    sent = mill.connection.client.hget(SENT, CallKind.FILES)
    with digitmill.start("classify", *slow) as client:
        eventually(lambda: mill.connection.client.hget(SENT, CallKind.FILES) != sent, what="a call")
        client.send_signal(signal.SIGINT)
        output, errors = client.communicate(timeout=SECONDS)
    assert (client.returncode, output, errors) == (130, "", "digitmill: interrupted\n")
    assert len(mill.connection.ledger.jobs()) == known + 1


def test_a_mill_that_answers_no_single_images_gets_a_job(digitmill, start_mill, scans, undisturbed):
    """Workers of an older version report no lane."""
    with start_mill(1, WITHOUT_LANE="1") as mill:
        printed = CommandLine(digitmill.folder, mill.stack.url)("classify", scans(1) / "000.png")
        assert printed.output.split()[1] == str(undisturbed[0])
        assert len(mill.connection.ledger.jobs()) == 1


def test_classify_prints_a_digit_for_each_file_and_a_row_for_one_that_is_missing(digitmill, scans, undisturbed):
    """The lines are in the order of the arguments, and the missing file has a dash in place of a digit."""
    folder = scans(3)
    printed = digitmill("classify", folder / "002.png", folder / "absent.png", folder / "000.png", code=1)
    lines = [line.split() for line in printed.output.splitlines()]
    assert [Path(line[0]).name for line in lines] == ["002.png", "absent.png", "000.png"]
    assert [line[1] for line in lines] == [str(undisturbed[2]), "-", str(undisturbed[0])]


@pytest.mark.parametrize(("options", "end"), [((), b"\n"), ((), b"\r\n"), (("-0",), b"\0")])
def test_classify_reads_paths_from_standard_input(digitmill, scans, undisturbed, options, end):
    """Each path has a line, in the order of the input. A path that is there twice counts once."""
    scans(3)
    paths = ("scans/002.png", "scans/absent.png", "scans/000.png", "scans/002.png")
    printed = digitmill("classify", "-", *options, code=1, given=end.join(map(str.encode, paths)) + end)
    lines = [line.split()[:2] for line in printed.output.splitlines()]
    assert lines == [[paths[0], str(undisturbed[2])], [paths[1], "-"], [paths[2], str(undisturbed[0])]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("-", "a.png"), "without other files"), (("-0", "a.png"), "leave out -0"), (("-",), "is empty")],
)
def test_classify_refuses_words_that_do_not_go_together(alone, arguments, words):
    """The message says what standard input is for."""
    assert words in alone("classify", *arguments, code=2, given=b"").errors


def test_inspect_draws_the_stages_to_the_input_of_the_network(digitmill, scans, undisturbed, tmp_path):
    """It draws them as text, as a PNG file and as JSON. An image that cannot be read has its reason instead."""
    folder = scans(1)
    (tmp_path / "torn.png").write_bytes((folder / "000.png").read_bytes()[:60])
    paper = Image.new("L", (120, 140), 235)
    paper.paste(Image.open(folder / "000.png").resize((84, 84)).point(lambda ink: 235 - 180 * ink // 255), (18, 28))
    paper.save(tmp_path / "paper.png")

    printed = digitmill("inspect", "paper.png", "torn.png", "--out", "stages.png", code=1)
    captions = " ".join(printed.output.split())
    for caption in ("paper.png", "the image", "its ink", "the digit", "normal strokes", "network input", "torn.png"):
        assert caption in captions
    assert "@" in printed.output  # ink, where there are no colours
    assert "broken" in printed.output
    assert "stages.png" in printed.errors
    with Image.open(tmp_path / "stages.png") as sheet:
        assert sheet.width > 5 * 168
        assert len(sheet.getcolors(256) or []) > 20

    told = digitmill("inspect", "paper.png", "torn.png", "--json", code=1).json["predictions"]
    assert told[0]["digit"] == undisturbed[0]
    assert list(told[0]["stages"]) == ["image", "ink", "digit", "strokes", "shown"]
    assert np.array(told[0]["network_input"]).shape == (28, 28)
    assert len(told[0]["probabilities"]) == 10
    assert told[1]["error"]["code"] == "broken"
    assert told[1]["stages"] == {}


def test_classify_says_which_image_may_not_be_a_digit(digitmill, scans):
    """Text marks these images with words, and JSON with `review`. With `--min-confidence 0` none is marked."""
    folder = scans(8)
    files = [folder / f"{index:03}.png" for index in range(8)]
    sure = digitmill("classify", *files, "--min-confidence", "0", "--json").json["predictions"]
    assert not any(row["review"] for row in sure)
    threshold = str(sum(row["confidence"] for row in sure) / 8)
    doubted = [row["confidence"] < float(threshold) for row in sure]
    assert 0 < sum(doubted) < 8
    assert [
        row["review"]
        for row in digitmill("classify", *files, "--min-confidence", threshold, "--json").json["predictions"]
    ] == doubted
    lines = digitmill("classify", *files, "--min-confidence", threshold).output.splitlines()
    assert ["unsure, may not be a digit: review" in line for line in lines] == doubted


def test_a_letter_is_listed_for_review_by_default(digitmill):
    """The confidence of a picture of a letter is below the default. `report` accepts another threshold later."""
    page = np.full((60, 60), 255, np.uint8)
    cv2.putText(page, "M", (12, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 0, 3)
    cv2.imwrite(str(digitmill.folder / "letter.png"), page)
    said = digitmill("submit", "letter.png", "--out", "report").output
    assert f"review    1  (confidence below {REVIEW_BELOW}); review.csv lists them" in said
    assert "letter.png" in (digitmill.folder / "report" / "review.csv").read_text()
    figures = digitmill("report", "last", "--json").json
    assert (figures["min_confidence"], figures["review"]) == (REVIEW_BELOW, 1)
    assert digitmill("report", "last", "--min-confidence", "0", "--json").json["review"] is None
    assert digitmill("report", "last", "--min-confidence", "0.001", "--json").json["review"] == 0


def test_a_closed_output_is_not_an_error(digitmill, digits):
    """`digitmill classify … | head -1` prints one line, nothing on standard error, and ends with 0."""
    np.save(digitmill.folder / "images.npy", np.tile(digits.images[:1], (5000, 1, 1)))
    pipe = f"{DIGITMILL} classify images.npy | head -1; echo ${{PIPESTATUS[0]}}"
    printed = subprocess.run(
        ["bash", "-c", pipe],
        cwd=digitmill.folder,
        env=digitmill.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert printed.stderr == ""
    line, code = printed.stdout.splitlines()
    assert line.startswith("images.npy/00000 ")
    assert code == "0"


@pytest.fixture
def demo(alone, tmp_path_factory):
    """The command line of a demo. Its processes are known by their folder for temporary files."""
    temporary = tmp_path_factory.mktemp("t")  # short: a socket's path is
    alone.environment |= {"TMPDIR": str(temporary)}
    if "DIGITMILL_MNIST" in os.environ:
        alone.environment["DIGITMILL_MNIST"] = os.environ["DIGITMILL_MNIST"]
    yield alone
    assert list(temporary.iterdir()) == []
    assert [process.cmdline() for process in started_under(temporary)] == []


def started_under(temporary):
    """Return all processes that have this folder as TMPDIR."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary):
                found.append(process)
        except psutil.Error:  # the process is gone, or belongs to another user
            continue
    return found


@pytest.mark.slow
def test_the_demo_leaves_its_report_and_nothing_else(demo):
    """It leaves the page, the figures and the images for review, and it does not use the user's data folder."""
    demo.run("demo", "--workers", "1", "--out", "out", seconds=120, installed=True)
    report = json.loads((demo.folder / "out" / "report.json").read_text())
    assert (demo.folder / "out" / "review.csv").exists()
    page = (demo.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert '"probabilities":[[' in page, "which the workers of the demo say"
    assert report["accuracy"] >= 0.9
    assert report["images"] > 1000
    assert not (demo.folder / "data").exists()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["starting", "running"])
def test_an_interrupted_demo_leaves_nothing(demo, eventually, moment):
    """Ctrl-C ends it with 130 and leaves no process and no temporary file, at the start and later."""
    with demo.start("demo", "--workers", "1", "--out", "out", installed=True) as client:
        if moment == "running":
            assert any("images go in" in line for line in client.stderr)
        else:
            temporary = demo.environment["TMPDIR"]
            eventually(lambda: len(started_under(temporary)) > 1, what="a process of the demo")
        client.send_signal(signal.SIGINT)
        output, errors = client.communicate(timeout=SECONDS)
    assert client.returncode == 130
    assert "Traceback" not in output + errors
