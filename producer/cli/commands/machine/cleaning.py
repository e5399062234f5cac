"""`clean`: shows how much space old jobs, logs and downloads take up, and frees it."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from producer.cli.display.wording import counted, in_bytes
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JSON, FiniteRange
from producer.public.body import time_of
from producer.public.operating import Cleaned, StoredItem, StoredKind

if TYPE_CHECKING:
    from producer.cleaning import Item, Kind, RedisJobs
    from worker.settings import Settings

KINDS = {
    "jobs": ("orders and journals of jobs here", "job", "jobs"),
    "logs": ("logs of the mill here", "log", "logs"),
    "answers": ("records and answers of jobs in Redis", "job in Redis", "jobs in Redis"),
    "downloads": ("MNIST, which is downloaded again when it is needed", "file", "files"),
}
"""What each kind is, and its noun for one and for several."""

_DAY = 86400


@click.command()
@click.argument("kinds", nargs=-1, metavar="[KIND]...", type=click.Choice(list(KINDS)))
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=FiniteRange(min=0),
    default=0.0,
    help="Free only what has not changed for this many days.",
)
@click.option(
    "--elsewhere", is_flag=True, help="Free also the answers of detached jobs that other users or machines submitted."
)
@click.option("--yes", is_flag=True, help="Free it. Without --yes, the command only shows what it would free.")
@JSON
@exit_on_error
def clean(kinds: tuple[str, ...], days: float, elsewhere: bool, yes: bool, as_json: bool) -> None:
    """Show how much space old jobs and logs take up, and free it.

    Without --yes, the command only shows what it would free. KIND is one of these; without it, --yes frees jobs and
    logs:

    \b
      jobs       orders and journals of ended jobs on this machine
      logs       logs of the mill on this machine
      answers    records of ended jobs in Redis, with the answers of detached ones
      downloads  MNIST, which is downloaded again when it is needed

    A report that is written stays, but it cannot be written again without its job. Gather the answers of detached jobs
    before you free them.

    Jobs that have not ended, logs of a mill that runs, models, taught images and reports are never freed.

    \b
    Examples:
      digitmill clean
      digitmill clean --yes
      digitmill clean jobs answers --older-than 2 --yes
    """
    from producer.cleaning import USUAL, Kind, find_items, other_bytes
    from worker.settings import Settings

    settings = Settings.from_environment()
    items = find_items(settings, _jobs_in_redis(settings), elsewhere=elsewhere)
    shown = [Kind(kind) for kind in dict.fromkeys(kinds)] or list(Kind)
    before = time.time() - days * _DAY
    may = [item for item in items if not item.kept and item.changed <= before]
    chosen = [item for item in may if item.kind in (shown if kinds else USUAL)]
    others = other_bytes(settings, items)
    freed: list[Item] = []
    left: list[Item] = []
    if not as_json:
        _print_table(items, may, shown, None if kinds else others)
    for item in chosen if yes else ():
        (freed if item.free() else left).append(item)
    if as_json:
        print_json(
            Cleaned(
                folder=str(settings.data),
                other_bytes=others,
                kinds=[_public([item for item in items if item.kind is kind], chosen, kind) for kind in shown],
                freed=len(freed),
                freed_bytes=_size(freed),
            )
        )
    elif yes:
        tell(f"freed     {_described(freed)}")
    else:
        limits = [f"--older-than {days:g}"] * bool(days) + ["--elsewhere"] * elsewhere
        _print_next(chosen, may, kinds, limits)
    for item in left:
        print_notice(f"{item.name} is in use by now, so it stays")


def _jobs_in_redis(settings: "Settings") -> "RedisJobs | None":
    """Return what Redis knows of jobs. If it does not answer, say so and return None."""
    from producer.cleaning import RedisJobs
    from producer.mill.finding import reach_running_mill
    from worker.contract.errors import Unreachable
    from worker.contract.ledger import Ledger
    from worker.contract.validation.identifiers import Kind as Identifier
    from worker.contract.validation.identifiers import is_valid

    try:
        client = reach_running_mill(settings, warn=False).client
    except Unreachable as fault:
        print_notice(f"what Redis keeps of jobs is not shown: {fault}")
        return None
    found = Ledger(client, ttl_seconds=settings.result_seconds).jobs(latest=sys.maxsize)
    damaged = {record.name: None for record in found.damaged if is_valid(Identifier.JOB, record.name)}
    return RedisJobs(client, {**{status.identifier: status for status in found}, **damaged})


def _print_table(items: "Sequence[Item]", may: "Sequence[Item]", shown: "Sequence[Kind]", others: int | None) -> None:
    """Print a row for each kind, and why some items stay."""
    from producer.cli.display.tables import Cell, Column, print_table

    rows: list[list[Cell]] = []
    for kind in shown:
        of_kind, free = ([item for item in some if item.kind is kind] for some in (items, may))
        rows.append([kind, KINDS[kind][0], f"{len(of_kind):,}", _bytes(of_kind), f"{len(free):,}", _bytes(free)])
    if others is not None:
        rows.append(["others", "models, taught images, the server's data", "", in_bytes(others), "-", "-"])
    columns = [Column("KIND"), Column("WHAT", wraps=12)]
    print_table(columns + [Column(each, numbers=True) for each in ("NUMBER", "SIZE", "TO FREE", "SIZE")], rows)
    reasons = Counter((item.kind, item.kept) for item in items if item.kept and item.kind in shown)
    if reasons:
        tell()
    for (kind, reason), count in reasons.items():
        tell(f"kept      {counted(count, *KINDS[kind][1:])}: {printable(reason)}")


def _print_next(chosen: "Sequence[Item]", may: "Sequence[Item]", kinds: Sequence[str], limits: Sequence[str]) -> None:
    """Print the commands that free something, and what. `limits` are the options that were given."""
    others = [item for item in may if item.kind not in {each.kind for each in chosen}] if not kinds else []
    tell()
    if not chosen and not others:
        tell("Nothing can be freed.")
    for named, some in ((kinds, chosen), (dict.fromkeys(item.kind for item in others), others)):
        if some:
            words = ["digitmill clean", *named, *limits, "--yes"]
            tell(f"{' '.join(words)}  frees {_described(some)}")


def _described(items: "Sequence[Item]") -> str:
    """Return the size of items in words: `38 MB: 12 jobs, 3 logs`."""
    if not items:
        return "nothing"
    counts = Counter(item.kind for item in items)
    return f"{_bytes(items)}: {', '.join(counted(count, *KINDS[kind][1:]) for kind, count in counts.items())}"


def _bytes(items: "Sequence[Item]") -> str:
    size = _size(items)
    return "unknown" if size is None else in_bytes(size)


def _size(items: "Sequence[Item]") -> int | None:
    """Return the bytes of items together, or None if that of one is unknown."""
    sizes = [item.bytes for item in items]
    return sum(size for size in sizes if size is not None) if None not in sizes else None


def _public(items: "Sequence[Item]", chosen: "Sequence[Item]", kind: "Kind") -> StoredKind:
    ours = [item for item in chosen if item.kind is kind]
    return StoredKind(
        kind=kind,
        bytes=_size(items),
        chosen=len(ours),
        chosen_bytes=_size(ours),
        items=[
            StoredItem(name=item.name, bytes=item.bytes, changed=time_of(item.changed), kept=item.kept or None)
            for item in items
        ],
    )
