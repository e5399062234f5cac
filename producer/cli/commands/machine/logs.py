"""`logs`: what the processes of a mill on this machine have written."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.completion import complete_logs
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import printable
from producer.cli.options import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

POLL_SECONDS = 0.5
"""Interval at which `--follow` looks for new lines."""

_TAIL_BYTES = 256 * 1024  # of a log, among which its last lines are


@click.command()
@click.argument("name", required=False, shell_complete=complete_logs)
@click.option("--lines", metavar="N", type=click.IntRange(0), default=20, show_default=True, help="Last lines of each.")
@click.option("--follow", is_flag=True, help="Print new lines as they come, until Ctrl-C.")
@JSON
@exit_on_error
def logs(name: str | None, lines: int, follow: bool, as_json: bool) -> None:
    """Show the logs of the mill on this machine.

    NAME is the beginning of a log's name, such as `worker-1`. With --json, the command lists the logs. Workers in
    containers write to `docker compose logs` instead.

    \b
    Examples:
      digitmill logs
      digitmill logs server --follow
    """
    from producer.mill.finding import stack_folder
    from producer.public.body import time_of
    from producer.public.operating import Log, Logs
    from worker.settings import Settings

    folder = stack_folder(Settings.from_environment())
    if follow and as_json:
        raise UsageError("--follow is for people. Leave out --json, which lists the logs.")
    found = sorted(path for path in folder.glob("*.log") if path.name.startswith(name or ""))
    if as_json:
        stats = [(path.name, path.stat()) for path in found]
        print_json(
            Logs(
                folder=str(folder),
                logs=[Log(name=each, bytes=stat.st_size, changed=time_of(stat.st_mtime)) for each, stat in stats],
            )
        )
        return
    if not found:
        named = f" whose names begin with {name!r}" if name else ""
        raise UsageError(f"No logs{named} are in {folder}. `digitmill up` writes its logs there.")
    ends = {path: _print_tail(path, lines, whole=follow) for path in found}
    while follow:
        time.sleep(POLL_SECONDS)
        ends = {path: _print_from(path, end) for path, end in ends.items()}


def _print_tail(path: Path, lines: int, *, whole: bool) -> int:
    """Print the last lines of a log. Return how many bytes of it are done.

    Args:
        path: The log.
        lines: Number of lines.
        whole: Whether to leave out a last line that is not finished yet, because it is printed later, as a whole.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read(size - file.tell())
    if whole:
        begun = len(tail) - (tail.rfind(b"\n") + 1)
        tail, size = tail[: len(tail) - begun], size - begun
    _print(path, tail.splitlines()[-lines:] if lines else ())
    return size


def _print_from(path: Path, end: int) -> int:
    """Print what a log has beyond a size, or all of it if it was begun anew. Return the size of its whole lines."""
    with path.open("rb") as file:
        if file.seek(0, 2) < end:
            end = 0
        file.seek(end)
        whole = file.read()
    whole = whole[: whole.rfind(b"\n") + 1]
    _print(path, whole.splitlines())
    return end + len(whole)


def _print(path: Path, lines: "Iterable[bytes]") -> None:
    for line in lines:
        click.echo(f"{click.style(path.stem, fg='cyan')}  {printable(line.decode('utf-8', 'backslashreplace'))}")
    sys.stdout.flush()
