"""Every error ends as one line on standard error and an exit code, and no name of a file harms a terminal."""

import re
from pathlib import Path

import click
import pytest
import redis
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from model.errors import DataError, DigitmillError, ModelError, UsageError
from producer.cli.exits import exit_on_error
from producer.cli.notices import printable
from worker.contract.errors import (
    JobFailed,
    LaneFull,
    NoLane,
    NotPermitted,
    NoWorkers,
    Unreachable,
    UnsuitableServer,
    WireError,
)


def ending(fault):
    """Run a command that raises an error. Return its result, which has one line on standard error."""

    @click.command()
    @exit_on_error
    def command():
        raise fault

    ended = CliRunner().invoke(command)
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    return ended


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError, 2),
        (DataError, 2),
        (ModelError, 2),
        (WireError, 2),
        (DigitmillError, 2),
        (NotPermitted, 2),
        (Unreachable, 3),
        (UnsuitableServer, 3),
        (NoWorkers, 4),
        (NoLane, 4),
        (LaneFull, 4),
        (JobFailed, 5),
    ],
)
def test_each_error_has_its_code_and_its_sentence(error, code):
    """Scripts read the exit code. People read the message of the error, which is all that is printed."""
    ended = ending(error("Something is wrong. Mend it."))
    assert ended.exit_code == code
    assert ended.stderr == "digitmill: Something is wrong. Mend it.\n"


def test_a_refusal_of_the_system_names_the_file():
    """The line has the reason that the system gave, and the path."""
    ended = ending(PermissionError(13, "Permission denied", "/reports/x"))
    assert ended.exit_code == 2
    assert "Permission denied (/reports/x)" in ended.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (redis.ConnectionError("Connection reset."), "Cannot reach Redis (Connection reset)."),
        (redis.ResponseError("unknown command 'LMPOP'"), "6.2 or newer"),
    ],
)
def test_a_fault_of_redis_in_a_call_that_is_not_retried_ends_with_3(fault, words):
    """The line says what is wrong with Redis."""
    ended = ending(fault)
    assert ended.exit_code == 3
    assert words in ended.stderr


def test_a_bug_leaves_its_traceback_in_a_file(tmp_path, monkeypatch):
    """The user gets one line that names the file, and exit code 70."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = ending(ZeroDivisionError("division by zero"))
    assert ended.exit_code == 70
    assert "ZeroDivisionError: division by zero" in ended.stderr
    [path] = re.findall(r"\S+\.txt", ended.stderr)
    assert "Traceback" in Path(path).read_text(encoding="utf-8")
    assert "test_exits.py" in Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (KeyboardInterrupt(), "digitmill: interrupted\n"),
        (KeyboardInterrupt("job 1 is cancelled"), "digitmill: interrupted; job 1 is cancelled\n"),
    ],
)
def test_an_interruption_ends_with_130_and_says_what_became_of_the_job(fault, line):
    """The exit code is the one that shells use, and the line has the message of the interruption."""
    ended = ending(fault)
    assert ended.exit_code == 130
    assert ended.stderr == line


def test_an_error_that_quotes_a_name_stays_on_one_line():
    """The line break and the control character in the name are escaped."""
    ended = ending(UsageError("There is no \x1b[2J\nimage."))
    assert ended.stderr == "digitmill: There is no \\x1b[2J\\nimage.\n"


@given(st.text(st.characters(codec=None)))
def test_only_unprintable_characters_are_escaped(text):
    """Printable text is unchanged. All other characters are escaped, including bytes that are not UTF-8."""
    shown = printable(text)
    assert shown.isprintable()
    assert (shown == text) is text.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("3/é 7.png", "3/é 7.png"),
        ("caf\udce9.png", "caf\\udce9.png"),
        ("a\x1b[31m\r\n.png", "a\\x1b[31m\\r\\n.png"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
    ],
)
def test_names_are_shown_as_the_report_writes_them(name, shown):
    r"""Foreign bytes appear as `\udc80` to `\udcff`."""
    assert printable(name) == shown
