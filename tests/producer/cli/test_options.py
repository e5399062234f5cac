"""Options that several commands share. Renamed ones still work under their old names, and a notice says so."""

import json

import click
import pytest
from click.testing import CliRunner

from producer.cli.commands.jobs import report
from producer.cli.commands.models import promote
from producer.cli.commands.submitting import submit
from producer.cli.main import main
from producer.cli.options import TIMEOUT, renamed_option

TIMEOUT_NOTICE = "--patience is now --timeout; version 0.3 removes the old name."


@click.command()
@TIMEOUT
@renamed_option("--unwatched", "--no-canary", is_flag=True, help="Help.")
def command(timeout: float, *, no_canary: bool) -> None:
    """Print the values of its options."""
    click.echo(f"{timeout} {no_canary}")


@pytest.mark.parametrize(
    ("words", "printed", "notice"),
    [
        ([], "60.0 False", None),
        (["--timeout", "5", "--no-canary"], "5.0 True", None),
        (["--patience", "5"], "5.0 False", TIMEOUT_NOTICE),
        (["--patience=0"], "0.0 False", TIMEOUT_NOTICE),
        (["--unwatched"], "60.0 True", "--unwatched is now --no-canary; version 0.3 removes the old name."),
        (
            ["--patience", "5", "--timeout", "7"],
            "7.0 False",
            TIMEOUT_NOTICE,
        ),
    ],
)
def test_an_old_word_has_the_effect_of_the_new_one(words: list[str], printed: str, notice: str | None) -> None:
    """A notice on standard error names the new option. If both are given, the new one counts."""
    ended = CliRunner().invoke(command, words)
    assert ended.exit_code == 0
    assert ended.stdout == f"{printed}\n"
    assert ended.stderr.splitlines() == ([f"digitmill: {notice}"] if notice else [])


def test_a_bad_value_of_an_old_word_is_refused() -> None:
    """The old option has the same limits as the new one."""
    assert CliRunner().invoke(command, ["--patience", "-1"]).exit_code == 2


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    ("found", "words"),
    [
        (command, ["--timeout"]),
        (submit, ["scans", "--min-confidence"]),
        (submit, ["scans", "--timeout"]),
        (report, ["last", "--min-confidence"]),
    ],
)
def test_a_number_that_is_not_finite_is_refused(found: click.Command, words: list[str], value: str) -> None:
    """`nan` is neither less nor more than any limit, so a command would never give up."""
    ended = CliRunner().invoke(found, [*words, value])
    assert ended.exit_code == 2
    assert "Invalid value for '--" in ended.stderr


@pytest.mark.parametrize(("found", "old"), [(submit, "--patience"), (promote, "--unwatched")])
def test_help_hides_the_old_words(found: click.Command, old: str) -> None:
    """The commands accept the old names, but `--help` does not show them."""
    assert old not in CliRunner().invoke(found, ["--help"]).stdout
    assert old in [word for parameter in found.params for word in parameter.opts]


def test_errors_are_json_until_the_command_ends() -> None:
    """A command with `--json` does not change how the next one in the same process speaks."""
    as_json = CliRunner().invoke(main, ["jobs", "--json", "--nonsense"])
    assert json.loads(as_json.stderr)["error"]["code"] == "usage"
    assert "Error: No such option" in CliRunner().invoke(main, ["jobs", "--nonsense"]).stderr
    assert CliRunner().invoke(command, ["--patience", "5"]).stderr == f"digitmill: {TIMEOUT_NOTICE}\n"


@pytest.mark.parametrize("command", [["compare", "a", "b"], ["models", "report", "live"]])
@pytest.mark.parametrize("name", ["pages/changes", "changes.pdf", ".html"])
def test_a_page_has_a_name_that_a_browser_knows(command, name):
    """Otherwise it would be shown as text. The message has the name to use, and nothing is written."""
    result = CliRunner().invoke(main, [*command, "--out", name])
    assert result.exit_code == 2
    assert f"the page is one HTML file. Name it '{name}.html'." in result.output


@pytest.mark.parametrize("command", [["compare", "a", "b"], ["models", "report", "live"]])
def test_a_page_with_an_empty_name_is_refused(command):
    """It comes from an unset variable of the shell, and does not name a file."""
    result = CliRunner().invoke(main, [*command, "--out", ""])
    assert result.exit_code == 2
    assert "Invalid value for '--out': it is empty." in result.output
