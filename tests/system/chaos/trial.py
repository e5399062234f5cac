"""One try of one fault: a job that runs while something is harmed, and what became of it."""

import csv
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from tests.support.command import CommandLine
from tests.support.waiting import eventually
from tests.system.chaos.rig import Rig
from tests.system.chaos.work import Work, Works
from worker.contract.ledger import JobState, keys

LOOK_SECONDS = 0.05
JOB_SECONDS = 120.0
"""Seconds after which a job hangs, whatever the limit of its fault."""

EMPTY_SECONDS = 15.0
"""Seconds after the end of a job in which the last doorbells must be gone."""

KEPT = (
    "digitmill:worker:",
    "digitmill:model",
    "digitmill:aliases",
    "digitmill:tally:",
    "digitmill:days:",
    "digitmill:recent",
    "digitmill:incidents",
    "digitmill:lane1:sent",
    "digitmill:moves",
)
"""What a mill keeps in Redis without any job, beside the lists of jobs and workers."""


@dataclass
class Outcome:
    """What became of a job.

    Attributes:
        lost: Images without a row.
        duplicated: Rows beyond the first of an image.
        wrong: Rows with another digit, or another error, than without any fault.
        stall: Longest time, in seconds, without any progress.
        faults: Everything else that is wrong: exit codes, sentences, counters, keys that are left.
    """

    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    stall: float = 0.0
    faults: list[str] = field(default_factory=list)


class Trial:
    """A context manager for one job with its clients.

    Args:
        rig: The mill.
        works: What may be classified.
        folder: Folder in which commands run.
        random: All that is random in this try.

    Attributes:
        outcome: What became of the job, as far as it is known.
        command: The command line, in the folder of the job's clients.
    """

    def __init__(self, rig: Rig, works: Works, folder: Path, random: Random) -> None:
        self.rig, self.works, self.folder, self.random = rig, works, folder, random
        self.outcome = Outcome()
        self.command = CommandLine(folder, rig.proxy.url)
        self._work = works.files
        self._out = folder / "out"
        self._client: subprocess.Popen[str] | None = None
        self._detached = False
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._measure, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._watch.is_alive():
            self._watch.join()
        if self._client and self._client.poll() is None:
            self._client.kill()
            self._client.communicate()

    # Clients ----------------------------------------------------------------------------------------------------------

    @property
    def client(self) -> "subprocess.Popen[str]":
        """The client that runs, or ran last."""
        assert self._client
        return self._client

    @property
    def job(self) -> str:
        """The identifier of the job, from its order."""
        found: list[Path] = eventually(self._orders, seconds=30, what="the order of the job")
        return found[0].stem

    @property
    def has_order(self) -> bool:
        """Whether the client has written the order of the job. A client that is killed before that leaves no job."""
        return bool(self._orders())

    def _orders(self) -> list[Path]:
        return sorted((self.folder / "data" / "jobs").glob("*.order"))

    def submit(self, work: Work | None = None, *options: str) -> None:
        """Start a client that submits images, by default the files."""
        self._work = work or self._work
        self._detached = "--detach" in options
        self._watch.start()
        out = () if self._detached else ("--out", self._out)
        self._client = self.command.start("submit", self._work.path, *self._work.options, *out, *options, "--json")

    def resume(self, *options: str) -> None:
        """Start a client that resumes the job."""
        out = () if self._detached else ("--out", self._out)
        self._client = self.command.start("resume", self.job, *out, *options, "--json")

    def report(self) -> None:
        """Start a client that gathers the answers of the job."""
        self._client = self.command.start("report", self.job, "--out", self._out, "--json", "--timeout", "60")

    @property
    def runs(self) -> bool:
        """Whether the client runs."""
        return self.client.poll() is None

    def stop_client(self, by: signal.Signals = signal.SIGKILL) -> str:
        """End the client with a signal. Return what it said."""
        if self.runs:
            self.client.send_signal(by)
        return self._last_words()

    def stop_and_resume(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End the client with a signal, and resume the job in a new one, unless the client was done already."""
        self.stop_client(by)
        if self.client.returncode:
            self.resume()

    def refused(self, *arguments: Any, codes: tuple[int, ...] = (2,), says: str = "", data: Path | None = None) -> None:
        """Run a command that must be refused.

        Args:
            arguments: The command.
            codes: Exit codes that are right.
            says: What must be in its one line.
            data: Its data folder, by default that of the job's client.
        """
        variables = {"DIGITMILL_DATA": str(data)} if data else {}
        with self.command.start(*arguments, **variables) as process:
            _, errors = process.communicate(timeout=JOB_SECONDS)
        self._check_said(errors)
        self.expect(
            process.returncode in codes and says in errors and len(errors.splitlines()) <= 3,
            f"`{' '.join(map(str, arguments))}` ended with {process.returncode} and said {errors!r}",
        )

    # The job ----------------------------------------------------------------------------------------------------------

    def expect(self, right: bool, fault: str) -> None:
        """Note a fault unless something is right."""
        if not right:
            self.outcome.faults.append(fault)

    def answered(self) -> float:
        """Return which share of the images workers have answered, 0 to 1; 1 if the client has ended."""
        if not self.runs and not self._detached:
            return 1.0
        try:
            return self.rig.ledger.job(self.job).answered / len(self._work.answers)
        except Exception:  # the server is away, or somebody has harmed the job
            return 0.0

    def await_share(self, least: float = 0.05, most: float = 0.7) -> None:
        """Wait until workers have answered a random share of the images."""
        share = self.random.uniform(least, most)
        eventually(lambda: self.answered() >= share, seconds=60, what=f"{share:.0%} of the answers")

    def pause(self, least: float, most: float) -> None:
        """Wait for a random time, in seconds."""
        time.sleep(self.random.uniform(least, most))

    def end_client(self, code: int | None = None) -> None:
        """Wait for the end of the client, and check its exit code.

        Args:
            code: Right exit code, by default that of a job whose rows are right.
        """
        if code is None:
            code = int(any(not answer.isdigit() for answer in self._work.answers))
        errors = self._last_words()
        self.expect(self.client.returncode == code, f"exit code {self.client.returncode}, not {code}: {errors!r}")

    def finish(self) -> None:
        """Wait for the end of the job, and check its rows, its counters and the keys that are left."""
        try:
            if "nothing is left to do" in self._last_words():  # the client before it was killed after its last answer
                self.report()
            self.end_client()
        finally:
            self._ended.set()
        self._check_rows()
        self._check_redis()

    def _last_words(self) -> str:
        """Wait for the end of the client. Return what it said on standard error."""
        try:
            _, errors = self.client.communicate(timeout=JOB_SECONDS)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the client hangs: it runs for more than {JOB_SECONDS:.0f} s") from None
        self._check_said(errors)
        return errors

    def _check_said(self, errors: str) -> None:
        self.expect("Traceback" not in errors, f"a traceback: {errors[-2000:]}")

    def _check_rows(self) -> None:
        path = self._out / "predictions.csv"
        if not path.exists():
            self.outcome.lost += len(self._work.answers)
            return
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(row["name"], row["error"] or row["digit"]) for row in csv.DictReader(file)]
        names = {name for name, _ in rows}
        self.outcome.lost += max(len(self._work.answers) - len(names), 0)
        self.outcome.duplicated += len(rows) - len(names)
        if len(rows) == len(self._work.answers):
            self.outcome.wrong += sum(row != answer for (_, row), answer in zip(rows, self._work.answers, strict=True))

    def _check_redis(self) -> None:
        count = len(self._work.answers)
        status = self.rig.ledger.job(self.job)
        found = (status.state, status.images, status.answered, status.failed, status.open)
        bad = sum(not answer.isdigit() for answer in self._work.answers)
        right = (JobState.DONE_WITH_ERRORS if bad else JobState.DONE, count, count, bad, 0)
        self.expect(found == right, f"the job is {found}, and should be {right}")
        self.expect(self._detached or not status.unacknowledged, f"{status.unacknowledged} batches unacknowledged")
        allowed = {keys.JOBS, keys.WORKERS, keys.job(self.job)}
        if self._detached:
            allowed |= {keys.manifest(self.job), keys.results(self.job), keys.notifications(self.job)}

        def clean() -> bool:
            return not self._strays(allowed)

        try:
            eventually(clean, seconds=EMPTY_SECONDS, what="no stray keys")
        except TimeoutError:
            self.expect(False, f"left in Redis: {', '.join(sorted(self._strays(allowed)))}")

    def _strays(self, allowed: set[str]) -> set[str]:
        found = {key.decode("utf-8", "replace") for key in self.rig.client.scan_iter(count=1000)}
        return {key for key in found - allowed if not key.startswith(KEPT)}

    # Progress ---------------------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        """Measure the longest time in which neither answers came nor a client ended."""
        before, since = self._mark(), time.monotonic()
        while True:
            ended = self._ended.wait(LOOK_SECONDS)
            now = self._mark()
            self.outcome.stall = max(self.outcome.stall, time.monotonic() - since)
            if now != before:
                before, since = now, time.monotonic()
            if ended:
                return

    def _mark(self) -> Any:
        """Return what changes with each answer that a client keeps, and with each client."""
        sizes = [
            path.stat().st_size
            for kind in ("journal", "sent", "order")
            for path in (self.folder / "data" / "jobs").glob(f"*.{kind}")
        ]
        return sizes, self._client and (self._client.pid, self._client.poll())


Run = Callable[[Any], None]


@dataclass(frozen=True)
class Fault:
    """Something that happens to a job.

    Attributes:
        name: Its name on the command line.
        run: Starts the job and harms it.
        limit: Longest time, in seconds, that the job may stand still.
        trial: What runs meanwhile, as a class whose objects are given to `run`.
    """

    name: str
    run: Run
    limit: float = 20.0
    trial: type[Trial] = Trial
