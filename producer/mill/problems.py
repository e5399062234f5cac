"""What is wrong with a mill, in words, each with its remedy: the most urgent first."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from model.wording import percent
from producer.mill.doorbell_formats import unreached_workers
from worker.contract.gate import GateState
from worker.contract.liveness import SILENT_SECONDS
from worker.contract.observation import Observation, Recent
from worker.contract.training import TrainingState

OLDEST_SECONDS = 120.0
"""Age of the oldest waiting batch that is too old. A client sends no more than workers answer within a few seconds."""

FAILED_SHARE = 0.2
FAILED_LEAST = 50
"""Share of the images of the last minute that fail, and their least number, from which on something is wrong."""

OUR_FAULTS = ("quarantined", "internal")
"""Codes of failures that are never the user's fault."""

MEMORY_SHARE = 0.9
"""Share of Redis' memory limit beyond which it may soon refuse batches."""

LAG_SECONDS = 10.0
"""Time that a replica may lag behind. What it lacks is lost if it becomes the master."""

FOLLOW_SECONDS = 15.0
"""Time after a change of the live model for which workers may serve another one."""

DEATHS, DEATH_SECONDS = 3, 600.0
"""Number of processes that may die within this time before that is a problem."""

DISK_SHARE, DISK_BYTES = 0.05, 2**30
"""Share of a disk, and number of bytes, below which the free space is too little."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    Attributes:
        what: What is wrong, and the remedy, in sentences.
        urgent: Whether the mill does not do its work, or may lose some soon. Otherwise it can wait until morning.
    """

    what: str
    urgent: bool = True


class Disk(NamedTuple):
    """The disk of the data folder on this machine.

    Attributes:
        folder: Data folder.
        total: Size of the disk, in bytes.
        free: Free space, in bytes.
    """

    folder: Path
    total: int
    free: int

    @classmethod
    def of(cls, folder: Path) -> "Disk":
        """Measure the disk on which a folder is, or will be.

        Raises:
            OSError: The system does not say.
        """
        existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        usage = shutil.disk_usage(existing)
        return cls(folder, usage.total, usage.free)


def find_problems(seen: Observation, warnings: Sequence[str], disk: Disk | None) -> list[Problem]:
    """Return what is wrong, urgent problems first.

    Args:
        seen: The mill.
        warnings: Sentences about what may go wrong with its Redis (`server_check`).
        disk: Disk of the data folder, or None if it is unknown.
    """
    found = [
        *_of_workers(seen),
        *_of_the_queue(seen),
        *_of_redis(seen, warnings),
        *_of_the_model(seen),
        *_of_training(seen),
        *_of_the_disk(disk),
    ]
    return sorted(found, key=lambda problem: not problem.urgent)


def _of_workers(seen: Observation) -> Iterator[Problem]:
    silent = [worker.name for worker in seen.workers if worker.is_silent(seen.now)]
    alive = [worker for worker in seen.workers if seen.now <= worker.alive_until]
    if not any(worker.ready for worker in alive):
        yield Problem("No worker is ready. `digitmill up` starts workers, in containers `docker compose up -d`.")
    if silent:
        names = ", ".join(silent[:3]) + (", …" if len(silent) > 3 else "")
        yield Problem(
            f"Silent for more than {SILENT_SECONDS:.0f} s: {names}. Look whether each machine runs and reaches Redis; "
            "other workers take the batches when the leases have run out."
        )
    if unreached := unreached_workers(alive):
        yield Problem(unreached)
    deaths = [each for each in seen.incidents if each.ended and seen.now - each.at < DEATH_SECONDS]
    if len(deaths) >= DEATHS:
        yield Problem(
            f"Workers have died {len(deaths)} times in the last {DEATH_SECONDS / 60:.0f} minutes; the last time, "
            f"{deaths[0].what}. Read its log."
        )


def _of_the_queue(seen: Observation) -> Iterator[Problem]:
    if seen.gate.state is not GateState.OPEN:
        yield Problem(f"{seen.gate}.", urgent=False)
    if seen.gate.state is not GateState.PAUSED and seen.queue and seen.queue.oldest_seconds > OLDEST_SECONDS:
        yield Problem(
            f"The oldest batch has waited for {seen.queue.oldest_seconds:,.0f} s. Start more workers; if none makes "
            "progress, `digitmill jobs` and the logs of the workers say why."
        )
    if seen.hour and (ours := sum(seen.hour.failures.get(code, 0) for code in OUR_FAULTS)):
        yield Problem(
            f"{ours:,} images of the last hour failed by a fault of a worker, and not of their own. "
            "The logs of the workers say how.",
            urgent=bool(seen.minute and any(seen.minute.failures.get(code) for code in OUR_FAULTS)),
        )
    if seen.minute and _fails(seen.minute):
        causes = ", ".join(f"{code} {number:,}" for code, number in list(seen.minute.failures.items())[:3])
        yield Problem(
            f"{seen.minute.failed:,} of {seen.minute.images:,} images of the last minute failed ({causes}). "
            "docs/exit-codes.md says what each code means; whoever submits them must correct the files.",
            urgent=False,
        )


def _fails(minute: Recent) -> bool:
    return minute.failed >= FAILED_LEAST and minute.failed > FAILED_SHARE * minute.images


def _of_redis(seen: Observation, warnings: Sequence[str]) -> Iterator[Problem]:
    server = seen.server
    if server.memory_share > MEMORY_SHARE:
        yield Problem(
            f"Redis uses {percent(server.memory_share)} of the memory that it may use, and refuses new batches beyond "
            "that. Gather detached jobs with `digitmill report JOB`, cancel others, or raise its maxmemory."
        )
    failing = not (server.append_only_ok and server.snapshot_ok)
    for sentence in warnings:
        yield Problem(sentence, urgent=failing)
    if server.replication_lag_seconds is not None and server.replication_lag_seconds > LAG_SECONDS:
        yield Problem(
            f"A replica of Redis lags {server.replication_lag_seconds:,.0f} s behind. If it became the master now, "
            "clients would have to send again what it lacks. Look at its machine and its network.",
            urgent=False,
        )
    if seen.damaged:
        names = ", ".join(record.name for record in seen.damaged[:3])
        yield Problem(f"Records in Redis are damaged: {names}. See below, or --json for all.", urgent=False)


def _of_the_model(seen: Observation) -> Iterator[Problem]:
    faults = [worker for worker in seen.workers if worker.model_fault]
    if faults:
        yield Problem(f"{faults[0].name} does not serve the live model: {faults[0].model_fault}")
        return
    if not seen.aliases or (seen.last_change and seen.now - seen.last_change.at < FOLLOW_SECONDS):
        return
    others = [worker for worker in seen.workers if worker.ready and worker.model not in ("", seen.aliases.live)]
    if others:
        yield Problem(
            f"{others[0].name} serves {others[0].model}, and {seen.aliases.live} is live. Its log says why it does not "
            "follow; a restart of the worker loads the live model."
        )


def _of_training(seen: Observation) -> Iterator[Problem]:
    training = seen.training
    if training and training.state is TrainingState.FAILED:
        yield Problem(
            f"Training {training.identifier} failed: {training.reason} The live model goes on serving. "
            "`digitmill train` asks for another training.",
            urgent=False,
        )
    if training and not training.state.ended and not training.held and not seen.trainers:
        yield Problem(
            f"Training {training.identifier} waits, and no trainer is alive. `digitmill up` starts one.", urgent=False
        )
    for name, fault in seen.trainer_faults.items():
        yield Problem(f"{name}: {fault}", urgent=False)


def _of_the_disk(disk: Disk | None) -> Iterator[Problem]:
    if disk and (disk.free < DISK_BYTES or disk.free < DISK_SHARE * disk.total):
        yield Problem(
            f"The disk of {disk.folder} has only {disk.free / 2**30:.1f} GiB left. Make room: delete reports, "
            "finished jobs in its folder `jobs`, or logs."
        )
