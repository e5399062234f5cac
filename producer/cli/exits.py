"""Exit codes, and the edge at which errors become one line of text."""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeGuard

import click

from model.errors import DigitmillError
from worker.contract.errors import JobFailed, NoWorkers, Unreachable

if TYPE_CHECKING:
    from redis import RedisError


class Exit(IntEnum):
    """What a command's exit code says."""

    WELL = 0  # all well
    SOME_FAILED = 1  # finished; some images have an error row
    USAGE = 2  # what was asked for cannot be done as asked
    UNREACHABLE = 3  # Redis does not answer
    NO_WORKERS = 4  # no worker answered in time
    JOB_FAILED = 5  # the job was cancelled or failed
    INTERNAL = 70  # a fault of digitmill's own, as sysexits.h has it
    INTERRUPTED = 130  # Ctrl-C, as shells have it


CODES: dict[type[DigitmillError], Exit] = {
    Unreachable: Exit.UNREACHABLE,
    NoWorkers: Exit.NO_WORKERS,
    JobFailed: Exit.JOB_FAILED,
}
"""Which error ends in which code; all others in `Exit.USAGE`."""


def printable(text: str) -> str:
    r"""Return a text that is safe on a terminal: control characters and bytes that are no UTF-8 as `\x1b`, `\udc80`.

    A file may be named by anybody; its name must not clear the screen, forge a line, or stop the program.
    """
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def complain(sentence: str) -> None:
    """Say what is wrong, on standard error."""
    click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)


def at_the_edge(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command: whatever goes wrong becomes one line and an exit code, and no traceback."""

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except DigitmillError as fault:
            complain(str(fault))
            sys.exit(CODES.get(type(fault), Exit.USAGE))
        except KeyboardInterrupt as fault:
            complain(f"interrupted{''.join(f'; {sentence}' for sentence in fault.args)}")
            sys.exit(Exit.INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has gone (`| head`): no fault of anybody's. What is still to be flushed at the
            # end of the process goes nowhere, too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(Exit.WELL)
        except OSError as fault:
            where = f" ({fault.filename})" if fault.filename else ""
            complain(f"The system refuses: {fault.strerror or fault}{where}. Mend that, and run the command again.")
            sys.exit(Exit.USAGE)
        except Exception as fault:
            if _is_redis(fault):
                from worker.contract.connection import explain

                complain(explain(fault))
                sys.exit(Exit.UNREACHABLE)
            complain(
                f"digitmill itself failed: {type(fault).__name__}: {fault}. Please report it with the file "
                f"{_keep_traceback()}."
            )
            sys.exit(Exit.INTERNAL)

    return guarded


def _is_redis(fault: Exception) -> TypeGuard["RedisError"]:
    """Whether Redis refused or went away in a call that nobody repeats; loads no Redis for a command without one."""
    return "redis" in sys.modules and isinstance(fault, sys.modules["redis"].RedisError)


def _keep_traceback() -> str:
    """Write the traceback of the error at hand into a file for whoever mends it; return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="digitmill-fault-", suffix=".txt", delete=False) as file:
        traceback.print_exc(file=file)
    return file.name
