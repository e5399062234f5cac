"""`digitmill teach` as users see it, beside a real server, and with real trainers where a test starts them."""

import csv
import json
import os
import re
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from model.data.taught import TaughtFolder
from producer.report.rendering import data_uri
from tests.support.command import SECONDS, run_here
from tests.support.mill import start_role
from worker.contract.connection import connect
from worker.contract.gate import GateState, QueueGate
from worker.contract.ledger import Ledger
from worker.contract.teaching import MAX_WAITING, LabelChange, Teaching, keys
from worker.roles import Role
from worker.trainer.taught_keeper import TaughtKeeper


@pytest.fixture
def teaching(server):
    """The teaching records of a server where nothing was taught."""
    client = connect(server.url)
    client.flushall()
    return Teaching(client)


@pytest.fixture
def environment(server, tmp_path):
    """The environment of the test's commands and trainers."""
    return {**os.environ, "DIGITMILL_REDIS_URL": server.url, "DIGITMILL_DATA": str(tmp_path / "data")}


@pytest.fixture
def digitmill(environment, tmp_path, monkeypatch):
    """Run `digitmill …` to its end. Return its exit code, its output and its errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        ended = run_here(*arguments, **environment)
        assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
        return ended.exit_code, ended.stdout, ended.stderr

    return run


@pytest.fixture
def teach(digitmill):
    """Run `digitmill teach …` to its end. Return the same."""
    return partial(digitmill, "teach")


@pytest.fixture
def start_trainer(environment, tmp_path):
    """Start a trainer. It is killed at the end of the test."""
    started = []

    def start():
        process = start_role(Role.TRAINER, environment, tmp_path / "trainer.log")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path):
    """The folder of taught images of the test's trainers."""
    return TaughtFolder(tmp_path / "data" / "taught")


@pytest.fixture
def corrections(tmp_path, digits, png):
    """Write digits as `<folder>/<label>/<index>.png`, or without labels as `<folder>/<index>.png`."""

    def write(indices, name="corrections", *, labelled=True):
        for index in indices:
            place = tmp_path / name / (str(digits.labels[index]) if labelled else "")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{index}.png").write_bytes(png(digits.images[index]))
        return tmp_path / name

    return write


def test_what_is_taught_waits_until_a_trainer_runs_and_the_user_is_told(digitmill, teaching, corrections, digits):
    """Each image waits once, an image that is taught again counts as known, and a notice says that no trainer runs."""
    corrections(range(5))
    code, out, err = digitmill("teach", "corrections")
    assert (code, "5 new, 0 known" in out, "5 changes" in out) == (0, True, True)
    assert "no trainer is running" in err
    changes = teaching.label_changes()[1]
    assert {change.name for change in changes} == {f"{digits.labels[index]}/{index}.png" for index in range(5)}
    assert all(any(np.array_equal(change.image, digits.images[index]) for index in range(5)) for change in changes)

    corrections(range(7))
    told = json.loads(digitmill("teach", "corrections", "--json")[1])
    assert (told["new"], told["known"], told["waiting"], told["failed_images"]) == (2, 5, 7, [])
    listed = json.loads(digitmill("teach", "--list", "--json")[1])
    assert (listed["images"], listed["waiting"], listed["new"]) == (0, 7, 7)
    assert {row["sha256"] for row in listed["taught"]} == {change.sha256 for change in teaching.label_changes()[1]}
    assert sum(listed["digits"]) == 7
    assert "7 changes waiting for the trainer" in digitmill("status")[1]


def test_bad_images_have_a_line_each_and_harm_no_neighbour(teach, teaching, corrections, png, digits):
    """Four bad images have a line with their code, the others are taught, and the exit code is 1."""
    folder = corrections(range(4))
    wrong = folder / str((digits.labels[0] + 1) % 10)
    wrong.mkdir(exist_ok=True)
    (wrong / "z-copy.png").write_bytes(png(digits.images[0]))
    (wrong / "torn.png").write_bytes(png(digits.images[5])[:80])
    (wrong / "blank.png").write_bytes(png(np.full((40, 40), 255, np.uint8)))
    (wrong / "text.png").write_text("no image")
    code, out, err = teach("corrections")
    assert code == 1
    for words in ("torn.png: broken: ", "blank.png: blank: ", "text.png: not_an_image: ", ": contradictory: "):
        assert len([line for line in err.splitlines() if words in line]) == 1
    assert "failed    4 images" in out
    assert teaching.waiting() == 4


def test_a_dry_run_needs_no_redis_and_teaches_nothing(teach, teaching, corrections, environment):
    """It counts the images by digit and reports those that it cannot use. Nothing waits in the inbox."""
    folder = corrections(range(6))
    (folder / "5" / "torn.png").parent.mkdir(exist_ok=True)
    (folder / "5" / "torn.png").write_bytes(b"")
    environment["DIGITMILL_REDIS_URL"] = "redis://localhost:1/0"
    code, out, _ = teach("corrections", "--dry-run")
    assert code == 1
    assert "6 images taught" in out
    assert json.loads(teach("corrections", "--dry-run", "--json")[1])["digits"] != [0] * 10
    assert teaching.waiting() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one of PATH"),
        (("images", "--list"), "one of PATH"),
        (("images",), "has no label"),
        (("images", "--labels", "folder"), "does not lie in a folder named 0 to 9"),
        (("images", "--label", "10"), "10"),
        (("images", "--label", "3", "--labels", "folder"), "either --label or --labels"),
        (("absent",), "absent"),
        (("--csv", "absent.csv"), "absent.csv"),
        (("--csv", "wrong.csv"), "line 2: the label '12'"),
        (("--csv", "empty.csv"), "has a label"),
        (("--csv", "wrong.csv", "--label", "3"), "Leave out --label"),
        (("--remove", "xyz"), "neither a path nor the beginning"),
        (("--remove", "aaaa", "--dry-run"), "Leave it out"),
        (("--confirm", "xyz"), "neither a path nor the beginning"),
        (("--confirm", "aaaa", "--list"), "one of PATH"),
    ],
)
def test_contradictory_arguments_are_refused(teach, teaching, corrections, tmp_path, arguments, words):
    """The message names the argument or the remedy, and nothing is taught."""
    corrections(range(2), "images", labelled=False)
    (tmp_path / "wrong.csv").write_text("name,label\nimages/0.png,12\n")
    (tmp_path / "empty.csv").write_text("name,label\nimages/0.png,\n")
    code, _, err = teach(*arguments)
    assert code == 2
    assert words in err
    assert teaching.waiting() == 0


def test_labels_come_from_a_file_or_one_for_all(teach, teaching, corrections, tmp_path, digits):
    """`--labels` skips images that its file gives no label. `--label` labels all images."""
    corrections(range(4), "images", labelled=False)
    (tmp_path / "truth.csv").write_text("name,label\n0.png,3\n1.png,\n9.png,4\n")
    code, out, err = teach("images", "--labels", "truth.csv")
    assert code == 1
    assert "9.png: missing" in err
    assert "skipped   3 images without a label" in out
    assert [change.label for change in teaching.label_changes()[1]] == [3]
    assert json.loads(teach("images", "--label", "8", "--json")[1])["corrected"] == 1
    assert [change.label for change in teaching.label_changes()[1]] == [8] * 4
    np.savez(tmp_path / "more.npz", images=digits.images[4:6], labels=digits.labels[4:6])
    assert json.loads(teach("more.npz", "--json")[1])["new"] == 2


def fill_in(review, labels):
    """Write these labels into a report's review.csv, by name, as a spreadsheet does."""
    with review.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = labels.get(row["name"], row["label"])
    with review.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_a_filled_in_review_sheet_teaches_its_images(mill, digits, png, tmp_path, environment, digitmill, form):
    """A filled-in review.csv in another folder teaches its images, whether they lie in a folder or in an archive."""
    environment["DIGITMILL_REDIS_URL"] = mill.stack.url
    teaching = Teaching(mill.connection.client)
    mill.connection.client.delete(keys.INBOX, keys.TAUGHT)
    scans = tmp_path / "scans"
    scans.mkdir()
    for index in range(6):
        (scans / f"{index}.png").write_bytes(png(digits.images[index]))
    if form == "archive":
        subprocess.run(["tar", "-czf", "scans.tar.gz", "-C", scans, "."], cwd=tmp_path, check=True)
    path = "scans" if form == "folder" else "scans.tar.gz"
    assert digitmill("submit", path, "--out", "report", "--min-confidence", "1")[0] == 0
    (tmp_path / "elsewhere").mkdir()
    review = (tmp_path / "report" / "review.csv").rename(tmp_path / "elsewhere" / "corrections.csv")
    code, _, err = digitmill("teach", "--csv", review)
    assert (code, "No row of" in err) == (2, True)

    fill_in(review, {"1.png": "4", "3.png": "0", "5.png": "9"})
    assert "digitmill teach --csv" in (tmp_path / "report" / "report.html").read_text()
    code, out, err = digitmill("teach", "--csv", review)
    assert (code, "3 new" in out) == (0, True), err
    assert "Rows without a label are skipped" in err
    changes = {Path(change.name).name: change for change in teaching.label_changes()[1]}
    assert {name: change.label for name, change in changes.items()} == {"1.png": 4, "3.png": 0, "5.png": 9}
    image = changes["5.png"].image
    assert image is not None
    assert np.array_equal(image, digits.images[5])
    mill.connection.client.delete(keys.INBOX)


def test_suspicious_labels_are_held_back_until_they_are_confirmed(mill, digits, tmp_path, environment, digitmill):
    """Ones are taught as sevens. Every command shows it, with pictures, and a training learns only from the others."""
    environment["DIGITMILL_REDIS_URL"] = mill.stack.url
    client = mill.connection.client
    teaching, keeper = Teaching(client), TaughtKeeper(Teaching(client), tmp_path / "trainer")
    ones = digits.images[digits.labels == 1][:30]
    np.savez(tmp_path / "ones.npz", images=ones)
    others = np.flatnonzero(digits.labels != 1)[:9]
    np.savez(tmp_path / "others.npz", images=digits.images[others], labels=digits.labels[others])
    code, out, err = digitmill("teach", "ones.npz", "--label", "7", "--as-is")
    assert (code, "held back" in out, "--confirm" in out) == (0, True, True), err
    assert re.search(r"7 +1 +2\d|7 +1 +30", out), out
    assert "@" in out, "a picture"
    told = json.loads(digitmill("teach", "others.npz", "--as-is", "--json")[1])
    assert (told["new"], told["held_back_images"], told["unchecked"]) == (9, [], 0)
    while keeper.keep():
        pass
    held = teaching.summary().held
    assert held > 20
    again = json.loads(digitmill("teach", "ones.npz", "--label", "7", "--as-is", "--json")[1])
    assert len(again["held_back_images"]) == held, "they are not said to be known, as those that trainings use are"
    while keeper.keep():
        pass
    assert teaching.summary().held == held
    code, out, _ = digitmill("teach", "--list")
    assert (f"{held} held back" in out, "LOOKS LIKE" in out, "@" in out) == (True, True, True)
    assert f"{held} held back" in digitmill("status")[1]
    listed = json.loads(digitmill("teach", "--list", "--json")[1])
    assert (listed["held_back"], sum(listed["digits"])) == (held, 9 + len(ones) - held)
    assert sum(row["digit"] == 1 for row in listed["taught"]) == held

    before = teaching.changes()
    assert json.loads(digitmill("teach", "--confirm", "ones.npz", "--as-is", "--json")[1])["confirmed"] == held
    while keeper.keep():
        pass
    assert (teaching.summary().held, teaching.changes()) == (0, before + held)
    code, _, err = digitmill("teach", "--confirm", "ones.npz", "--as-is")
    assert (code, "does not hold it back" in err) == (1, True)
    keeper.release()
    client.delete(keys.TAUGHT, keys.CHANGES)


def test_without_a_worker_labels_are_unchecked(teach, teaching, corrections):
    """The command says that the trainer checks them."""
    corrections(range(6))
    assert "unchecked" in teach("corrections")[1]
    assert json.loads(teach("corrections", "--json")[1])["unchecked"] == teaching.waiting() == 6


@pytest.mark.timeout(60)
@pytest.mark.parametrize("state", [GateState.PAUSED, GateState.DRAINED])
def test_a_queue_that_is_not_open_hinders_nobody_who_teaches(server, teach, teaching, corrections, state):
    """A paused queue would let the check of the labels wait until somebody opens it, and a drained one refuses it."""
    client = connect(server.url)
    Ledger(client).announce("host-1", {"ready": 1}, ttl_seconds=600)
    QueueGate(client).turn(state, who="me", reason="test")
    corrections(range(6))
    assert json.loads(teach("corrections", "--json")[1])["unchecked"] == teaching.waiting() == 6


def test_rows_whose_image_has_gone_have_a_line_each(teach, teaching, corrections, tmp_path):
    """The other images are taught, and a notice says how to find images that have moved."""
    images = corrections(range(3), "images", labelled=False)
    (tmp_path / "mine.csv").write_text(
        f"name;label\nimages/0.png;1\n{images}/1.png;2\nimages/7.png;3\n/nowhere/2.png;4\n"
    )
    code, out, err = teach("--csv", "mine.csv")
    assert code == 1
    assert "2 new" in out
    assert "images/7.png: missing" in err
    assert "/nowhere/2.png: missing" in err
    assert "digitmill teach FOLDER --labels mine.csv" in err
    assert {change.label for change in teaching.label_changes()[1]} == {1, 2}


def test_what_was_taught_is_removed_by_its_sha256_or_its_image(teach, teaching, corrections):
    """A folder removes all its images. An image that is not among the taught ones fails as `missing`."""
    folder = corrections(range(5))
    teach("corrections")
    one, *others = sorted(change.sha256 for change in teaching.label_changes()[1])
    assert "removed   1 image" in teach("--remove", one[:12])[1]
    code, _, err = teach("--remove", one[:12])
    assert (code, "not among the taught images" in err) == (1, True)
    told = json.loads(teach("--remove", folder, "--json")[1])
    assert (told["removed"], [each["error"]["code"] for each in told["failed_images"]]) == (4, ["missing"])
    assert [change.label for change in teaching.label_changes()[1]] == [None] * 5
    assert len(others) == 4


def test_an_ambiguous_beginning_is_refused(teach, teaching):
    """Two SHA-256 begin with the same digits, and the command ends with 2."""
    teaching.send([LabelChange(f"abcd{number:060d}", 3, "a", 1.0) for number in range(2)])
    code, _, err = teach("--remove", "abcd")
    assert (code, "2 taught images begin with abcd" in err) == (2, True)


def test_a_full_inbox_without_a_trainer_is_reported(teach, teaching, corrections):
    """The message has the limit of the inbox and the command that starts a trainer. The exit code is 4."""
    for start in range(0, MAX_WAITING, 1000):
        teaching.send([LabelChange(f"{number:064x}", 3, "a", 1.0) for number in range(start, start + 1000)])
    corrections(range(1))
    code, _, err = teach("corrections")
    assert (code, "10,000" in err, "python -m worker.trainer" in err) == (4, True, True)


@pytest.mark.slow
def test_a_trainer_keeps_taught_images_and_deletes_removed_ones(
    digitmill, teaching, corrections, start_trainer, folder, eventually, digits
):
    """The trainer keeps images that waited, deletes those that a command removes, and counts files deleted by hand."""
    corrections(range(6))
    digitmill("teach", "corrections")
    start_trainer()
    eventually(lambda: len(folder.list()) == 6, seconds=SECONDS, what="six taught images")
    assert {taught.label for taught in folder.list()} == {int(label) for label in digits.labels[:6]}
    code, out, err = digitmill("teach", "corrections")
    assert (code, "0 new, 6 known" in out, "waiting" in out, err) == (0, True, False, "")
    out = digitmill("teach", "--list")[1]
    assert "6 images, 6 changes since the last training" in out
    assert folder.list()[0].sha256[:12] in out
    assert "taught    6 images" in digitmill("status")[1]

    digitmill("teach", "--remove", folder.list()[0].path)
    eventually(lambda: len(folder.list()) == 5, seconds=SECONDS)
    folder.list()[0].path.unlink()
    eventually(lambda: teaching.summary().images == 4, seconds=SECONDS, what="the account of what was removed by hand")
    assert teaching.new_since_last_training() == 8


@pytest.mark.slow
def test_trainers_that_are_killed_lose_and_double_nothing(teaching, start_trainer, folder, eventually, digits):
    """Three trainers are killed, each as soon as it has kept an image. Each image is then kept and counted once."""
    changes = [
        LabelChange.of(image, int(label), "", 1.0)
        for image, label in zip(digits.images[:450], digits.labels, strict=False)
    ]
    killed_at_work = 0
    for start in range(0, 450, 150):
        before = len(folder.list())
        teaching.send(changes[start : start + 150])
        trainer = start_trainer()
        eventually(lambda: len(folder.list()) > before, seconds=SECONDS, what="a new image")  # noqa: B023  called now
        trainer.kill()
        trainer.wait()
        killed_at_work += bool(teaching.waiting())
    assert killed_at_work
    start_trainer()
    eventually(lambda: not teaching.waiting(), seconds=SECONDS, what="an empty inbox")
    expected = {change.sha256: change.label for change in changes}
    eventually(lambda: teaching.labels() == expected, seconds=SECONDS, what="the whole account")
    assert {taught.sha256: taught.label for taught in folder.list()} == expected
    assert len(folder.list()) == teaching.changes() == len(expected)
    assert not list(folder.folder.glob("*/*.part"))


@pytest.mark.usefixtures("teaching")
def test_of_many_bad_images_ten_lines_of_each_kind_are_printed(teach, corrections):
    """One more line says how many others there are, and JSON names all."""
    folder = corrections([0])
    for index in range(25):
        (folder / "3").mkdir(exist_ok=True)
        (folder / "3" / f"{index}-text.png").write_text("no image")
    _, _, err = teach("corrections")
    assert err.count("-text.png: not_an_image") == 10
    assert "not_an_image: 15 more" in err
    assert len(json.loads(teach("corrections", "--json")[1])["failed_images"]) == 25


def test_several_tables_of_corrections_are_taught_at_once(teach, teaching, tmp_path, digits):
    """Each has its pictures, so nothing else is needed. Images that are not digits are left out, and a note says so."""
    for number, index in enumerate((3, 4)):
        (tmp_path / f"{number}.csv").write_text(
            '"name","label","digit","verdict","path","picture"\n'
            f'"a",{digits.labels[index]},1,"corrected","job 1/{index}","{data_uri(digits.images[index])}"\n'
            f'"b",,1,"not a digit","job 1/b{index}",""\n'
        )
    code, out, err = teach("--csv", "0.csv", "--csv", "1.csv")
    assert (code, "2 new, 0 known" in out) == (0, True)
    assert "2 of them are not digits" in err
    taught = {change.name: change for change in teaching.label_changes()[1]}
    for index in (3, 4):
        np.testing.assert_array_equal(taught[f"job 1/{index}"].image, digits.images[index])
