"""How commands speak: quiet or verbose, with colours or without, for terminals of any width."""

import logging
import re

import click
import pytest

from producer.cli.display.tables import Column, table_lines
from producer.cli.main import COMMANDS, main
from producer.cli.notices import Manner, wrapped
from tests.support.command import CommandLine, run_here
from worker.contract.connection import connect
from worker.contract.ledger import JobRecord, JobState, Ledger
from worker.contract.ledger import keys as ledger_keys
from worker.settings import wants_colours

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def digitmill(mill, tmp_path):
    """Run `digitmill …` beside a mill."""
    return CommandLine(tmp_path, mill.stack.url, mill.stack)


@pytest.fixture
def scan(tmp_path, digits, png):
    """A file with a digit."""
    path = tmp_path / "a.png"
    path.write_bytes(png(digits.images[0]))
    return path


def every_command():
    """Yield the words that name each command, including those of groups."""
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        yield name, *(f"{name} {each}" for each in (command.commands if isinstance(command, click.Group) else ()))


def test_every_command_may_be_quiet_or_verbose():
    """The options stand after or before its name, and `--help` names them once."""
    for words in every_command():
        for name in words:
            said = run_here(*name.split(), "--help").stdout
            assert (said.count("--quiet"), said.count("--verbose")) == (1, 1), name
    for words in (["-q", "schemas"], ["schemas", "-q"], ["-q", "schemas", "--quiet"]):
        assert run_here(*words).stderr == ""
    for words in (["-q", "schemas", "-v"], ["-qv", "schemas"], ["models", "-v", "list", "-q"]):
        refused = run_here(*words)
        assert (refused.exit_code, "contradict" in refused.stderr) == (2, True)
    run_here("schemas")
    assert (Manner.quiet, Manner.verbose, logging.getLogger("producer").level) == (False, 0, logging.NOTSET)


def test_a_quiet_command_prints_only_results_and_errors(digitmill, scan):
    """Neither progress nor notices, as text and as JSON. An error is printed in any case."""
    (scan.parent / "notes.txt").write_text("mine")
    loud, quiet = (digitmill("submit", scan.parent, "--out", "report", *more) for more in ([], ["--quiet"]))
    assert "left out" in loud.errors
    assert "Job " in loud.errors
    assert (quiet.errors, quiet.output.splitlines()[-1]) == ("", "report    report/report.html")
    assert digitmill("submit", scan.parent, "--json", "--out", "report", "-q").errors == ""
    assert digitmill("show", "nothing", "-q", code=2).errors != ""


def test_what_show_says_of_a_job_that_is_done(digitmill, scan):
    """How many images are answered, and nothing that is true of every job that is done."""
    digitmill("submit", scan, "--out", "report")
    shown = digitmill("show", "last").output
    assert re.search(r"^progress  1 image answered; \d+/s$", shown, re.MULTILINE)
    assert "batches" not in shown
    assert "sent" not in shown


def test_a_verbose_command_says_each_step_and_its_time(digitmill, scan):
    """On standard error, where JSON stays JSON."""
    said = digitmill("submit", scan, "--out", "report", "-v").errors
    assert re.search(r"digitmill: \d+\.\d{3} s  Listed .*: 1 image\n", said)
    for step in ("Redis at unix:", "is created, for model ", "is done: ", "Writing the report", "The command took "):
        assert step in said
    assert "Listed" not in digitmill("submit", scan, "--out", "report").errors
    assert '"notice": "' in digitmill("submit", scan, "--out", "report", "--json", "-v").errors


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
        ({"NO_COLOR": "", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colours_are_those_that_the_user_wants(server, tmp_path, variables, coloured):
    """In tables, results, notices and errors. In a pipe, a table is as wide as it must be, and nothing moves."""
    client = connect(server.url)
    client.flushall()
    digitmill = CommandLine(tmp_path, server.url)
    ledger, long = Ledger(client), "/scans" * 40
    ledger.create("job", JobRecord(long, "live", "host-1", {}, ""))
    client.hset(ledger_keys.job("job"), "state", JobState.DONE)
    client.close()
    variables = {"TERM": "xterm-256color", "NO_COLOR": None, "FORCE_COLOR": None, "COLUMNS": "40"} | variables
    for words, code in ((["jobs"], 0), (["show", "last"], 0), (["status"], 4), (["show", "nothing"], 2)):
        said = digitmill(*words, code=code, **variables)
        assert bool(COLOURS.search(said.output + said.errors)) is coloured, words
        assert long in said.output or words != ["jobs"]
        assert "\x1b[?25" not in said.errors


def test_a_user_without_wishes_leaves_colours_to_the_terminal():
    """None means: colours on a terminal, and none elsewhere."""
    assert wants_colours({}) is None
    assert wants_colours({"TERM": "xterm"}) is None


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_long_line_wraps_between_words(width):
    """Below the text after its label. No word, no number with its unit and no colour is torn, and nothing is lost."""
    text = click.style("accuracy  99.60 %", bold=True) + "  (9,960 of 10,000 labelled images right) in /a/long/path"
    lines = wrapped(text, width).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(click.unstyle(line)) <= width for line in lines if "/path" not in line)
    assert all(line.startswith(" " * 10) for line in lines[1:])
    assert any("99.60 %" in line for line in lines)
    assert wrapped(text, 200) == text
    compared = wrapped("B - A     +0.00 points, 95 %: -5.19 to +5.19; p 1: it may be chance", width)
    assert all(line.startswith(" " * 10) for line in compared.split("\n")[1:])


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_folds_on_a_narrow_terminal(width, monkeypatch):
    """No line is longer than the terminal is wide, no number is torn, and a wide terminal has one line for each row."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    columns = [Column("JOB"), *(Column(f"NUMBER {each}", numbers=True) for each in range(5)), Column("WHAT", wraps=10)]
    rows = [[f"261126-133026-yw733jq{row}", *(["10,000"] * 5), "a folder with a long name"] for row in range(3)]
    lines = [click.unstyle(line) for line in table_lines(columns, rows)]
    assert max(map(len, lines)) <= width
    assert sum(line.count("10,000") for line in lines) == 15
    assert len(lines) == 4 if width > 100 else len(lines) > 4
    few = table_lines([Column("read as"), *[Column("0")] * 10], [["images", *["10,000"] * 10]])
    assert len(few) == (11 if width < 100 else 2)
