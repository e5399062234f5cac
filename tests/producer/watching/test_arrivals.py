"""A file has arrived when it is complete, however it came."""

import os
import shutil
from pathlib import Path

import pytest

from model.errors import UsageError
from producer.watching.arrivals import SETTLED_SECONDS
from producer.watching.inotify import InotifyArrivals, network_file_system
from producer.watching.polling import PolledArrivals
from producer.watching.tree import Tree
from tests.support.clock import Clock


@pytest.fixture
def clock():
    """A clock that only the test moves."""
    return Clock()


@pytest.fixture
def arrivals(inbox, waker, clock):
    """What Linux tells about the folder, from which `done` is left out."""
    opened = InotifyArrivals(Tree(inbox, [inbox / "done"]), waker, clock)
    yield opened
    opened.close()


def settled(arrivals, clock):
    """Return what has arrived when nothing has changed for a while."""
    clock.sleep(SETTLED_SECONDS)
    return sorted(arrivals.wait(0))


def test_a_file_arrives_when_its_writer_closes_it(inbox, arrivals, clock):
    """And not before, however long the writer pauses."""
    with (inbox / "a.png").open("wb") as file:
        file.write(b"half")
        file.flush()
        assert settled(arrivals, clock) == []
        file.write(b"half")
    assert arrivals.wait(0) == ["a.png"]
    with (inbox / "a.png").open("ab") as file:
        file.write(b"more")
    assert arrivals.wait(0) == ["a.png"]
    assert settled(arrivals, clock) == []


def test_a_file_arrives_when_it_is_renamed_in(inbox, arrivals, clock, tmp_path):
    """Also under the name of another file. What it was called before does not count."""
    (tmp_path / "b").write_bytes(b"data")
    (tmp_path / "b").rename(inbox / "b")
    assert arrivals.wait(0) == ["b"]
    (inbox / "c.tmp").write_bytes(b"data")
    (inbox / "c.tmp").rename(inbox / "b")
    assert arrivals.wait(0) == ["b"]
    assert settled(arrivals, clock) == []


def test_a_name_without_the_ending_of_an_image_waits_for_its_final_name(inbox, arrivals, clock):
    """A program may rename the file in a moment."""
    (inbox / "scan").write_bytes(b"data")
    assert arrivals.wait(0) == []
    assert settled(arrivals, clock) == ["scan"]


def test_links_arrive(inbox, arrivals, clock, tmp_path):
    """Nobody closes them. A link to a folder is a folder."""
    (tmp_path / "a.png").write_bytes(b"data")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.png").write_bytes(b"data")
    (inbox / "hard.png").hardlink_to(tmp_path / "a.png")
    (inbox / "soft.png").symlink_to(tmp_path / "a.png")
    (inbox / "linked").symlink_to(tmp_path / "folder")
    (inbox / "circle").symlink_to(inbox)
    (inbox / "broken.png").symlink_to(tmp_path / "nothing")
    assert arrivals.wait(0) == []
    assert settled(arrivals, clock) == ["hard.png", "linked/b.png", "soft.png"]
    (tmp_path / "folder" / "c.png").write_bytes(b"data")
    assert arrivals.wait(0) == ["linked/c.png"]


def test_a_new_folder_loses_no_file(inbox, arrivals, clock):
    """Neither those that are there before it is watched, nor those that follow."""
    deep = inbox / "one" / "two"
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(b"data")
    assert arrivals.wait(0) == []
    (deep / "b.png").write_bytes(b"data")
    assert arrivals.wait(0) == ["one/two/b.png"]
    assert settled(arrivals, clock) == ["one/two/a.png"]


def test_a_folder_that_moves_keeps_arriving(inbox, arrivals, clock, tmp_path):
    """Its files have other names then. A folder that moves out is not watched any more."""
    (inbox / "one").mkdir()
    arrivals.wait(0)
    (inbox / "one").rename(inbox / "two")
    arrivals.wait(0)
    (inbox / "two" / "a.png").write_bytes(b"data")
    assert arrivals.wait(0) == ["two/a.png"]
    (inbox / "two").rename(tmp_path / "out")
    (tmp_path / "out" / "b.png").write_bytes(b"data")
    assert arrivals.wait(0) == []
    (tmp_path / "out").rename(inbox / "three")
    arrivals.wait(0)
    assert settled(arrivals, clock) == ["three/a.png", "three/b.png"]
    shutil.rmtree(inbox / "three")
    assert arrivals.wait(0) == []


def test_hidden_files_and_what_is_left_out_never_arrive(inbox, arrivals, clock):
    """Among them are the folders to which files are moved."""
    for folder in (".hidden", "done"):
        (inbox / folder).mkdir()
        arrivals.wait(0)
        (inbox / folder / "a.png").write_bytes(b"data")
    (inbox / ".a.png").write_bytes(b"data")
    assert arrivals.wait(0) == []
    assert settled(arrivals, clock) == []


def test_an_overflow_loses_no_file(inbox, arrivals, clock):
    """The kernel drops events when nobody reads them. Then all folders are listed."""
    count = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    for number in range(count):  # of two names in turn, because equal events that follow each other are one
        os.close(os.open(inbox / f"{number % 2}.png", os.O_WRONLY | os.O_CREAT))
    (inbox / "late").mkdir()
    (inbox / "late" / "a.png").write_bytes(b"data")
    assert arrivals.wait(0) == ["0.png", "1.png"]
    settled(arrivals, clock)
    assert "late/a.png" in settled(arrivals, clock)
    (inbox / "late" / "b.png").write_bytes(b"data")
    assert arrivals.wait(0) == ["late/b.png"]


def test_what_is_there_at_the_start_arrives(inbox, waker, clock):
    """Once it has stayed the same for a while, because somebody may be writing it."""
    (inbox / "sub").mkdir()
    (inbox / "sub" / "a.png").write_bytes(b"data")
    (inbox / "b.png").write_bytes(b"data")
    arrivals = InotifyArrivals(Tree(inbox), waker, clock)
    (inbox / "b.png").write_bytes(b"written again")
    assert arrivals.wait(0) == ["b.png"]
    (inbox / "c.png").write_bytes(b"data")
    assert arrivals.wait(0) == ["c.png"]
    arrivals.look_again("c.png")
    assert settled(arrivals, clock) == ["c.png", "sub/a.png"]
    arrivals.close()


def test_a_file_that_somebody_has_open_is_not_complete(inbox, waker, clock):
    """However long its writer pauses. A minute is too long, because some file systems always say so."""
    with (inbox / "a.png").open("wb") as file:
        file.write(b"half")
        file.flush()
        arrivals = InotifyArrivals(Tree(inbox), waker, clock)
        for _ in range(59):
            assert settled(arrivals, clock) == []
        assert settled(arrivals, clock) == ["a.png"]
        file.write(b"half")
    assert arrivals.wait(0) == ["a.png"]
    arrivals.close()


def test_a_folder_that_is_gone_ends_the_watch(inbox, arrivals):
    """The message names it."""
    inbox.rmdir()
    with pytest.raises(UsageError, match="inbox/' was deleted"):
        arrivals.wait(0)


def test_a_thread_can_end_a_wait(arrivals, waker):
    """Also if it wakes before the wait begins."""
    waker.wake()
    assert arrivals.wait(60) == []


def test_a_network_file_system_is_recognised(inbox, tmp_path):
    """The system lists it among its mounts, under the number of its device."""
    device = inbox.stat().st_dev
    line = f"36 25 {os.major(device)}:{os.minor(device)} / /mnt rw shared:1 - {{}} server:/scans rw"
    mounts = tmp_path / "mountinfo"
    for kind, found in (("nfs4", "nfs4"), ("ext4", "")):
        mounts.write_text(f"25 1 0:99 / / rw - nfs a rw\n{line.format(kind)}\n")
        assert network_file_system(inbox, mounts) == found
    assert network_file_system(inbox, tmp_path / "nothing") == ""
    assert network_file_system(inbox) == ""


@pytest.fixture
def polled(inbox, waker, clock):
    """What is found by looking at the folder each five seconds."""
    return PolledArrivals(Tree(inbox, [inbox / "done"]), waker, 5.0, clock)


def look(polled, clock):
    """Return what the next look finds."""
    found = polled.wait(0)
    clock.sleep(5)
    return sorted(found)


def test_a_file_that_two_looks_find_the_same_is_complete(inbox, polled, clock):
    """It arrives once, and again when it has changed. One that grows does not arrive."""
    (inbox / "sub").mkdir()
    (inbox / "sub" / "a.png").write_bytes(b"data")
    with (inbox / "b.png").open("wb") as file:
        for _ in range(3):
            file.write(b"data")
            file.flush()
            found = look(polled, clock)
            assert "b.png" not in found
    assert look(polled, clock) == ["b.png"]
    assert look(polled, clock) == []
    (inbox / "b.png").write_bytes(b"other data")
    assert look(polled, clock) == []
    assert look(polled, clock) == ["b.png"]
    polled.look_again("b.png")
    assert look(polled, clock) == ["b.png"]
    (inbox / "b.png").unlink()
    assert look(polled, clock) == []


def test_between_two_looks_nothing_is_read(inbox, polled, clock):
    """A wait that is ended early returns nothing."""
    (inbox / "a.png").write_bytes(b"data")
    assert polled.wait(0) == []
    assert polled.wait(0) == []
    clock.sleep(5)
    assert polled.wait(0) == ["a.png"]


def test_a_file_server_may_go_and_come_back(inbox, polled, clock):
    """The problem is named meanwhile, and nothing arrives twice."""
    (inbox / "a.png").write_bytes(b"data")
    look(polled, clock)
    assert look(polled, clock) == ["a.png"]
    inbox.rename(inbox.with_name("away"))
    assert look(polled, clock) == []
    assert "inbox/' cannot be read: No such file" in polled.problem
    inbox.with_name("away").rename(inbox)
    assert look(polled, clock) == []
    assert polled.problem == ""


def test_circles_of_links_end(inbox, polled, clock):
    """Each folder is read once."""
    (inbox / "circle").symlink_to(inbox)
    (inbox / "a.png").write_bytes(b"data")
    look(polled, clock)
    assert look(polled, clock) == ["a.png"]
