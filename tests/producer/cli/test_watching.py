"""`digitmill watch` with a real mill, real files and real kills: no file is missed, and none gets two rows."""

import csv
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter

import numpy as np
import psutil
import pytest
from PIL import Image

from model.cards.card import BASELINE, Card
from producer.calls.client import Client
from producer.watching import output
from producer.watching.moving import Mover
from producer.watching.output import Output
from producer.watching.record import Record
from tests.support.command import DIGITMILL, CommandLine
from tests.support.images import number_picture
from tests.support.processes import children, frozen
from tests.support.signals import interrupts_heard
from tests.support.watching import watching
from worker.contract.connection import connect
from worker.contract.lane import CallKind
from worker.contract.lane.keys import CALLS

VERSION = Card.read(BASELINE).version


@pytest.fixture
def inbox(tmp_path):
    """A folder that is watched."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def watch(mill, inbox, tmp_path):
    """Start `digitmill watch` beside the tests' mill."""

    def start(*arguments, url=mill.stack.url, **options):
        return watching(url, inbox, *arguments, said=tmp_path / "said", **options)

    return start


@pytest.fixture
def drop(inbox, digits, png):
    """Write digits into the folder."""
    pictures = [png(image) for image in digits.images[:50]]

    def write(*names, digit=0):
        for name in names:
            (inbox / name).write_bytes(pictures[digit])

    return write


def rows(path):
    """Return the whole rows of an output."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return list(csv.DictReader(lines)) if path.suffix == ".csv" else [json.loads(line) for line in lines]


@pytest.fixture
def out(tmp_path):
    """An output."""
    return tmp_path / "results.jsonl"


def test_each_file_gets_a_row_as_soon_as_it_arrives(watch, inbox, drop, out, digits, eventually, tmp_path):
    """Files that are there, that come, that are renamed in, in new folders, and that cannot be read."""
    drop("there.png")
    with watch("--out", out) as running:
        eventually(lambda: len(rows(out)) == 1, what="the row of the file that was there")
        drop("comes.png", digit=1)
        (inbox / "3").mkdir()
        drop("3/new folder.png", digit=2)
        (tmp_path / "moved").write_bytes(b"not an image")
        (tmp_path / "moved").rename(inbox / "broken.png")
        (inbox / "notes.txt").write_text("a text")
        (inbox / "unfinished.png.part").write_bytes(b"half")
        two = number_picture(digits, "42")
        Image.fromarray(two).save(inbox / "two.png")
        eventually(lambda: len(rows(out)) == 5, what="the rows of the others")
        assert running.stop() == 0
    found = {row["name"]: row for row in rows(out)}
    assert [found[name].get("digit") for name in ("there.png", "comes.png", "3/new folder.png")] == [7, 2, 1]
    assert found["there.png"]["model"] == VERSION
    assert (found["broken.png"]["error"]["code"], found["broken.png"]["review"]) == ("not_an_image", False)
    assert (found["two.png"]["error"]["code"], found["two.png"]["review"]) == ("several_digits", True)
    assert "5 images done, 1 for review, 2 failed" in running.said.read_text()


def test_a_file_that_is_written_again_gets_another_row(watch, drop, out, eventually):
    """Also if its content is the same, because somebody has written it."""
    with watch("--out", out) as running:
        for number, digit in enumerate((0, 1, 2, 2)):
            drop("a.png", digit=digit)
            eventually(lambda number=number: len(rows(out)) == number + 1, what="another row")
        assert running.stop() == 0
    assert [(row["name"], row["digit"]) for row in rows(out)] == [("a.png", digit) for digit in (7, 2, 1, 1)]


def test_a_file_whose_time_is_set_back_gets_no_second_row(watch, inbox, drop, out, tmp_path, digits, eventually):
    """Programs that keep the time of what they copy set it in the end: some at once, FTP clients a while later.

    Images, documents and files that cannot be read are the same here, and so are all moves.
    """
    first, *others = (Image.fromarray(np.kron(255 - image, np.ones((4, 4), np.uint8))) for image in digits.images[:3])
    for name, images in (("one.tif", []), ("three.tif", others)):
        first.save(inbox / name, save_all=True, append_images=images)
    (inbox / "broken.png").write_bytes(b"not an image")
    drop("a.png", "replaced.png")
    with watch("--out", out) as running:
        shutil.copy2(inbox / "a.png", inbox / "copy.png")
        eventually(lambda: len(rows(out)) == 8, what="the rows")
        assert running.stop() == 0
    replaced = inbox / "replaced.png"
    replaced.write_bytes(replaced.read_bytes()[:-1] + b"?")  # other content of the same size
    for path in inbox.iterdir():
        os.utime(path, (0, 0))
    done = tmp_path / "done"
    with watch("--out", out, "--move", done, "--move-failed", tmp_path / "failed") as running:
        eventually(lambda: not list(inbox.iterdir()), what="the moves")
        drop("late.png")
        eventually((done / "late.png").exists, what="the move of another file")
        assert running.stop() == 0
    assert [row["name"] for row in rows(out)[8:]] == ["replaced.png", "late.png"]


def test_a_file_whose_time_is_set_back_before_its_answer_gets_one_row(start_mill, watch, inbox, drop, out, eventually):
    """The workers stand still meanwhile, and looking finds the file twice."""
    with start_mill(1) as mill, watch("--out", out, "--poll", 0.1, url=mill.stack.url) as running:
        drop("first.png")
        eventually(lambda: len(rows(out)) == 1, what="the first row")
        worker = psutil.Process(mill.stack.supervisor.processes()["worker-1"])
        with frozen(worker, *children(worker)):
            drop("a.png")
            time.sleep(0.7)  # within which it is read and sent
            os.utime(inbox / "a.png", (0, 0))
            time.sleep(0.7)
        eventually(lambda: len(rows(out)) >= 2, what="its row")
        drop("last.png")
        eventually(lambda: "last.png" in {row["name"] for row in rows(out)}, what="the last row")
        assert running.stop() == 0
    assert [row["name"] for row in rows(out)] == ["first.png", "a.png", "last.png"]
    assert rows(out)[1]["modified"].startswith("1970-01-01T00:00:00")


def test_each_page_of_a_document_gets_a_row(watch, inbox, out, digits, eventually):
    """They are beside each other, and the document is done when all of them are there."""
    pages = [Image.fromarray(np.kron(255 - image, np.ones((4, 4), np.uint8))) for image in digits.images[:3]]
    pages[0].save(inbox / "scan.tif", save_all=True, append_images=pages[1:])
    with watch("--out", out) as running:
        eventually(lambda: len(rows(out)) == 3, what="the rows of the pages")
        assert running.stop() == 0
    assert [(row["name"], row["digit"], row["pages"]) for row in rows(out)] == [
        ("scan.tif#page=1", 7, 3),
        ("scan.tif#page=2", 2, 3),
        ("scan.tif#page=3", 1, 3),
    ]
    out.write_bytes(out.read_bytes()[:-10])  # torn in the last page
    with watch("--out", out) as running:
        eventually(lambda: len(rows(out)) == 3, what="the rows of the pages again")
        assert running.stop() == 0


def test_a_table_has_numbers_too(watch, inbox, tmp_path, digits, eventually):
    """With all digits of each image, and probabilities where there are some."""
    Image.fromarray(number_picture(digits, "042")).save(inbox / "a.png")
    out = tmp_path / "results.csv"
    with watch("--out", out, "--several", "read") as running:
        eventually(lambda: len(rows(out)) == 1, what="the row")
        assert running.stop() == 0
    (row,) = rows(out)
    assert (row["name"], row["number"], row["digits"], row["digit"], row["error"]) == ("a.png", "042", "0 4 2", "", "")


def test_files_are_moved_after_their_row_is_written(watch, inbox, drop, out, tmp_path, eventually):
    """Into folders of their own if they failed, with a number if the name is taken, also after a kill in between."""
    (inbox / "sub").mkdir()
    drop("sub/a.png", "b.png")
    (inbox / "bad.png").write_bytes(b"not an image")
    with watch("--out", out) as running:
        eventually(lambda: len(rows(out)) == 3, what="the rows")
        running.stop(signal.SIGKILL)  # as if it had been killed before it moved them
    done = inbox / "done"
    with watch("--out", out, "--move", done, "--move-failed", tmp_path / "failed") as running:
        eventually(lambda: not list(inbox.glob("*.png")), what="the moves")
        drop("b.png", digit=1)
        eventually((done / "b-2.png").exists, what="the move of the second file")
        assert running.stop() == 0
    assert sorted(str(path.relative_to(done)) for path in done.rglob("*.png")) == ["b-2.png", "b.png", "sub/a.png"]
    assert [path.name for path in (tmp_path / "failed").iterdir()] == ["bad.png"]
    assert [row["name"] for row in rows(out)[3:]] == ["b.png"]


def test_a_second_ctrl_c_ends_at_once(watch, drop, out, server, eventually):
    """The first one waits for what is under way. The next start sends that again at once, as its record says."""
    connect(server.url).flushall()
    with watch("--out", out, url=server.url) as running:
        drop("a.png")
        eventually(lambda: connect(server.url).llen(CALLS[CallKind.FILES]), what="the call")
        running.send(signal.SIGINT)
        time.sleep(0.2)
        assert running.ended() is None
        assert running.stop(signal.SIGINT) == 130
    with watch("--out", out, "--poll", 600) as running:  # it will not find the file by looking
        eventually(lambda: len(rows(out)) == 1, what="the row")
        assert running.stop() == 0


def test_an_empty_file_is_given_time(watch, inbox, drop, out, eventually):
    """A program may make a file before it writes it. One that stays empty gets its row."""
    with watch("--out", out) as running:
        (inbox / "a.png").touch()
        (inbox / "empty.png").touch()
        drop("a.png")
        eventually(lambda: len(rows(out)) == 2, what="the rows")
        assert running.stop() == 0
    assert {row["name"]: row["error"] and row["error"]["code"] for row in rows(out)} == {
        "a.png": None,
        "empty.png": "empty",
    }


def test_a_terminal_shows_what_happens_and_a_pipe_does_not(mill, inbox, drop, out, tmp_path, eventually):
    """The line has the rate and the counts. A pipe gets the last line alone."""
    drop("a.png")
    ours, theirs = pty.openpty()
    command = [str(DIGITMILL), "watch", str(inbox), "--out", str(out)]
    environment = {**os.environ, "DIGITMILL_REDIS_URL": mill.stack.url, "TERM": "xterm", "COLUMNS": "120"}
    with (
        interrupts_heard(),
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True) as process,
    ):
        os.close(theirs)
        shown = b""

        def shows():
            nonlocal shown
            shown += os.read(ours, 65536)
            return b"0 under way, 1 image done" in shown

        eventually(shows, what="the line")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"/s, " in shown
    assert printed == f"1 image done; {out} has the rows\n"
    digitmill = CommandLine(tmp_path, mill.stack.url)
    with digitmill.start("watch", inbox, "--out", out) as process:
        drop("b.png", digit=1)
        eventually(lambda: len(rows(out)) == 2, what="the row")
        process.terminate()
        assert process.communicate(timeout=60) == (f"1 image done; {out} has the rows\n", "")


def test_a_second_watcher_is_refused(watch, drop, out, eventually, inbox, mill, tmp_path):
    """One sentence names the output, also if it has another name there."""
    (tmp_path / "link.jsonl").symlink_to(out)
    digitmill = CommandLine(tmp_path, mill.stack.url)
    with watch("--out", out) as running:
        drop("a.png")
        eventually(lambda: len(rows(out)) == 1, what="the first watcher")
        for name in (out, tmp_path / "link.jsonl"):
            said = digitmill("watch", inbox, "--out", name, code=2).errors
            assert f"Another `digitmill watch` writes to {out}" in said
        assert running.stop() == 0


def test_what_cannot_be_is_refused_at_once(inbox, mill, tmp_path):
    """Each message says what to do."""
    digitmill = CommandLine(tmp_path, mill.stack.url)
    for arguments, words in (
        ([inbox, "--out", "results.txt"], "ends with .jsonl or .csv"),
        ([tmp_path / "nothing", "--out", "r.csv"], "does not exist"),
        ([inbox, "--out", "r.csv", "--move", inbox], "Name another folder"),
        ([inbox, "--out", "r.csv", "--several", "read", "--probabilities"], "Leave out --probabilities"),
        ([inbox, "--out", "r.csv", "--model", "never-published"], "never-published"),
    ):
        assert words in digitmill("watch", *arguments, code=2).errors
    assert list(inbox.iterdir()) == []


@pytest.mark.slow
def test_without_a_mill_it_waits_and_says_so_once(watch, drop, out, tmp_path, start_mill_in, eventually):
    """It goes on when the mill is there, and Ctrl-C ends it meanwhile."""
    drop("a.png")
    with watch("--out", out, url=f"unix://{tmp_path}/mill/mill/redis.sock") as running:
        eventually(lambda: "Files wait until then" in running.said.read_text(), what="the notice")
        log = out.with_name(f"{out.name}.index-wal")  # of the record, which the watcher has locked
        eventually(lambda: b"a.png" in log.read_bytes(), what="the file in the record")
        assert running.stop(signal.SIGINT) == 0
        assert "under way is classified after the next start" in running.said.read_text()
    with watch("--out", out, url=f"unix://{tmp_path}/mill/mill/redis.sock") as running:
        drop("b.png", digit=1)
        eventually(lambda: running.said.read_text().count("Files wait until then") == 2, what="the notice")
        with start_mill_in(tmp_path / "mill", 1):
            eventually(lambda: len(rows(out)) == 2, what="the rows")
            assert "The mill is there again" in running.said.read_text()
            assert running.stop() == 0
    assert running.said.read_text().count("Files wait until then") == 2


@pytest.mark.slow
def test_a_redis_and_a_worker_that_are_killed_cost_no_file(start_mill, watch, drop, out, eventually):
    """What was on its way is sent again."""
    names = [f"{number}.png" for number in range(60)]
    with start_mill(1) as mill, watch("--out", out, url=mill.stack.url) as running:
        for number, name in enumerate(names):
            drop(name, digit=number % 50)
            if number == 20:
                os.kill(mill.stack.supervisor.processes()["server"], signal.SIGKILL)
            if number == 40:
                os.kill(mill.stack.supervisor.processes()["worker-1"], signal.SIGKILL)
            time.sleep(0.01)
        eventually(lambda: len(rows(out)) >= len(names), what="all rows")
        assert running.stop() == 0
    assert Counter(row["name"] for row in rows(out)) == Counter(names)


def die():
    """End this process as a kill does."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(owner, name, *, after):
    """Let a process die before or after it calls a function."""

    def prepare():
        called = getattr(owner, name)

        def call(*arguments, **options):
            if after:
                called(*arguments, **options)
            die()

        setattr(owner, name, call)

    return prepare


def torn():
    """Let a process die while it writes rows."""

    def write(file, data):
        file.write(data[: len(data) // 2])
        die()

    output._write = write


STEPS = [(Record, "begin"), (Client, "submit"), (Output, "append"), (Record, "finish"), (Mover, "move")]
DEATHS = {
    "in the middle of a row": torn,
    **{
        f"{'after' if after else 'before'} {name}": dying(owner, name, after=after)
        for owner, name in STEPS
        for after in (False, True)
    },
}


@pytest.mark.slow
def test_a_kill_between_any_two_steps_is_mended(watch, inbox, drop, out, tmp_path, eventually):
    """The next start does what is left, and nothing again."""
    options = ["--out", out, "--move", tmp_path / "done"]
    for number, prepare in enumerate(DEATHS.values()):
        with watch(*options, prepare=prepare) as running:
            drop(f"{number}.png", digit=number)
            eventually(lambda running=running: running.ended() is not None, what="the death of the watcher")
            assert running.ended() == -signal.SIGKILL, running.said.read_text()
    with watch(*options) as running:
        eventually(lambda: len(rows(out)) >= len(DEATHS) and not list(inbox.iterdir()), what="all rows and moves")
        assert running.stop() == 0
    names = [f"{number}.png" for number in range(len(DEATHS))]
    assert Counter(row["name"] for row in rows(out)) == Counter(names)
    assert {path.name for path in (tmp_path / "done").iterdir()} == set(names)


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.slow
def test_kills_lose_no_file_and_write_no_row_twice(watch, inbox, drop, out, tmp_path, eventually, moves):
    """Whenever the watcher is killed, while files come in all ways."""
    chance, stop, written = random.Random(7), threading.Event(), []
    done = tmp_path / "done"
    options = ["--out", out, *(["--move", done] if moves else [])]
    (inbox / "0").mkdir()

    def write():
        for number in range(100_000):
            if stop.wait(0.005):
                return
            name = f"{number // 100}/{number}.png"
            (inbox / name).parent.mkdir(exist_ok=True)
            if number % 3:
                drop(name, digit=number % 50)
            else:
                drop(f"{name}.part", digit=number % 50)
                (inbox / f"{name}.part").rename(inbox / name)
            written.append(name)
            if number % 10 == 0 and not moves:  # a file that was moved is another file with the same name
                drop(name, digit=(number + 1) % 50)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(12):
            with watch(*options) as running:
                time.sleep(chance.uniform(0.05, 1.2))
                running.stop(signal.SIGKILL)
    finally:
        stop.set()
        writer.join()
    with watch(*options) as running:
        eventually(lambda: {row["name"] for row in rows(out)} >= set(written), what="all rows")
        if moves:
            eventually(lambda: not list(inbox.rglob("*.png")), what="all moves")
        time.sleep(1.5)  # what was there at the start counts after a second
        assert running.stop() == 0
    versions = Counter((row["name"], row["size"], row["modified"]) for row in rows(out))
    assert [version for version, count in versions.items() if count > 1] == []
    if moves:
        assert sorted(str(path.relative_to(done)) for path in done.rglob("*.png")) == sorted(written)
    else:
        now = {(name, (inbox / name).stat().st_size) for name in written}
        assert now <= {(name, size) for name, size, _ in versions}
