"""Tables keep every cell whole, and counts have the right plural."""

import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner
from rich.text import Text

from producer.cli.display.tables import Column, print_table
from producer.cli.display.wording import counted
from producer.cli.main import main

WIDE = "/scans/" + "/".join(f"folder {number:02}" for number in range(20))
PRINT = f"""
from producer.cli.display.tables import Column, print_table
print_table([Column("JOB"), Column("IMAGES", numbers=True), Column("SOURCE", wraps=20)],
            [["261125-154401-eew", "1,234", {WIDE!r}], ["b", "7", "short"]])
"""


def test_in_a_pipe_each_row_is_one_whole_line() -> None:
    """Numbers are right-aligned. There are no colours and no spaces at the end of a line."""
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert done.stdout.splitlines() == [
        "JOB                IMAGES  SOURCE",
        f"261125-154401-eew   1,234  {WIDE}",
        "b                       7  short",
    ]


@pytest.mark.parametrize("columns", [80, 30])
def test_on_a_terminal_only_the_column_that_may_wrap_wraps(columns: int) -> None:
    """No cell is cut, even on a terminal that is narrower than the table."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "40", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", PRINT], stdout=theirs, check=True, env=environment, timeout=60)
    os.close(theirs)
    written = os.read(ours, 65536).decode().replace("\r\n", "\n")
    os.close(ours)
    first, *others = [line.split("eew   1,234  ")[-1].strip() for line in written.splitlines()[1:-1]]
    assert "261125-154401-eew   1,234" in written
    assert len(others) >= 2
    assert "".join([first, *others]).replace(" ", "") == WIDE.replace(" ", "")


def test_a_cell_cannot_write_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are escaped, and brackets are not markup."""
    print_table([Column("NAME")], [["a\x1b[2Jb"], ["[red]"], [Text("styled", style="red")]])
    assert capsys.readouterr().out == "NAME\na\\x1b[2Jb\n[red]\nstyled\n"


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ["job"], "0 jobs"),
        (1, ["job"], "1 job"),
        (1234, ["image"], "1,234 images"),
        (1, ["batch", "batches"], "1 batch"),
        (2, ["batch", "batches"], "2 batches"),
    ],
)
def test_a_count_has_its_plural(number: int, words: list[str], text: str) -> None:
    """The noun is singular only for 1."""
    assert counted(number, *words) == text


def test_help_says_nothing_in_the_old_words() -> None:
    """The old option names `patience` and `unwatched` appear in no help text."""
    for words in (["--help"], ["submit", "--help"], ["models", "promote", "--help"]):
        text = CliRunner().invoke(main, words).stdout
        assert "patience" not in text
        assert "unwatched" not in text
