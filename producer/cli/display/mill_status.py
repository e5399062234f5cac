"""How a mill stands, for somebody who is woken at night: what is wrong comes first, and all fits on one screen."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, TypeVar

from rich.text import Text

from producer.cli.display import teaching as taught_display
from producer.cli.display import training as training_display
from producer.cli.display.damage import Damage
from producer.cli.display.tables import Cell, Column, table_lines
from producer.cli.display.wording import counted, describe_progress, duration, in_bytes
from producer.jobs.waiting import ended_client
from producer.mill.problems import Disk, Problem
from producer.public import mill as public
from producer.public.body import time_of
from producer.public.jobs import job as job_of
from producer.public.mill import Status
from producer.public.models import drift_of
from producer.public.teaching import taught as taught_of
from producer.public.training import schedule as schedule_of
from producer.public.training import training as training_of
from worker.contract.ledger import JobStatus, WorkerStatus
from worker.contract.observation import Observation, Recent

_LABEL = 8  # the longest one, `schedule`
_CAUSES = 4  # kinds of failures that are named
_JOBS_SHARE = 3  # jobs get a third of the room that is left, or what workers do not need

_Item = TypeVar("_Item")


class _Row(NamedTuple):
    """A line with a label, or without one if it goes on with what the line before is about."""

    label: str
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class MillView:
    """Everything that `status` shows.

    Attributes:
        where: Address of Redis without its password.
        warnings: Sentences about what may go wrong with this Redis.
        seen: The mill.
        running: Jobs that have not ended.
        problems: What is wrong.
        disk: Disk of the data folder, or None if it is unknown.
        damage: Records that could not be read.
    """

    where: str
    warnings: Sequence[str]
    seen: Observation
    running: Sequence[JobStatus]
    problems: Sequence[Problem]
    disk: Disk | None
    damage: Damage

    @property
    def has_worker(self) -> bool:
        """Whether a worker is ready."""
        return any(worker.ready and self.seen.now <= worker.alive_until for worker in self.seen.workers)

    def as_document(self) -> Status:
        """Return what `status --json` prints."""
        seen = self.seen
        return Status(
            problems=[public.Problem(problem=each.what, urgent=each.urgent) for each in self.problems],
            redis=self.where,
            warnings=list(self.warnings),
            server=public.Server(**asdict(seen.server)),
            gate=public.gate(seen.gate),
            queue=public.Queue(**asdict(seen.queue)) if seen.queue else None,
            minute=_recent(seen.minute),
            hour=_recent(seen.hour),
            workers=[public.worker(worker, silent=worker.is_silent(seen.now)) for worker in seen.workers],
            incidents=[
                public.Incident(at=time_of(each.at), process=each.process, problem=each.what, ended=each.ended)
                for each in seen.incidents
            ],
            live=seen.aliases.live if seen.aliases else None,
            previous=(seen.aliases.previous or None) if seen.aliases else None,
            drift=drift_of(seen.drift),
            jobs=[job_of(status) for status in self.running],
            trainers=seen.trainers,
            trainer_problems=seen.trainer_faults,
            training=training_of(seen.training) if seen.training else None,
            schedule=schedule_of(seen.schedule) if seen.schedule else None,
            taught=taught_of(seen.taught) if seen.taught else None,
            disk=public.Disk(folder=str(self.disk.folder), bytes=self.disk.total, free_bytes=self.disk.free)
            if self.disk
            else None,
            damaged=self.damage.as_json(),
        )

    def lines(self, height: int | None = None) -> list[str]:
        """Return the lines to print, with the colours of the terminal, and no longer than it is wide.

        Args:
            height: Number of lines that the screen has, or None to show all workers and jobs. If they do not fit, those
                workers stay that are the most likely to need help, and the latest jobs.
        """
        above = _rows([*self._problems(), *self._queue(), _Row("workers", self._count_workers())])
        below = _rows(self._rest())
        room = None if height is None else max(height - len(above) - len(below), 0)
        of_jobs = None if room is None else max(room // _JOBS_SHARE, room - len(self._workers(None)))
        jobs = _fitting(self.running, lambda some: _jobs(some, self.seen.now), of_jobs, "digitmill jobs")
        of_workers = None if room is None else max(room - len(jobs), 0)
        return [*above, *self._workers(of_workers), *below, *jobs]

    def _problems(self) -> Iterator[_Row]:
        for problem in self.problems:
            label, style = ("problem", "bold red") if problem.urgent else ("warning", "yellow")
            yield _Row(label, problem.what, style)
        if not self.problems:
            yield _Row("well", "nothing is wrong", "green")

    def _queue(self) -> Iterator[_Row]:
        seen, server = self.seen, self.seen.server
        yield _Row("redis", self.where)
        limit = f" of {in_bytes(server.memory_limit_bytes)} ({100 * server.memory_share:.0f} %)"
        yield _Row(
            "",
            f"{server.software} {server.version}, up {duration(server.uptime_seconds)}, {in_bytes(server.memory_bytes)}"
            f"{limit if server.memory_limit_bytes else ', no limit'}, {server.policy or 'policy unknown'}",
        )
        yield _Row("", f"{self._persistence()}; {self._replication()}")
        if queue := seen.queue:
            oldest = f", the oldest for {duration(queue.oldest_seconds)}" if queue.oldest_seconds else ""
            calls = sum(queue.calls.values())
            named = ", ".join(f"{number:,} of {kind}" for kind, number in queue.calls.items() if number)
            yield _Row(
                "queue",
                f"{counted(queue.waiting, 'batch', 'batches')} waiting ({counted(queue.waiting_images, 'image')})"
                f"{oldest}; {queue.leased:,} in work; {queue.unacknowledged:,} answered and not fetched",
            )
            yield _Row("lane", f"{counted(calls, 'call')} waiting{f': {named}' if named else ''}")
        if seen.minute and seen.hour:
            yield _Row(
                "rate",
                f"{_rate(seen.minute)} images/s in the last minute, {_rate(seen.hour)} in the last hour",
            )
            yield _Row(
                "failed",
                f"{seen.minute.failed:,} of {counted(seen.minute.images, 'image')} in the last minute; "
                f"{seen.hour.failed:,} of {seen.hour.images:,} in the last hour{_causes(seen.hour)}",
            )

    def _persistence(self) -> str:
        server = self.seen.server
        file = {None: "append-only file unknown", False: "no append-only file", True: "append-only file"}
        kept = file[server.append_only]
        if server.append_only:
            kept += " ok" if server.append_only_ok else " NOT WRITTEN"
        snapshot = "" if server.snapshot_ok else ", snapshot FAILED"
        saving = ", saving now" if server.saving else ""
        return f"{kept}{snapshot}{saving}, last fork {1000 * server.last_fork_seconds:.0f} ms"

    def _replication(self) -> str:
        server = self.seen.server
        lag = "" if server.replication_lag_seconds is None else f", {server.replication_lag_seconds:.0f} s behind"
        return f"{server.role or 'role unknown'}, {counted(server.replicas, 'replica')}{lag}"

    def _count_workers(self) -> str:
        silent = sum(worker.is_silent(self.seen.now) for worker in self.seen.workers)
        ready = sum(worker.ready and not worker.is_silent(self.seen.now) for worker in self.seen.workers)
        alive = len(self.seen.workers) - silent
        return f"{ready} ready, {alive} alive{f', {silent} silent' if silent else ''}"

    def _workers(self, room: int | None) -> list[str]:
        """Return a table of the workers in at most so many lines, or nothing without any."""
        now = self.seen.now
        table, workers = self._table, self.seen.workers
        if room is not None and len(table(workers)) > room:  # those that may need help first
            workers = sorted(workers, key=lambda each: (not each.is_silent(now), each.ready, -each.restarts))
        return _fitting(workers, table, room, "digitmill status | less")

    def _table(self, workers: Sequence[WorkerStatus]) -> list[str]:
        if not workers:
            return []
        columns = [
            Column("WORKER"),
            Column("STATE"),
            Column("UP", numbers=True),
            Column("IMAGES", numbers=True),
            Column("RESTARTS", numbers=True),
            Column("MEMORY", numbers=True),
            Column("MODEL", wraps=12),
            Column("VERSION"),
        ]
        return table_lines(columns, [self._worker(worker) for worker in workers], indent=2)

    def _worker(self, worker: WorkerStatus) -> list[Cell]:
        now = self.seen.now
        silent = worker.is_silent(now)
        state = f"silent {duration(now - worker.seen)}" if silent else "ready" if worker.ready else "starting"
        return [
            worker.name,
            Text(state, style="red" if silent else "" if worker.ready else "yellow"),
            duration(now - worker.started),
            f"{worker.images:,}",
            Text(f"{worker.restarts:,}", style="yellow" if worker.restarts else ""),
            in_bytes(worker.memory) if worker.memory else "-",
            worker.model,
            worker.version or "-",
        ]

    def _rest(self) -> Iterator[_Row]:
        seen = self.seen
        if seen.incidents:
            last = seen.incidents[0]
            yield _Row("error", f"{duration(seen.now - last.at)} ago, {last.process}: {last.what}")
        yield _Row("model", self._model())
        if seen.drift:
            yield _Row("drift", training_display.describe_drift(seen.drift), "yellow")
        yield _Row("trainers", str(len(seen.trainers)))
        if seen.training:
            yield _Row("training", f"{seen.training.identifier}  {training_display.describe(seen.training)}")
        if seen.schedule and seen.schedule.schedulers:
            yield _Row("schedule", training_display.describe_schedule(seen.schedule))
        if seen.taught and (seen.taught.images or seen.taught.new):
            yield _Row("taught", taught_display.describe(seen.taught))
        if self.disk:
            free = f"{in_bytes(self.disk.free)} of {in_bytes(self.disk.total)} free"
            yield _Row("disk", f"{free} in {self.disk.folder}")
        yield _Row("running", counted(len(self.running), "job"))

    def _model(self) -> str:
        aliases, change = self.seen.aliases, self.seen.last_change
        if not aliases:
            return "unknown"
        ago = f"{duration(self.seen.now - change.at)} ago" if change else ""
        if change and change.version == aliases.live and change.action == "rollback":
            return f"{aliases.live}, rolled back from {change.before} {ago}: {change.reason}"
        since = f", live since {ago}" if change and change.version == aliases.live else ""
        return f"{aliases.live}{since}{f', previous {aliases.previous}' if aliases.previous else ''}"


def clock_line(where: str) -> str:
    """Return the first line of `status --watch`."""
    return f"digitmill  {time.strftime('%H:%M:%S')}  q ends  {where}"


def _fitting(
    items: Sequence[_Item], table: Callable[[Sequence[_Item]], list[str]], room: int | None, command: str
) -> list[str]:
    """Return a table of as many items as have room, the first ones, and a line that says how many are left out.

    Args:
        items: What the table is of.
        table: Function that returns the lines of the table.
        room: Number of lines, or None for any. One line is always there if there are items.
        command: Command that shows all.
    """
    lines = table(items)
    if room is None or len(lines) <= room:
        return lines
    for shown in range(min(room, len(items) - 1), -1, -1):
        more = f"  and {len(items) - shown:,} more: {command}"
        if len(lines := [*table(items[:shown]), more]) <= room:
            break
    return lines


def _rows(rows: Iterable[_Row]) -> list[str]:
    """Return the lines of labels with what they name. Long ones wrap on a terminal, below where they begin."""
    cells: list[list[Cell]] = [[label.ljust(_LABEL), Text(text, style=style)] for label, text, style in rows]
    return table_lines([Column(""), Column("", wraps=20)], cells) if cells else []


def _jobs(jobs: Sequence[JobStatus], now: float) -> list[str]:
    """Return a table of unfinished jobs, or nothing if there are none."""
    if not jobs:
        return []
    return table_lines(
        [
            Column("JOB"),
            Column("PROGRESS"),
            Column("PROBLEM", wraps=20),
        ],
        [
            [
                job.identifier,
                describe_progress(job, now, stands=bool(ended_client(job, now))),
                "; ".join(filter(None, (job.problem, ended_client(job, now)))),
            ]
            for job in jobs
        ],
        indent=2,
    )


def _rate(recent: Recent) -> str:
    return f"{recent.rate:,.{0 if recent.rate >= 100 or not recent.images else 2}f}"


def _causes(recent: Recent) -> str:
    causes = [f"{number:,} {code}" for code, number in recent.failures.items()]
    more = ", …" if len(causes) > _CAUSES else ""
    return f" ({', '.join(causes[:_CAUSES])}{more})" if causes else ""


def _recent(recent: Recent | None) -> public.Recent | None:
    if recent is None:
        return None
    return public.Recent(
        seconds=recent.seconds,
        images=recent.images,
        images_per_second=recent.rate,
        failed=recent.failed,
        failures=dict(recent.failures),
    )
