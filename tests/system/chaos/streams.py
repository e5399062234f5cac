"""A watcher, an HTTP server and futures of Python, beside which the mill is killed, restarted and upgraded.

Each file gets one row, with the digit of a run without faults. Each call gets that digit, or ends within its timeout
with an error that says more than that the time is over. At the end of a try, all three work again.
"""

import contextlib
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import httpx

from producer.calls.client import Client
from producer.calls.prediction import Prediction
from tests.support.http_server import HttpServer, serving
from tests.support.images import as_png
from tests.support.processes import children, send
from tests.support.waiting import eventually
from tests.system.chaos.trial import JOB_SECONDS, Fault, Trial
from tests.system.faults.injected.marks import MARK_SLOW
from worker.contract.errors import NoWorkers, Unreachable

HTTP_SECONDS = 6.0
"""Timeout of the HTTP server."""

SLACK_SECONDS = 5.0
"""Time by which a call may end later than its timeout on a busy machine."""

OTHERS = [{"WITHOUT_LANE": "1"}, {"OTHER_DOORBELL_VERSION": "7"}, {}]
"""Variables of workers of other versions: one before single images, one with other doorbells, and one like this one."""

SLOW_EACH = 10
"""One in so many files is slow to decode, so that kills meet work."""


class StreamTrial(Trial):
    """A context manager for a stream and for programs that ask at the same time; see `Trial`."""

    def __enter__(self) -> Self:
        self._context = ExitStack()
        self._inbox, self._rows = self.folder / "inbox", self.folder / "rows.jsonl"
        self._inbox.mkdir()
        self._files = 0
        self._answered = Counter[str]()
        self._errors: list[str] = []
        self._futures: list[Future[Prediction]] = []
        self._over = threading.Event()
        self._feeders: list[threading.Thread] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._ended.set()
        for thread in self._feeders:
            thread.join()
        if hasattr(self, "_python"):
            self._python.close(cancel=True)
        self._context.close()
        super().__exit__(kind, value, trace)

    def begin(self) -> None:
        """Start all three, and let files arrive and calls come until `finish`."""
        self._client = self.command.start("watch", self._inbox, "--out", self._rows, "--json")
        self._http: HttpServer = self._context.enter_context(serving(self.command, "--timeout", str(HTTP_SECONDS)))
        self._python = Client(self.rig.proxy.url, timeout=HTTP_SECONDS)
        self._http.await_ready()
        self._watch.start()
        for feed in (self._drop_file, self._post, self._submit):
            thread = threading.Thread(target=self._repeat, args=(feed,))
            self._feeders.append(thread)
            thread.start()
        eventually(lambda: self._files > SLOW_EACH and len(self._futures) > SLOW_EACH, what="files and calls")

    def finish(self) -> None:
        """End files and calls, and check what became of each."""
        self._over.set()
        for thread in self._feeders:
            thread.join()
        self._check_futures()
        self._check_that_all_work()
        eventually(lambda: len(self._named()) >= self._files or not self.runs, seconds=JOB_SECONDS, what="all rows")
        self._ended.set()
        self._watch.join()
        said = self.stop_client(signal.SIGTERM)
        self.expect(self.client.returncode == 0, f"the watcher ended with {self.client.returncode}: {said}")
        code = self._http.stop()
        self.expect(code == 0, f"the HTTP server ended with {code}")
        self._check_stream()
        self.outcome.faults += sorted(set(self._errors))

    # What arrives -------------------------------------------------------------------------------------------------

    def _repeat(self, feed: Callable[[int], None]) -> None:
        number = 0
        while not self._over.wait(0.05):
            try:
                feed(number)
            except Exception as fault:
                self._errors.append(f"{feed.__name__.strip('_')}: {type(fault).__name__}: {fault}")
                return
            number += 1

    def _content(self, number: int) -> bytes:
        slow = MARK_SLOW if number % SLOW_EACH == 0 else b""
        return as_png(self.works.images[number % self.works.count]) + slow

    def _digit(self, number: int) -> str:
        return self.works.files.answers[number % self.works.count]

    def _drop_file(self, number: int) -> None:
        draft = self.folder / "draft.png"
        draft.write_bytes(self._content(number))
        draft.rename(self._inbox / f"{number:05}.png")
        self._files = number + 1

    def _post(self, number: int) -> None:
        began = time.monotonic()
        try:
            response = self._http.post(self._content(number))
        except httpx.HTTPError as fault:
            self._errors.append(f"HTTP: the server did not answer: {fault!r}")
            return
        self._check_seconds("HTTP", time.monotonic() - began, HTTP_SECONDS)
        body = response.json()
        if response.status_code == 200:
            self._count("HTTP", str(body["digit"]), number)
        elif response.status_code not in {429, 503, 504} or not body["error"]["message"]:
            self._errors.append(f"HTTP: {response.status_code} {body}")

    def _submit(self, number: int) -> None:
        timeout = (1.0, 3.0, 9.0)[number % 3]
        image = self.works.images[number % self.works.count] if number % 2 else self._content(number)
        future = self._python.submit(image, timeout=timeout)
        began = time.monotonic()

        def note_end(ended: Future[Prediction]) -> None:
            self._check_seconds("Python", time.monotonic() - began, timeout)
            if ended.exception() is None:
                self._count("Python", str(ended.result().digit), number)

        future.add_done_callback(note_end)
        self._futures.append(future)

    # What became of it --------------------------------------------------------------------------------------------

    def _count(self, who: str, digit: str, number: int) -> None:
        self._answered[who] += 1
        self.outcome.wrong += digit != self._digit(number)

    def _check_seconds(self, who: str, seconds: float, timeout: float) -> None:
        if seconds > timeout + SLACK_SECONDS:
            self._errors.append(f"{who}: a call with a timeout of {timeout:.0f} s ended after {seconds:.1f} s")

    def _check_futures(self) -> None:
        done, left = wait(self._futures, timeout=JOB_SECONDS)
        self.outcome.lost += len(left)
        for fault in filter(None, (future.exception() for future in done)):
            if not isinstance(fault, NoWorkers | Unreachable) or len(str(fault).split()) < 8:
                self._errors.append(f"Python: {fault!r}")

    def _check_that_all_work(self) -> None:
        """Check that the server and the client are well again, although neither was restarted."""
        self._http.await_ready()
        self._post(1)
        future = self._python.submit(self.works.images[1], timeout=JOB_SECONDS)
        self._count("Python", str(future.result().digit), 1)
        for who in ("HTTP", "Python"):
            self.expect(self._answered[who] > 1, f"{who} got no answer but the last")

    def _named(self) -> Counter[str]:
        """Return how many rows each file has."""
        return Counter(row["name"] for row in self._read())

    def _read(self) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError), self._rows.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)

    def _check_stream(self) -> None:
        named = self._named()
        self.outcome.lost += max(self._files - len(named), 0)
        self.outcome.duplicated += named.total() - len(named)
        self.outcome.wrong += sum(str(row["digit"]) != self._digit(int(row["name"][:5])) for row in self._read())

    def _mark(self) -> Any:
        rows = self._rows.stat().st_size if self._rows.exists() else 0
        return rows, self._answered.total()


def _kill_server(trial: StreamTrial) -> None:
    trial.begin()
    for _ in range(3):
        trial.pause(0.5, 2.0)
        trial.rig.restart_server(trial.random.uniform(0.0, 3.0))
    trial.pause(1.0, 2.0)


def _kill_workers(trial: StreamTrial) -> None:
    trial.begin()
    for _ in range(4):
        trial.pause(0.3, 1.5)
        worker = trial.rig.worker(trial.random)
        victims = trial.random.choice([[worker], children(worker), [worker, *children(worker)]])
        for victim in victims:
            send(victim, signal.SIGKILL)
    trial.pause(1.0, 2.0)


def _upgrade(trial: StreamTrial) -> None:
    """Stop the whole mill, start it again with another version, and later with this one."""
    trial.begin()
    for variables in (trial.random.choice(OTHERS), {}):
        trial.pause(0.5, 1.5)
        trial.rig.stop_workers()
        trial.rig.server.stop()
        trial.pause(0.0, 1.0)
        trial.rig.server.start()
        trial.rig.start_workers(**variables)
        trial.pause(2.0, 4.0)


def _upgrade_one_by_one(trial: StreamTrial) -> None:
    """Replace the workers one after the other, while the others go on."""
    trial.begin()
    for variables in (trial.random.choice(OTHERS), {}):
        for worker in trial.rig.workers():
            trial.pause(0.3, 1.0)
            trial.rig.upgrade(worker, **variables)
            trial.pause(1.0, 2.0)


def _cut(trial: StreamTrial) -> None:
    trial.begin()
    for _ in range(3):
        trial.pause(0.3, 1.5)
        trial.random.choice([trial.rig.proxy.reset, trial.rig.proxy.freeze])()
    trial.rig.proxy.stop_flow()
    trial.pause(1.0, 4.0)
    trial.rig.proxy.start_flow()
    trial.pause(1.0, 2.0)


FAULTS = (
    Fault("stream-redis-killed", _kill_server, limit=30, trial=StreamTrial),
    Fault("stream-workers-killed", _kill_workers, limit=30, trial=StreamTrial),
    Fault("stream-mill-upgraded", _upgrade, limit=40, trial=StreamTrial),
    Fault("stream-workers-upgraded-one-by-one", _upgrade_one_by_one, limit=30, trial=StreamTrial),
    Fault("stream-connections-cut", _cut, limit=30, trial=StreamTrial),
)
