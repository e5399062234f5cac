"""Options and arguments that several commands share."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from model.inference.review import REVIEW_BELOW
from producer.cli.completion import complete_jobs, complete_reports
from producer.cli.notices import print_notice

_Words = TypeVar("_Words", str, tuple[str, ...])
_Command = TypeVar("_Command", bound=Callable[..., Any])


def not_empty(_: click.Context, parameter: click.Parameter, words: _Words) -> _Words:
    """Return the value of an argument or option, unless it is empty.

    An empty value comes from an unset variable of the shell. It would mean the current folder, or any job.

    Raises:
        click.BadParameter: The value is empty, or one of several values is.
    """
    if words == "" or "" in (words if isinstance(words, tuple) else ()):
        raise click.BadParameter("it is empty.", param=parameter)
    return words


def absolute(path: str) -> str:
    """Return the absolute path of what the user named. `~` at its beginning is the home folder, if there is one.

    The shell expands `~` itself, but not in quotes. A name such as `~notes.png` stays as it is.
    """
    return str(Path(os.path.expanduser(path)).absolute())  # noqa: PTH111  Path.expanduser fails on such a name


def report_folder(job: str) -> Path:
    """Return the folder of a job's report if the user names none."""
    return Path("reports") / job


def renamed_option(old: str, new: str, **attributes: Any) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command the option `new`, which users may still call `old`.

    `--help` does not show the old name. A notice tells its users that a later version removes it.

    Args:
        old: Old name, with its dashes.
        new: New name, with its dashes.
        attributes: Keyword arguments of `click.option`.
    """

    def use_old(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            print_notice(f"{old} is now {new}; version 0.3 removes the old name.")
            context.meta[f"digitmill {new}"] = value

    def use_new(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        # Click handles the options that were given before all others, so it has handled the old name by now.
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        return value if given else context.meta.get(f"digitmill {new}", value)

    def decorate(command: _Command) -> _Command:
        hidden = {name: value for name, value in attributes.items() if name in ("type", "is_flag", "metavar")}
        command = click.option(old, hidden=True, expose_value=False, callback=use_old, **hidden)(command)
        return click.option(new, callback=use_new, **attributes)(command)

    return decorate


class FiniteRange(click.FloatRange):
    """A range of numbers, without `nan`, which every comparison lets pass, and without `inf`."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the number that a word names. Refuse a word that names none, or one outside of the range."""
        number = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", parameter, context)
        return number


def _page(_: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Return the path of a page, if its name says that it is HTML. Otherwise no browser would show it as a page.

    Raises:
        click.BadParameter: It does not, or it is empty.
    """
    if path is None or path.suffix.lower() in {".html", ".htm"}:
        return path
    if not path.name:
        raise click.BadParameter("it is empty.", param=parameter)
    better = path.with_name(f"{path.name}.html")
    raise click.BadParameter(f"the page is one HTML file. Name it {str(better)!r}.", param=parameter)


def page_option(default: str) -> Callable[[_Command], _Command]:
    """Return the option of a command that writes one page.

    Args:
        default: Path that it writes otherwise, for the help.
    """
    return click.option(
        "--out",
        metavar="FILE.html",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_page,
        help=f"File to write.  [default: {default}]",
    )


JOB = click.argument("job", metavar="JOB|last", callback=not_empty, shell_complete=complete_jobs)

TIMEOUT = renamed_option(
    "--patience",
    "--timeout",
    metavar="SECONDS",
    type=FiniteRange(min=0),
    default=60.0,
    show_default=True,
    help="Time without progress, or without Redis, after which the command gives up.",
)
OUT = click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    shell_complete=complete_reports,
    help="Folder of the report.  [default: reports/JOB]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
SEVERAL = click.option(
    "--several",
    type=click.Choice(["refuse", "read"]),
    default="refuse",
    show_default=True,
    help="An image with several digits gets an error, or each of its digits is read. Labels are then numbers.",
)
AS_IS = click.option(
    "--as-is",
    is_flag=True,
    help="Send the values of an array file as they are, even if they seem inverted or stretched.",
)
NULL = click.option("-0", "--null", is_flag=True, help="Paths end with NUL, as `find -print0` writes them.")
MIN_CONFIDENCE = click.option(
    "--min-confidence",
    metavar="P",
    type=FiniteRange(0, 1),
    default=REVIEW_BELOW,
    show_default=True,
    callback=lambda _, __, share: share or None,
    help="List an image for review if its confidence is below P (0 to 1): it may not be a digit. 0 lists none.",
)
