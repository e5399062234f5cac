"""`logs` shows what the processes of the mill on this machine have written."""

import os

import pytest

from tests.support.command import CommandLine


@pytest.fixture
def digitmill(tmp_path):
    """The command, on a machine whose mill has two logs."""
    folder = tmp_path / "data" / "mill"
    folder.mkdir(parents=True)
    (folder / "worker-1.log").write_text("".join(f"line {number}\n" for number in range(50)))
    (folder / "server.log").write_bytes(b"caf\xe9 \x1b[31m\n")
    (folder / "server.rdb").write_bytes(b"data")
    return CommandLine(tmp_path, None)


def test_the_last_lines_of_each_log_are_shown(digitmill):
    """With the name of the log, and without what controls a terminal. A name chooses."""
    lines = digitmill("logs", "--lines", "2").output.splitlines()
    assert lines == ["server  caf\\xe9 \\x1b[31m", "worker-1  line 48", "worker-1  line 49"]
    assert len(digitmill("logs", "work").output.splitlines()) == 20
    listed = digitmill("logs", "--json").json["logs"]
    assert [(log["name"], log["bytes"]) for log in listed] == [("server.log", 11), ("worker-1.log", 390)]


def test_without_logs_it_says_where_they_would_be(digitmill):
    """Nothing is wrong with the machine, so the message says what writes them."""
    said = digitmill("logs", "trainer", code=2).errors
    assert "names begin with 'trainer'" in said
    assert "`digitmill up` writes its logs there" in said
    assert digitmill("logs", "--json", DIGITMILL_DATA="nowhere").json["logs"] == []


def test_new_lines_are_followed_until_an_interrupt(digitmill):
    """Only whole lines come, even if one had begun before, and a log that begins again is shown from its beginning."""
    log = digitmill.folder / "data" / "mill" / "worker-1.log"
    with log.open("a") as file:
        file.write("beg")
    with digitmill.start("logs", "worker", "--lines", "1", "--follow") as following:
        assert following.stdout.readline() == "worker-1  line 49\n"
        with log.open("a") as file:
            file.write("un\npart")
        assert following.stdout.readline() == "worker-1  begun\n"
        log.write_text("anew\n")
        assert following.stdout.readline() == "worker-1  anew\n"
        os.kill(following.pid, 2)
        assert following.wait(timeout=30) == 130
