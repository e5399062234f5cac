"""`watch`: the command that classifies the files of a folder as they arrive."""

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.exits import end_at_once, exit_on_error
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JSON, MIN_CONFIDENCE, SEVERAL, FiniteRange, not_empty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from producer.calls.options import Several
    from producer.watching.arrivals import Arrivals, Waker
    from producer.watching.rows import RowFormat
    from producer.watching.tree import Tree

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False), callback=not_empty)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File that gets a row for each image: .jsonl or .csv. It says what is done, so a restart continues it.",
)
@click.option(
    "--poll",
    metavar="SECONDS",
    type=FiniteRange(min=0.1),
    help="Look for files again and again, because a network file system does not tell of those that other machines "
    "write. A file that two looks find the same is complete.",
)
@click.option(
    "--rotate", type=click.Choice(["day"]), help="Write a file for each day, such as results-2026-11-26.jsonl."
)
@click.option("--move", metavar="DIR", type=_FOLDER, help="Move files that are classified into this folder.")
@click.option("--move-failed", metavar="DIR", type=_FOLDER, help="Move files with an error row into this folder.")
@click.option(
    "--model", metavar="VERSION|live", default="live", show_default=True, help="Version that classifies the images."
)
@SEVERAL
@MIN_CONFIDENCE
@click.option("--probabilities", is_flag=True, help="Write the ten probabilities of every image.")
@JSON
@exit_on_error
def watch(
    folder: str,
    out: Path,
    poll: float | None,
    rotate: str | None,
    move: Path | None,
    move_failed: Path | None,
    model: str,
    several: "Several",
    min_confidence: float | None,
    probabilities: bool,
    as_json: bool,
) -> None:
    """Classify the files of a folder as they arrive, until Ctrl-C.

    Each image that is written or moved into DIR or a subfolder gets a row in FILE, and so does each image that is there
    already. A file that is written again gets another row. If the command is killed and started again, it misses no
    file, and gives none two rows. While no mill is running, it waits.

    \b
    Examples:
      digitmill watch inbox/ --out results.jsonl
      digitmill watch inbox/ --out results.csv --rotate day --move done/ --move-failed failed/
      digitmill watch /mnt/scanner --out results.jsonl --poll 5
    """
    from producer.calls.client import Client
    from producer.cli.display.progress import WatchLine, describe_watch
    from producer.cli.json_output import print_json
    from producer.public.answers import Watched
    from producer.watching.arrivals import Waker
    from producer.watching.mill import problem_of_mill
    from producer.watching.moving import Mover
    from producer.watching.output import Output, locked
    from producer.watching.record import Record
    from producer.watching.tree import Tree
    from producer.watching.watcher import Watcher
    from worker.settings import Settings

    if several == "read" and probabilities:
        raise UsageError("An image with several digits does not have ten probabilities. Leave out --probabilities.")
    settings = Settings.from_environment()
    named, out = out, out.resolve()  # because a link is another name of the same output
    rows = _row_format(out, probabilities=probabilities, numbers=several == "read")
    mover = Mover(move, move_failed)
    for target in mover.folders:
        if target.resolve() == Path(folder).resolve():
            raise UsageError("Files cannot be moved to where they arrive. Name another folder.")
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(out))
        output = Output(out, rows, by_day=rotate is not None)
        stack.callback(output.close)
        record = Record(out.with_name(f"{out.name}.index"))
        stack.callback(record.close)
        record.read(output)
        own = [out, *(out.with_name(out.name + end) for end in (".lock", ".index", ".index-wal", ".index-shm"))]
        tree = Tree(Path(folder), [*own, *output.paths(), *mover.folders])
        waker = Waker()
        stack.callback(waker.close)
        arrivals = _arrivals(tree, waker, poll)
        stack.callback(arrivals.close)
        line = stack.enter_context(WatchLine(printable(folder), quiet=as_json))
        watcher = Watcher(
            tree,
            arrivals,
            waker,
            output,
            record,
            mover,
            connect=lambda: Client(model=model, several=several, min_confidence=min_confidence or 0.0),
            find_problem=lambda: problem_of_mill(settings),
            on_notice=print_notice,
            on_counts=line.on_counts,
        )
        with _ended_by_signals(watcher.end):
            counts = watcher.run()
    if as_json:
        print_json(Watched(**counts._asdict()))
        return
    tell(f"{describe_watch(counts)}; {printable(str(named))} has the rows")
    if counts.under_way:
        tell("What is under way is classified after the next start.")


def _arrivals(tree: "Tree", waker: "Waker", poll: float | None) -> "Arrivals":
    """Return what tells which files have arrived: the system, or looking again and again."""
    if poll is not None:
        from producer.watching.polling import PolledArrivals

        return PolledArrivals(tree, waker, poll)
    if sys.platform != "linux":
        raise UsageError("Only Linux tells which files arrive. Let this command look for itself: --poll 2.")
    from producer.watching.inotify import InotifyArrivals, network_file_system

    if kind := network_file_system(Path(tree.root)):
        print_notice(
            f"{tree.root} is on a network file system ({kind}), which does not tell of files that other machines "
            "write. If they write files there, add --poll 5."
        )
    return InotifyArrivals(tree, waker)


def _row_format(out: Path, *, probabilities: bool, numbers: bool) -> "RowFormat":
    from producer.watching.rows import CsvRows, JsonRows

    if out.suffix.lower() == ".jsonl":
        return JsonRows(probabilities=probabilities, numbers=numbers)
    if out.suffix.lower() == ".csv":
        return CsvRows(probabilities=probabilities, numbers=numbers)
    raise UsageError(
        f"{str(out)!r} does not say in which format the rows are. Name a file that ends with .jsonl or .csv."
    )


@contextlib.contextmanager
def _ended_by_signals(end: "Callable[[], None]") -> "Iterator[None]":
    """Let Ctrl-C, `kill` and a closed terminal call a function, and a second Ctrl-C end the process at once.

    The handlers of other commands raise an error, which could separate the row of a file from what follows it.
    """
    has_ended = False

    def handle(number: int, _frame: "FrameType | None") -> None:
        nonlocal has_ended
        if has_ended and number == signal.SIGINT:
            end_at_once()
        has_ended = True
        end()

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
