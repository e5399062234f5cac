"""All faults, and how one of them is tried."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.support.signals import interrupts_heard
from tests.system.chaos import clients, connections, memory, mix, processes, records, streams
from tests.system.chaos.rig import running_rig
from tests.system.chaos.trial import Fault, Outcome
from tests.system.chaos.work import Works

FAULTS = {
    fault.name: fault
    for module in (mix, processes, clients, connections, memory, records, streams)
    for fault in module.FAULTS
}

ELSEWHERE = {
    "without a reconciler a lost doorbell stays lost (3)": "tests/system/faults/test_lost_messages.py",
    "an image that hangs its process (7)": "tests/system/faults/test_poison.py",
    "files that cost more than they look": "tests/system/faults/test_costly_files.py, make fuzz",
    "compressed bombs, memory of workers (9)": "tests/system/faults/test_lost_messages.py",
    "hot reload under load (20)": "tests/worker/classifying/test_reloader.py, benchmarks/reload.py",
    "weights that are corrupt, harmful or lost (21)": "tests/system/faults/test_bad_models.py",
    "two schedulers, a killed trainer (22)": "tests/worker/scheduler/, tests/worker/trainer/",
    "two mills in one folder (24)": "tests/producer/mill/test_stack.py",
    "memory over thousands of batches (25)": "benchmarks/reload.py",
    "waits without end (item 6)": "tests/producer/jobs/test_waiting.py, tests/system/faults/test_bad_models.py",
    "workers of another version (item 6)": "tests/system/faults/test_other_versions.py",
    "every command beside a wrong Redis (item 8)": "tests/producer/cli/test_wrong_redis.py",
    "every command beside hostile records (item 9)": "tests/producer/cli/test_planted.py, test_damaged_records.py",
}
"""Faults of the same list that other tests hold, because they harm no running job: what and where."""


@dataclass
class Row:
    """What became of all tries of one fault.

    Attributes:
        fault: The fault.
        tries: Number of tries.
        total: Sums over all tries, and the longest stall.
        failed: Seeds of the tries in which something was wrong, with the folders of their logs.
    """

    fault: Fault
    tries: int
    total: Outcome = field(default_factory=Outcome)
    failed: dict[int, Path] = field(default_factory=dict)


def try_fault(fault: Fault, seed: int, works: Works, folder: Path, *, patience: float = 1.0) -> Outcome:
    """Run a job, harm it, and return what became of it.

    Args:
        fault: What happens.
        seed: Seed of all that is random.
        works: What may be classified.
        folder: Folder that exists, for the files of this try.
        patience: Factor of the limit of the fault.
    """
    random = Random(f"{fault.name} {seed}")
    with running_rig(folder / "mill") as rig:
        (folder / "client").mkdir()
        with fault.trial(rig, works, folder / "client", random) as trial:
            try:
                fault.run(trial)
                trial.finish()
            except Exception as problem:
                trial.outcome.faults.append(f"{type(problem).__name__}: {problem}")
    outcome = trial.outcome
    if outcome.stall > fault.limit * patience:
        outcome.faults.append(f"stood still for {outcome.stall:.1f} s, and the limit is {fault.limit * patience:.0f} s")
    return outcome


def is_right(outcome: Outcome) -> bool:
    """Return whether nothing is wrong with an outcome."""
    return not (outcome.lost or outcome.duplicated or outcome.wrong or outcome.faults)


def run_suite(faults: list[Fault], seed: int, tries: int, at_once: int, patience: float) -> Iterator[Row]:
    """Try each fault several times, and yield its row. The folder of a try stays if something was wrong.

    Args:
        faults: What to try.
        seed: Seed of the first try; each further try has the next one.
        tries: Number of tries.
        at_once: Number of tries that run at the same time.
        patience: Factor of all limits.
    """
    folder = Path(tempfile.mkdtemp(prefix="digitmill-chaos-"))
    (folder / "work").mkdir()
    works = Works(folder / "work")

    def run(fault: Fault, number: int) -> tuple[int, Path, Outcome]:
        place = Path(tempfile.mkdtemp(prefix=f"{number}-", dir=folder))
        return number, place, try_fault(fault, number, works, place, patience=patience)

    with interrupts_heard(), ThreadPoolExecutor(at_once) as pool:
        running = [(fault, [pool.submit(run, fault, seed + number) for number in range(tries)]) for fault in faults]
        try:
            for fault, futures in running:
                yield _row(fault, [future.result() for future in futures])
        finally:
            pool.shutdown(cancel_futures=True)
    shutil.rmtree(folder / "work")
    with contextlib.suppress(OSError):
        folder.rmdir()  # unless something was wrong


def _row(fault: Fault, outcomes: list[tuple[int, Path, Outcome]]) -> Row:
    row = Row(fault, len(outcomes))
    for number, place, outcome in outcomes:
        row.total.lost += outcome.lost
        row.total.duplicated += outcome.duplicated
        row.total.wrong += outcome.wrong
        row.total.stall = max(row.total.stall, outcome.stall)
        row.total.faults += outcome.faults
        if is_right(outcome):
            shutil.rmtree(place, ignore_errors=True)
        else:
            row.failed[number] = place
    return row
