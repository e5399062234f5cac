"""How much space old jobs, logs and downloads take up on this machine and in Redis, and how to free it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from model.data.mnist import NPZ
from model.errors import DigitmillError
from producer.jobs.kept.files import is_in_use, unused
from producer.jobs.kept.journal import read_journal
from producer.jobs.kept.listed import read_end
from producer.jobs.kept.order import files_of_jobs, job_file, journal_path, read_order, remove_files
from producer.mill.finding import stack_folders
from producer.mill.server import ServerFolder
from worker.contract.ledger import JobState, JobStatus
from worker.contract.ledger.disposal import forget_job, job_bytes
from worker.contract.validation.identifiers import Kind as Identifier
from worker.contract.validation.identifiers import is_valid
from worker.settings import Settings

if TYPE_CHECKING:
    import redis


class Kind(StrEnum):
    """A kind of thing that takes up space and may be freed."""

    JOBS = "jobs"
    LOGS = "logs"
    ANSWERS = "answers"
    DOWNLOADS = "downloads"


USUAL = (Kind.JOBS, Kind.LOGS)
"""What is freed if no kind is named. Somebody may still want the others: answers are lost when they are freed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that takes up space.

    Attributes:
        kind: Its kind.
        name: Job or file.
        bytes: Its size, or None if that is unknown.
        changed: Time of its last change: unix time, seconds.
        kept: Why it cannot be freed, or "".
        free: Frees it. It returns False if it turned out to be in use.
    """

    kind: Kind
    name: str
    bytes: int | None
    changed: float
    kept: str
    free: Callable[[], bool] = field(compare=False)


@dataclass(frozen=True, slots=True)
class RedisJobs:
    """What Redis knows of jobs.

    Attributes:
        client: Connection to Redis.
        known: Jobs by identifier; None for one whose record is damaged.
    """

    client: "redis.Redis"
    known: Mapping[str, JobStatus | None]


def find_items(settings: Settings, jobs: RedisJobs | None, *, elsewhere: bool = False) -> list[Item]:
    """Return what takes up space and may be freed, the oldest of each kind first.

    Models, taught images and the data of a server are not included.

    Args:
        settings: Settings of this process.
        jobs: What Redis knows of jobs, or None if it does not answer.
        elsewhere: Whether the answers of detached jobs may be freed that were not submitted with this data folder.

    Raises:
        redis.exceptions.RedisError: Redis stops answering.
    """
    answers = _answers(settings, jobs, elsewhere=elsewhere)
    found = [*_job_files(settings, jobs), *_logs(settings), *answers, *_downloads(settings)]
    order = list(Kind)
    return sorted(found, key=lambda item: (order.index(item.kind), item.changed))


def other_bytes(settings: Settings, items: Iterable[Item]) -> int:
    """Return the size of all else in the data folder: models, taught images, the data of the server.

    Args:
        settings: Settings of this process.
        items: Everything that `find_items` has found.
    """
    known = sum(item.bytes or 0 for item in items if item.kind in (Kind.JOBS, Kind.LOGS))
    size = 0
    for path in settings.data.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the mill is running
            size += path.lstat().st_size if path.is_file() or path.is_symlink() else 0
    return max(0, size - known)


def _job_files(settings: Settings, jobs: RedisJobs | None) -> Iterator[Item]:
    """Yield the order, the list of batches and the journal of each job that was submitted from this machine."""
    for job, paths in files_of_jobs(settings).items():
        if (stats := _measured(paths)) and is_valid(Identifier.JOB, job):
            yield Item(Kind.JOBS, job, *stats, _why_open(settings, job, paths, jobs), partial(_free_job, settings, job))


def _why_open(settings: Settings, job: str, paths: Iterable[Path], jobs: RedisJobs | None) -> str:
    """Return why somebody may still need the files of a job, or ""."""
    if any(map(is_in_use, paths)):
        return "in use by a client"
    if jobs and job in jobs.known:
        return _why_unfinished(jobs.known[job]) or _why_wanted(jobs.known[job])
    if _is_whole(settings, job):
        return ""
    return "not finished, but can be resumed" if jobs else "not known to have ended, because Redis does not answer"


def _why_unfinished(status: JobStatus | None) -> str:
    """Return why a job may go on, or ""."""
    if status is None:
        return "damaged record in Redis, so not known to have ended"
    if not status.state.ended:
        return "not ended"
    given_up = status.state in (JobState.CANCELLED, JobState.FAILED)
    if status.record.folder and status.unacknowledged and not given_up:
        return "answers not yet gathered by the client"
    return ""


def _why_wanted(status: JobStatus | None) -> str:
    """Return why the files of an ended job belong to answers in Redis, or ""."""
    return "answers still in Redis" if status and not status.record.folder and status.unacknowledged else ""


def _is_whole(settings: Settings, job: str) -> bool:
    """Return whether the journal of a job has all its answers."""
    with contextlib.suppress(DigitmillError, OSError):
        order = read_order(settings, job)
        batches = read_journal(journal_path(settings, job))
        total, listed = order and order.total, job_file(settings, job, "list")
        if listed.exists():
            total = (end := read_end(listed)) and end.rows
        return total == sum(len(batch.manifest.names) for batch in batches.values())
    return False


def _free_job(settings: Settings, job: str) -> bool:
    with unused(files_of_jobs(settings).get(job, ())) as free:
        if free:
            remove_files(settings, job)
    return free


def _logs(settings: Settings) -> Iterator[Item]:
    """Yield the logs of the mills on this machine. A running mill writes to all except those that were put aside."""
    for folder in stack_folders(settings):
        server = ServerFolder(folder)
        runs = folder.is_dir() and server.held()
        for path in sorted([*folder.glob("*.log"), *folder.glob("*.log.1"), *folder.glob("*.out")]):
            kept = "in use, because the mill is running" if runs and path.suffix != ".1" else ""
            if stats := _measured([path]):
                name = path.relative_to(settings.data).as_posix()
                yield Item(Kind.LOGS, name, *stats, kept, partial(_free_log, server, path))


def _free_log(server: ServerFolder, path: Path) -> bool:
    if path.suffix == ".1":
        path.unlink(missing_ok=True)
        return True
    if not server.acquire():  # while this process holds the folder, no mill starts in it
        return False
    try:
        path.unlink(missing_ok=True)
    finally:
        server.release()
    return True


def _answers(settings: Settings, jobs: RedisJobs | None, *, elsewhere: bool) -> Iterator[Item]:
    """Yield what Redis keeps of each job: its record, and the answers of a detached one."""
    if jobs is None:
        return
    sizes = job_bytes(jobs.client, list(jobs.known))
    ours = files_of_jobs(settings)
    for (job, status), size in zip(jobs.known.items(), sizes, strict=True):
        changed = (status.ended or status.created) if status else 0.0
        kept = _why_unfinished(status)
        if not (kept or elsewhere or job in ours) and _why_wanted(status):
            kept = "detached elsewhere, and somebody may still want the answers (--elsewhere frees them)"
        yield Item(Kind.ANSWERS, job, size, changed, kept, partial(_free_answers, settings, jobs.client, job))


def _free_answers(settings: Settings, client: "redis.Redis", job: str) -> bool:
    if not forget_job(client, job):
        return False
    _free_job(settings, job)  # files of a job that Redis does not know would look as if Redis had lost it
    return True


def _downloads(settings: Settings) -> Iterator[Item]:
    path = settings.cache / NPZ
    if stats := _measured([path]):

        def free() -> bool:
            path.unlink(missing_ok=True)
            return True

        yield Item(Kind.DOWNLOADS, str(path), *stats, "", free)


def _measured(paths: Iterable[Path]) -> tuple[int, float] | None:
    """Return the size of files in bytes and the time of the last change, or None if all are gone."""
    stats = []
    for path in paths:
        with contextlib.suppress(OSError):
            stats.append(path.stat())
    return (sum(each.st_size for each in stats), max(each.st_mtime for each in stats)) if stats else None
