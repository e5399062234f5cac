"""What users see on a terminal while a job runs, and what programs read instead."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest
from click import Context, Group
from click.testing import CliRunner

from producer.cli.display.progress import describe
from producer.cli.exits import ExitCode
from producer.cli.main import COMMANDS, EXIT_CODES, main
from producer.jobs.sending import JobProgress
from producer.mill.stack import Stack
from tests.support.command import CommandLine
from tests.support.forked import start_forked
from tests.support.users import add_users, url_for
from worker.contract.connection import connect
from worker.contract.registry import Registry
from worker.contract.training import Trainings
from worker.contract.users import RedisUser


@pytest.fixture
def scan(tmp_path, digits, png):
    """One image with a name that would clear the screen."""
    path = tmp_path / "a\x1b[2Jb.png"
    path.write_bytes(png(digits.images[0]))
    return path


SIZE = 80, 24
"""Columns and lines of the terminal."""


def environment(folder, url):
    """Return the environment of a command on a terminal of that size."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIGITMILL_")}
    return {
        **kept,
        "DIGITMILL_DATA": str(folder / "data"),
        "DIGITMILL_REDIS_URL": url,
        "TERM": "xterm",
        "COLUMNS": str(SIZE[0]),
        "LINES": str(SIZE[1]),
    }


def on_a_terminal(arguments, *, folder, url, typed="", seconds=60):
    """Run a command on a terminal where a user has typed something. Return its exit code and all that is there then."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    written = b""
    with start_forked(
        arguments, environment(folder, url), cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and select.select([ours], [], [], deadline - time.monotonic())[0]:
            try:
                written += os.read(ours, 65536)
            except OSError:  # its other end is closed
                break
        process.kill() if process.poll() is None and time.monotonic() > deadline else process.wait(10)
    os.close(ours)
    return process.returncode, written.decode()


def test_what_hinders_a_job_is_shown_whole_below_its_bar(tmp_path, scan):
    """The problem has a line of its own, because the bar fills the first line of a narrow terminal."""
    with Stack(tmp_path / "server", 0) as stack:
        code, written = on_a_terminal(["submit", scan, "--timeout", "1"], folder=tmp_path, url=stack.url)
    assert code == 4
    assert "0 of 1 image, 0/s" in written
    assert "no worker is running; start one with `digitmill up`" in written


def test_waiting_for_a_job_without_workers_says_so_and_gives_up(tmp_path, scan):
    """`wait` and `report` name the problem and end with 4. `cancel` then prints the cancelled job."""
    with Stack(tmp_path / "server", 0) as stack:
        digitmill = CommandLine(tmp_path, stack.url)
        digitmill("submit", scan, "--detach")
        for command in ("wait", "report"):
            code, written = on_a_terminal([command, "last", "--timeout", "1"], folder=tmp_path, url=stack.url)
            assert code == 4
            assert "no worker is running; start one with `digitmill up`" in written
            assert "No worker answered for 1 s" in written
        assert digitmill("cancel", "last", "--json").json["state"] == "cancelled"


def test_a_name_cannot_write_on_the_terminal(mill, tmp_path, scan):
    """The control characters in the name of a file are printed as escapes."""
    code, written = on_a_terminal(["classify", scan], folder=tmp_path, url=mill.stack.url)
    assert code == 0
    assert "a\\x1b[2Jb.png" in written
    assert "\x1b[2J" not in written


def test_a_report_that_cannot_be_written_is_refused_before_the_work(mill, tmp_path, scan):
    """The command ends with 2, names `--out` and creates no job."""
    (tmp_path / "file").touch()
    jobs = len(mill.connection.ledger.jobs())
    code, written = on_a_terminal(["submit", scan, "--out", "file/report"], folder=tmp_path, url=mill.stack.url)
    assert code == 2
    assert "--out" in written
    assert len(mill.connection.ledger.jobs()) == jobs


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_also_prints_for_programs(command):
    """Every command has the option `--json`."""
    found = main.get_command(Context(main), command)
    assert found
    for each in found.commands.values() if isinstance(found, Group) else [found]:
        assert "--json" in [name for parameter in each.params for name in parameter.opts]


@pytest.mark.parametrize("words", [["submit", ""], ["classify", "a.png", ""], ["show", ""], ["cancel", ""]])
def test_an_empty_word_is_refused(words):
    """An unset variable of the shell must not mean the current folder, or any job."""
    ended = CliRunner().invoke(main, words)
    assert ended.exit_code == 2
    assert "it is empty" in ended.stderr


def test_the_help_names_every_exit_code_and_no_other():
    """The list in `digitmill --help` has exactly the members of ExitCode."""
    assert {int(line.split()[0]) for line in EXIT_CODES.splitlines()[2:]} == set(ExitCode)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_has_the_first_sentence_of_each(command):
    """`digitmill --help` imports no command, so the list has a copy of the sentence, whole and on one line."""
    listed = CliRunner().invoke(main, ["--help"]).stdout.partition("Commands:")[2].partition("\n\n")[0]
    found = main.get_command(Context(main), command)
    assert found
    assert [command, *found.get_short_help_str(200).split()] in [line.split() for line in listed.splitlines()]


def test_the_help_imports_no_command():
    """`digitmill --help` shows its list at once: it imports neither a command nor a heavy library."""
    text = "import sys\nfrom producer.cli.main import main\nmain(['-h'], standalone_mode=False)\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-P", "-c", text], check=True, capture_output=True, text=True)
    loaded = run.stdout.splitlines()[-1].split()
    assert "producer.cli.main" in loaded
    assert {"producer.cli.commands", "producer.cli.options", "logging", "numpy", "redis"}.isdisjoint(loaded)


def test_the_rate_is_that_of_this_client():
    """The rate does not count answers from before this client started."""
    first = JobProgress(sent=100, answered=50, failed=0, in_flight=8, seconds=10.0, problem="")
    later = first._replace(answered=90, failed=2, seconds=12.0)
    assert describe(first, first, None) == "50 images, 0/s"
    assert describe(later, first, 1000) == "90 of 1,000 images, 2 failed, 20/s"


@pytest.mark.parametrize(("typed", "requested"), [("y\n", True), ("n\n", False)])
def test_at_a_terminal_the_user_decides_on_a_training_without_news(server, tmp_path, typed, requested):
    """The question says why it is asked. Without consent, no training is requested, and that is not an error."""
    client = connect(server.url)
    client.flushall()
    code, screen = on_a_terminal(["train"], folder=tmp_path, url=server.url, typed=typed)
    assert code == 0, screen
    assert "nothing new to learn. Train all the same?" in screen.replace("\r\n", "")
    assert (Trainings(client).latest() is not None) is requested


def test_what_is_wrong_with_an_argument_wraps_between_words(tmp_path, server):
    """The terminal has 80 columns, and would tear a word."""
    words = ["submit", "scans", "--several", "never-and-always-and-a-value-that-takes-much-room"]
    code, screen = on_a_terminal(words, folder=tmp_path, url=server.url)
    lines = screen.replace("\r", "").split("\n")
    said = next(number for number, line in enumerate(lines) if line.startswith("Error: Invalid value"))
    assert code == 2
    assert all(len(line) <= 80 for line in lines)
    assert " ".join(lines[said:]).split()[-4:] == ["one", "of", "'refuse',", "'read'."]


def test_nobody_is_asked_about_a_training_that_redis_would_refuse(server, tmp_path):
    """A user who may only submit learns at once who may request a training."""
    client = connect(server.url)
    client.flushall()
    add_users(client)
    url = url_for(server.url, RedisUser.SUBMITTER)
    code, screen = on_a_terminal(["train"], folder=tmp_path, url=url, typed="")
    said = " ".join(screen.split())
    assert code != 0
    assert "Train all the same?" not in said
    assert "does not let its user digitmill-submitter do this" in said
    assert "The user digitmill-admin may do it" in said


@pytest.mark.parametrize(("typed", "remain"), [("y\n", 1), ("n\n", 2)])
def test_at_a_terminal_the_user_is_asked_before_a_version_is_deleted(server, tmp_path, variant, typed, remain):
    """The question names the version in full. Without consent, it stays, and that is not an error."""
    client = connect(server.url)
    client.flushall()
    registry, (card, files) = Registry(client), variant("old")
    registry.publish(card, files)
    code, screen = on_a_terminal(["models", "delete", "old"], folder=tmp_path, url=server.url, typed=typed)
    assert code == 0, screen
    assert f"Delete {card.version} for ever?" in screen
    assert len(registry.versions()) == remain


@pytest.mark.parametrize("version", ["baseline", "live", "best"])
def test_nobody_is_asked_about_what_is_refused(server, tmp_path, version):
    """A version that must stay is named at once, with the reason."""
    connect(server.url).flushall()
    code, screen = on_a_terminal(["models", "delete", version], folder=tmp_path, url=server.url, typed="y\n")
    assert (code, "for ever?" in screen) == (2, False), screen
    assert "is the baseline" in screen


def test_watching_the_status_ends_with_q_and_leaves_the_terminal_as_it_was(tmp_path, server):
    """It shows the mill on a screen of its own, and the cursor again at the end."""
    connect(server.url).flushall()
    code, written = on_a_terminal(["status", "--watch"], folder=tmp_path, url=server.url, typed="q")
    assert code == 0
    assert "q ends" in written
    assert "No worker is ready. `digitmill up` starts workers" in written
    assert written.endswith("\x1b[?25h\x1b[?1049l")


def test_watching_the_status_goes_on_when_redis_refuses_in_the_middle_of_a_look(tmp_path, server):
    """A worker's user may begin a look and not end it. The screen says why until q, because it may work later."""
    client = connect(server.url)
    client.flushall()
    add_users(client)
    url = url_for(server.url, RedisUser.WORKER)
    code, written = on_a_terminal(["status", "--watch"], folder=tmp_path, url=url, typed="q")
    assert (code, "q ends" in written) == (0, True)
    assert "digitmill-worker" in written
