"""What the shell offers when a user presses Tab: jobs, versions of the model, reports, logs.

Nobody waits for it: Redis has `WAIT_SECONDS` to answer, and without an answer the shell offers what is on this machine.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from model.printable import printable

if TYPE_CHECKING:
    import redis
    from click.shell_completion import CompletionItem

    from worker.settings import Settings

WAIT_SECONDS = 0.5
"""Longest wait for Redis, in seconds, including the time to load what speaks with it."""

MAX_OFFERED = 50
"""Maximum number of jobs that are offered, the newest ones."""

_HELP = 60  # characters of a description

Offer: TypeAlias = Iterable[tuple[str, str]]  # words, each with its description


def _completer(find: Callable[[], Offer]) -> "Callable[[click.Context, click.Parameter, str], list[CompletionItem]]":
    """Return a function by which Click completes a parameter, from one that finds words."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        found: list[tuple[str, str]] = []
        with contextlib.suppress(Exception):  # such as a wrong setting, which the command itself explains
            found = [(word, printable(about)[:_HELP]) for word, about in find() if word.startswith(incomplete)]
        return [CompletionItem(word, help=about or None) for word, about in found]

    return complete


def _find_jobs() -> Offer:
    """Return the latest jobs and their states, or the jobs of this machine if Redis does not answer."""
    found = _ask(_jobs_in_redis)
    return [("last", "the newest job"), *(_jobs_here() if found is None else found)]


def _jobs_in_redis(client: "redis.Redis") -> Offer:
    from worker.contract.ledger import Ledger

    return [(job.identifier, f"{job.state}: {job.record.source}") for job in Ledger(client).jobs(latest=MAX_OFFERED)]


def _jobs_here() -> Offer:
    # `order.files_of_jobs` says the same, but loading its module takes longer than anybody waits here.
    orders = (_settings().data / "jobs").glob("*.order")
    return [(job, "") for job in sorted((path.stem for path in orders), reverse=True)[:MAX_OFFERED]]


def _find_versions() -> Offer:
    """Return the aliases and the versions of the model. Without Redis, there is the baseline."""
    found = _ask(_versions_in_redis)
    return found if found is not None else [("baseline", "the version that ships with digitmill")]


def _versions_in_redis(client: "redis.Redis") -> Offer:
    from worker.contract.registry import Registry

    registry = Registry(client)
    aliases = registry.aliases()
    named = {alias: version for alias, version in aliases._asdict().items() if version}
    named["baseline"] = registry.baseline.version
    versions = [(each.version, ", ".join(aliases.of(each.version))) for each in registry.versions()]
    return [*named.items(), *versions]


def _find_logs() -> Offer:
    from producer.mill.finding import stack_folder

    return [(path.stem, "") for path in sorted(stack_folder(_settings()).glob("*.log"))]


def _ask(find: "Callable[[redis.Redis], Offer]") -> "Offer | None":
    """Return what a function reads from Redis, or None if it does not answer in time.

    Whatever goes wrong, the shell shows the line that the user types, and nothing else.
    """
    # This is loaded before the wait begins, because loading may take long on a slow machine.
    import worker.contract.registry  # noqa: F401

    answers: list[Offer] = []

    def ask() -> None:
        with contextlib.suppress(Exception):  # a traceback would destroy the line that the user types
            from producer.mill.finding import find_mill_url
            from worker.contract.connection import connect

            settings = _settings()
            url = find_mill_url(settings) or settings.server_url
            answers.append(find(connect(url, answer_seconds=WAIT_SECONDS)))

    # Nothing limits how long it takes to load our modules and to find the address of a host, so a thread does it.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(WAIT_SECONDS)
    return answers[0] if answers else None


def _settings() -> "Settings":
    from worker.settings import Settings

    return Settings.from_environment()


def complete_reports(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Offer the folders of reports below the current one, and other folders if the user types something else."""
    from click.shell_completion import CompletionItem

    reports = sorted((path.parent for path in Path("reports").glob("*/report.json")), reverse=True)
    found = [str(folder) for folder in reports if str(folder).startswith(incomplete)]
    return [CompletionItem(name, help="a report") for name in found] or [CompletionItem(incomplete, type="dir")]


complete_jobs = _completer(_find_jobs)
"""Offers jobs."""

complete_versions = _completer(_find_versions)
"""Offers versions of the model, and their aliases."""

complete_logs = _completer(_find_logs)
"""Offers the logs of the mill on this machine."""
