"""Exit codes, and the edge at which errors become one line of text."""

import sys
from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import Any

import click

from model.errors import DigitmillError, JobFailed, NoWorkers, Unreachable


class Exit(IntEnum):
    """What a command's exit code says."""

    WELL = 0  # all well
    SOME_FAILED = 1  # finished; some images have an error row
    USAGE = 2  # what was asked for cannot be done as asked
    UNREACHABLE = 3  # Redis does not answer
    NO_WORKERS = 4  # no worker answered in time
    JOB_FAILED = 5  # the job was cancelled or failed
    INTERRUPTED = 130  # Ctrl-C, as shells have it


CODES: dict[type[DigitmillError], Exit] = {
    Unreachable: Exit.UNREACHABLE,
    NoWorkers: Exit.NO_WORKERS,
    JobFailed: Exit.JOB_FAILED,
}
"""Which error ends in which code; all others in `Exit.USAGE`."""


def complain(sentence: str) -> None:
    """Say what is wrong, on standard error."""
    click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {sentence}", err=True)


def at_the_edge(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command: digitmill's errors become one line and an exit code, and no traceback."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except DigitmillError as fault:
            complain(str(fault))
            sys.exit(CODES.get(type(fault), Exit.USAGE))
        except KeyboardInterrupt:
            complain("interrupted")
            sys.exit(Exit.INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has gone (`| head`): no fault of anybody's.
            sys.stderr.close()
            sys.exit(Exit.WELL)

    return guarded
