"""Let a mill work for hours at half load, harm it once a minute, and print what has grown.

One client after the other submits a job, and then rests for as long as the job took. Meanwhile a program asks the HTTP
server for single images. Once a minute, something is killed, frozen or cut, as in the suite `tests.system.chaos`. The
rows of each job must be those of a quiet run, each once, and each call must be answered or refused with a reason.

The table at the end has a line for each process and for Redis: median and greatest value, and the slope an hour. The
exit code is 1 if anything has grown, or an image is not accounted for.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import psutil
from redis.exceptions import RedisError

from tests.support.command import CommandLine
from tests.support.http_server import HttpServer, serving
from tests.support.images import as_png
from tests.support.signals import interrupts_heard
from tests.system.chaos import mix
from tests.system.chaos.rig import Rig, running_rig
from tests.system.chaos.suite import is_right
from tests.system.chaos.trial import JOB_SECONDS, Outcome, Trial
from tests.system.chaos.work import Works
from tests.system.soak.flatness import Bound, Growth, growth_of

SAMPLE_SECONDS = 5.0
CALLS_EACH_SECOND = 10
LIFETIME_DAYS = "0.002"
"""Lifetime of a job's record, so that as many expire as are made: about three minutes."""

LOG_BYTES = 8 << 20
"""Size from which Redis rewrites its log. With a mill's own 256 MB, its disk would grow during the whole run."""

MEMORY = Bound(("MB", 1e6), 0.10, 6e6)
BOUNDS = {
    "Redis: keys": Bound(("", 1.0), 0.10, 20),
    "Redis: data": Bound(("MB", 1e6), 0.10, 4e6),
    "Redis: disk": Bound(("MB", 1e6), 0.25, 2.0 * LOG_BYTES),
    "HTTP server: open files": Bound(("", 1.0), 0.10, 20),
}
"""How much each thing may grow. What is not listed is the memory of a process."""


class Round(Trial):
    """One job of many. The records of those before it have not expired yet."""

    def _strays(self, allowed: set[str]) -> set[str]:
        return {key for key in super()._strays(allowed) if not key.startswith("digitmill:job:")}


@dataclass
class Soak:
    """What a run has found.

    Attributes:
        began: When it began, by the monotonic clock.
        points: What was measured: seconds since then, and the value.
        total: What became of all jobs.
        images: Number of images of jobs.
        calls: Number of calls, by what became of them.
        faults: Number of faults, by name.
    """

    began: float = field(default_factory=time.monotonic)
    points: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    total: Outcome = field(default_factory=Outcome)
    images: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def note(self, name: str, value: float) -> None:
        """Note what was measured."""
        self.points[name].append((self.seconds, value))


def main() -> int:
    """Run as long as the command line says. Return 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=120.0, help="length of the run (default 120)")
    parser.add_argument("--fault-seconds", type=float, default=60.0, help="time between two faults (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all that is random (default 1)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="digitmill-soak-"))
    soak = Soak()
    with interrupts_heard(), suppress(KeyboardInterrupt):  # an interrupted run reports what it has found
        _run(folder, soak, arguments.minutes * 60, arguments.fault_seconds, Random(arguments.seed))
    right = _report(soak)
    if right:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}")
    return int(not right)


# What runs --------------------------------------------------------------------------------------------------------


def _run(folder: Path, soak: Soak, seconds: float, fault_seconds: float, random: Random) -> None:
    (folder / "work").mkdir()
    works = Works(folder / "work")
    over = threading.Event()
    with running_rig(folder / "mill") as rig, ExitStack() as context:
        (folder / "http").mkdir()
        server = context.enter_context(serving(CommandLine(folder / "http", rig.proxy.url), installed=True))
        server.await_ready()
        soak.began = time.monotonic()
        threads = [
            threading.Thread(target=_measure, args=(soak, rig, server, over)),
            threading.Thread(target=_ask, args=(soak, works, server, over)),
        ]
        for thread in threads:
            thread.start()
        try:
            due = fault_seconds
            while soak.seconds < seconds:
                due = _run_job(soak, rig, works, folder, random, due, fault_seconds)
                if soak.total.faults:
                    break  # the logs of this round say why
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _run_job(
    soak: Soak, rig: Rig, works: Works, folder: Path, random: Random, due: float, fault_seconds: float
) -> float:
    """Run a job, do harm if it is time, and rest. Return when the next harm is due."""
    place = Path(tempfile.mkdtemp(prefix="round-", dir=folder))
    began = time.monotonic()
    work = random.choice([works.files, works.array])
    with Round(rig, works, place, random) as job:
        job.command.environment["DIGITMILL_RESULT_DAYS"] = LIFETIME_DAYS
        try:
            job.submit(work)
            while job.runs and time.monotonic() - began < JOB_SECONDS:
                if soak.seconds >= due and job.has_order:
                    harm = random.choice(mix.EVENTS)
                    soak.faults[harm.__name__.strip("_")] += 1
                    harm(job)
                    due = max(due + fault_seconds, soak.seconds)
                time.sleep(0.1)
            job.finish()
        except Exception as problem:
            job.outcome.faults.append(f"{type(problem).__name__}: {problem}")
    _add(soak, job.outcome, len(work.answers))
    if is_right(job.outcome):
        shutil.rmtree(place)
    time.sleep(min(time.monotonic() - began, 60.0))
    return due


def _add(soak: Soak, outcome: Outcome, images: int) -> None:
    soak.images += images
    for name in ("lost", "duplicated", "wrong"):
        setattr(soak.total, name, getattr(soak.total, name) + getattr(outcome, name))
    soak.total.stall = max(soak.total.stall, outcome.stall)
    soak.total.faults += outcome.faults


def _ask(soak: Soak, works: Works, server: HttpServer, over: threading.Event) -> None:
    """Ask for single images. Each call is answered with the right digit, or refused with a reason."""
    number = 0
    while not over.wait(1 / CALLS_EACH_SECOND):
        number = (number + 1) % works.count
        try:
            response = server.post(as_png(works.images[number]))
        except httpx.HTTPError as fault:
            soak.total.faults.append(f"the HTTP server did not answer: {fault!r}")
            return
        if response.status_code == 200:
            soak.calls["answered"] += 1
            soak.total.wrong += str(response.json()["digit"]) != works.files.answers[number]
        elif response.status_code in {429, 503, 504} and response.json()["error"]["message"]:
            soak.calls["refused"] += 1
        else:
            soak.total.faults.append(f"the HTTP server answered {response.status_code} {response.text[:200]}")


# What is measured -------------------------------------------------------------------------------------------------


def _measure(soak: Soak, rig: Rig, server: HttpServer, over: threading.Event) -> None:
    while not over.wait(SAMPLE_SECONDS):
        _measure_redis(soak, rig)
        with suppress(psutil.Error):
            http = psutil.Process(server.process.pid)
            soak.note("HTTP server", http.memory_full_info().uss)
            soak.note("HTTP server: open files", http.num_fds())
        with suppress(RedisError, OSError):  # it is away
            classifying = {worker.process for worker in rig.ledger.workers()}
            for worker in rig.workers():
                _measure_worker(soak, worker, classifying)


def _measure_worker(soak: Soak, worker: psutil.Process, classifying: set[int]) -> None:
    with suppress(psutil.Error):  # it has just been killed
        for process in (worker, *worker.children()):
            kind = "classifies batches" if process.pid in classifying else "answers single images"
            name = f"worker: {'main process' if process == worker else kind}"
            soak.note(name, process.memory_full_info().uss)


def _measure_redis(soak: Soak, rig: Rig) -> None:
    with suppress(RedisError, OSError):  # it is away
        rig.client.config_set("auto-aof-rewrite-min-size", LOG_BYTES)
        soak.note("Redis: keys", rig.client.dbsize())
        soak.note("Redis: data", rig.client.info("memory")["used_memory_dataset"])
    with suppress(psutil.Error):
        soak.note("Redis: memory", psutil.Process(rig.server.process.pid).memory_info().rss)
    size = 0
    for folder, _, files in os.walk(rig.folder):
        for file in files:
            with suppress(OSError):
                size += (Path(folder) / file).stat().st_size
    soak.note("Redis: disk", size)


# What is said -----------------------------------------------------------------------------------------------------


def _report(soak: Soak) -> bool:
    """Print what was found. Return whether all of it is right."""
    print(f"{'':<32}{'median':>12}{'most':>12}{'an hour':>14}")
    right = is_right(soak.total)
    for name, points in sorted(soak.points.items()):
        bound, growth = BOUNDS.get(name, MEMORY), growth_of(points)
        if growth is None:
            print(f"{name:<32}{'measured too seldom to tell':>38}")
            right = False
            continue
        print(_line(name, growth, bound) + ("" if growth.is_flat(bound) else "   HAS GROWN"))
        right = right and growth.is_flat(bound)
    total = soak.total
    faults = ", ".join(f"{name} {count}" for name, count in sorted(soak.faults.items()))
    print(f"{soak.seconds / 60:.0f} minutes; faults: {soak.faults.total()} ({faults})")
    print(f"images of jobs: {soak.images:,}; lost {total.lost}, duplicated {total.duplicated}, wrong {total.wrong}")
    print(f"single images: answered {soak.calls['answered']:,}, refused with a reason {soak.calls['refused']:,}")
    print(f"longest time without progress: {total.stall:.1f} s")
    for fault in total.faults:
        print(f"wrong: {fault}")
    return right


def _line(name: str, growth: Growth, bound: Bound) -> str:
    unit, one = bound.unit
    digits = 1 if unit else 0
    values = [f"{value / one:,.{digits}f} {unit}".rstrip() for value in (growth.median, growth.most)]
    return f"{name:<32}{values[0]:>12}{values[1]:>12}{growth.slope * 3600 / one:>+12,.{digits}f} {unit}"


if __name__ == "__main__":
    sys.exit(main())
