"""The mill behind the server: whether it can answer now, and the clients that send it images."""

import asyncio
import logging
import math
import threading
import time
from typing import NamedTuple

from redis.exceptions import RedisError

from model.errors import DigitmillError, UsageError
from producer.calls.asynchronous import AsyncClient
from producer.calls.causes import workers_of
from producer.http.errors import HttpError, bad_parameter, busy, unavailable
from producer.mill.finding import CALLING, Reached, find_mill_url, reach_running_mill
from worker.contract.connection import as_error
from worker.contract.errors import LaneFull, NotPermitted, NoWorkers, UnsuitableServer
from worker.contract.lane import LANE_VERSION, CallKind, Lane
from worker.contract.lane.lane import MAX_WAITING
from worker.settings import Settings

LOOK_SECONDS = 1.0
"""Time between two looks at the mill."""

PATIENCE_SECONDS = 3.0
"""Time for which requests wait for a mill that has gone away. After that they are refused at once."""

_log = logging.getLogger(__name__)


class Problem(NamedTuple):
    """Why the mill cannot answer now.

    Attributes:
        code: Reason, for programs.
        public: Reason for anybody, without addresses.
        message: Reason with its details.
    """

    code: str
    public: str
    message: str

    def error(self) -> HttpError:
        """Return the error of a request that cannot be answered for this reason."""
        return busy(self.message, self.code) if self is _FULL else unavailable(self.code, self.message)


_STARTING = Problem("starting", "The server is starting.", "The server is starting.")
_FULL = Problem(
    "lane_full",
    "The lane is full.",
    "The lane is full, because clients send more images than the workers classify. Send yours again a little later.",
)


class MillWatch:
    """Looks at the mill once a second, in a thread of its own.

    Args:
        settings: Settings of this process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reached: Reached | None = None
        self._problem: Problem | None = _STARTING
        self._fault: DigitmillError | None = None
        self._well = -math.inf  # time at which the mill could last answer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="digitmill-watch", daemon=True)

    def start(self) -> None:
        """Look for the first time, and begin to watch.

        Raises:
            NotPermitted: The Redis user may not send images.
            UnsuitableServer: Redis can never do the work.
        """
        self.look()
        if isinstance(self._fault, NotPermitted | UnsuitableServer):
            raise self._fault
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()

    @property
    def problem(self) -> Problem | None:
        """Why the mill cannot answer now, as far as is known, or None."""
        return self._problem

    @property
    def lasting_problem(self) -> Problem | None:
        """A problem that a request should not wait for."""
        problem = self._problem
        lasts = problem is _FULL or time.monotonic() - self._well > PATIENCE_SECONDS
        return problem if lasts else None

    def reached(self) -> Reached:
        """Return the Redis of the mill.

        Raises:
            HttpError: None was reached yet.
        """
        if self._reached is None:
            raise (self._problem or _STARTING).error()
        return self._reached

    def look(self) -> None:
        """Look at the mill, and log what has changed."""
        found = self._look()
        before, self._problem = self._problem, found
        if found is None:
            self._well = time.monotonic()
        if (before and before.code) != (found and found.code):
            if found:
                _log.warning("%s", found.message)
            elif before is not _STARTING:
                _log.warning("The mill can answer again.")

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                _log.exception("digitmill itself failed to look at the mill")

    def _look(self) -> Problem | None:
        self._fault = None
        try:
            url = find_mill_url(self._settings)
            if self._reached is None or url not in {None, self._reached.url}:  # a mill has started on this machine
                self._reached = reach_running_mill(self._settings, needs=CALLING, warn=False)
                self._lane = Lane(self._reached.client)
            reached = self._reached
            workers = workers_of(reached.client)
            full = any(self._lane.standing(kind).waiting >= MAX_WAITING for kind in CallKind)
        except RedisError as fault:
            where = self._reached.where if self._reached else "Redis"
            self._fault = as_error(fault, where)
        except DigitmillError as fault:
            self._fault = fault
        if self._fault:
            public = "Redis refuses the server's user." if isinstance(self._fault, NotPermitted) else "Redis is away."
            return Problem("unreachable", public, str(self._fault))
        if not any(worker.ready and worker.lane == LANE_VERSION for worker in workers):
            public = "No worker answers single images."
            return Problem("no_workers", public, f"{public} Start workers with `digitmill up`.")
        return _FULL if full else None


class SharedClient:
    """The client of the mill that all requests share. It opens when the first one needs it.

    Args:
        watch: The mill.
        timeout: Seconds within which an image is answered or fails.
    """

    def __init__(self, watch: MillWatch, timeout: float) -> None:
        self._watch = watch
        self._timeout = timeout
        self._clients: dict[str, AsyncClient] = {}  # by URL, because another mill may start on this machine
        self._opening = asyncio.Lock()

    async def get(self) -> AsyncClient:
        """Return the client.

        Raises:
            HttpError: No mill was reached yet.
            DigitmillError: The mill does not answer.
        """
        return self.at_hand() or await self._open(self._watch.reached().url)

    def at_hand(self) -> AsyncClient | None:
        """Return the client if it is open.

        Raises:
            HttpError: No mill was reached yet.
        """
        return self._clients.get(self._watch.reached().url)

    async def close(self) -> None:
        """Close the client. What has no answer yet fails."""
        async with self._opening:
            clients = [*self._clients.values()]
            self._clients.clear()
        await asyncio.gather(*map(_close, clients))

    async def _open(self, url: str) -> AsyncClient:
        async with self._opening:
            if url not in self._clients:
                client = AsyncClient(url, timeout=self._timeout, min_confidence=0.0)  # each request has its own
                self._clients[url] = await client.__aenter__()
            return self._clients[url]


async def _close(client: AsyncClient) -> None:
    """Close a client as after an error, so that it does not wait for answers."""
    await client.__aexit__(asyncio.CancelledError, None, None)


def error_of(fault: DigitmillError, watch: MillWatch) -> HttpError:
    """Return the error of a request that the mill did not answer.

    Args:
        fault: Error of the client.
        watch: What is known about the mill.
    """
    if isinstance(fault, NoWorkers):
        problem = _FULL if isinstance(fault, LaneFull) else watch.problem
        return problem.error() if problem else HttpError(504, "timeout", str(fault))
    if isinstance(fault, UsageError):  # the version is gone
        return bad_parameter(str(fault))
    return unavailable("unreachable", str(fault))
