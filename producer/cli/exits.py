"""Exit codes, and the decorator that turns each error into one line of text and an exit code."""

import os
import sys
from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from model.errors import DataError, DigitmillError, ModelError
from producer.cli.notices import print_error
from worker.contract.errors import (
    JobFailed,
    NotPermitted,
    NoWorkers,
    Unreachable,
    UnsuitableServer,
    WireError,
)

if TYPE_CHECKING:
    from redis import RedisError


class ExitCode(IntEnum):
    """The meaning of a command's exit code."""

    OK = 0  # success
    SOME_FAILED = 1  # finished; some images have an error row
    USAGE = 2  # the command cannot be carried out as given
    UNREACHABLE = 3  # Redis does not answer, or cannot be used
    NO_WORKERS = 4  # no worker answered in time
    JOB_FAILED = 5  # the job or training failed or was cancelled
    PROBLEMS = 6  # `status --check` has found an urgent problem
    INTERNAL = 70  # a bug in digitmill, as in sysexits.h
    INTERRUPTED = 130  # Ctrl-C, as in shells


CODES: dict[type[DigitmillError], ExitCode] = {
    Unreachable: ExitCode.UNREACHABLE,
    NotPermitted: ExitCode.USAGE,
    UnsuitableServer: ExitCode.UNREACHABLE,
    NoWorkers: ExitCode.NO_WORKERS,
    JobFailed: ExitCode.JOB_FAILED,
    DigitmillError: ExitCode.USAGE,
}
"""Exit code of each error and those derived from it."""


ERROR_CODES: dict[type[BaseException], str] = {
    Unreachable: "unreachable",
    NotPermitted: "not_permitted",
    UnsuitableServer: "unsuitable_redis",
    NoWorkers: "no_workers",
    JobFailed: "failed",
    WireError: "damaged",
    DataError: "bad_data",
    ModelError: "bad_model",
    DigitmillError: "usage",
    KeyboardInterrupt: "interrupted",
    OSError: "system",
    Exception: "internal",
}
"""Word for programs for each error and those derived from it. It never changes."""


def error_code(fault: BaseException) -> str:
    """Return the word for an error."""
    return next(ERROR_CODES[kind] for kind in type(fault).__mro__ if kind in ERROR_CODES)


def exit_code(fault: DigitmillError) -> ExitCode:
    """Return the exit code of an error."""
    return next(CODES[kind] for kind in type(fault).__mro__ if kind in CODES)


def end_at_once() -> NoReturn:
    """End the process without any order, because the user is impatient."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # a progress bar hides the cursor
    os._exit(ExitCode.INTERRUPTED)


def exit_on_error(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that ends every error with one line on standard error and an exit code.

    The user never sees a traceback. That of a bug goes into a file.
    """

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except DigitmillError as fault:
            print_error(error_code(fault), str(fault))
            sys.exit(exit_code(fault))
        except KeyboardInterrupt as fault:
            print_error(error_code(fault), f"interrupted{''.join(f'; {sentence}' for sentence in fault.args)}")
            sys.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            # The program that reads our output has ended (`| head`), which is not an error. Python flushes the rest of
            # the output when the process ends, so standard output must lead nowhere by then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(ExitCode.OK)
        except OSError as fault:
            where = f" ({fault.filename})" if fault.filename else ""
            print_error(
                error_code(fault),
                f"The system refused: {fault.strerror or fault}{where}. Correct this and run the command again.",
            )
            sys.exit(ExitCode.USAGE)
        except Exception as fault:
            if _is_redis(fault):
                from worker.contract.connection import as_error
                from worker.settings import Settings, without_password

                error = as_error(fault, without_password(Settings.from_environment().redis_url or "Redis"))
                print_error(error_code(error), str(error))
                sys.exit(exit_code(error))
            print_error(
                error_code(fault),
                f"digitmill itself failed: {type(fault).__name__}: {fault}. Please report this with the file "
                f"{_keep_traceback()}.",
            )
            sys.exit(ExitCode.INTERNAL)

    return guarded


def _is_redis(fault: Exception) -> TypeGuard["RedisError"]:
    """Return whether an error comes from the Redis library, which this check does not import."""
    return "redis" in sys.modules and isinstance(fault, sys.modules["redis"].RedisError)


def _keep_traceback() -> str:
    """Write the traceback of the current error into a file for the developers. Return its path."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", errors="backslashreplace", prefix="digitmill-fault-", suffix=".txt", delete=False
    ) as file:
        traceback.print_exc(file=file)
    return file.name
