"""`GET /v1/jobs` and `GET /v1/jobs/{job}`: what the commands `jobs` and `show` print with `--json`."""

import asyncio
import threading
from typing import Any

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from model.errors import DataError, UsageError
from producer.http.errors import HttpError, bad_parameter, unavailable
from producer.http.mill import MillWatch
from producer.jobs.recovery import current_loss, shown_job
from producer.mill.connection import Connection
from producer.mill.finding import open_mill
from producer.public.body import Document, to_text
from producer.public.jobs import list_of
from worker.contract.connection import as_error
from worker.contract.errors import Unreachable, UnsuitableServer, WireError
from worker.settings import Settings

MAX_LATEST, LATEST = 1000, 20
"""Maximum and default number of jobs in the list."""


class Jobs:
    """The two endpoints. Their calls of Redis run in threads.

    Args:
        settings: Settings of this process.
        watch: What is known about the mill.
    """

    def __init__(self, settings: Settings, watch: MillWatch) -> None:
        self._settings, self._watch = settings, watch
        self._connection: Connection | None = None
        self._opening = threading.Lock()

    async def latest(self, request: Request) -> Response:
        """Return the latest jobs, newest first."""
        for name in request.query_params:
            if name != "latest":
                raise bad_parameter(f"{name[:40]!r} is not a parameter. The only one is latest.")
        text = request.query_params.get("latest", str(LATEST))
        if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_LATEST):
            raise bad_parameter(f"latest must be a number from 1 to {MAX_LATEST:,}.")
        return await self._respond(self._list, int(text))

    async def one(self, request: Request) -> Response:
        """Return one job."""
        return await self._respond(self._show, request.path_params["job"])

    async def _respond(self, read: Any, *arguments: Any) -> Response:
        problem = self._watch.lasting_problem
        if problem and problem.code == "unreachable":
            raise problem.error()
        try:
            body = await asyncio.to_thread(read, *arguments)
        except RedisError as fault:
            raise unavailable("unreachable", str(as_error(fault))) from fault
        except (Unreachable, UnsuitableServer) as fault:
            raise unavailable("unreachable", str(fault)) from fault
        except UsageError as fault:
            raise HttpError(404, "no_such_job", str(fault)) from None
        except (DataError, WireError) as fault:
            raise HttpError(500, "damaged", str(fault)) from fault
        return Response(to_text(body), media_type="application/json")

    def _list(self, latest: int) -> Document:
        found = self._open().ledger.jobs(latest=latest, little=False)
        return list_of(found, found.damaged)

    def _show(self, query: str) -> Document:
        connection = self._open()
        status = connection.ledger.job(connection.ledger.find_job(query))
        return shown_job(status, current_loss(connection, status, self._settings))

    def _open(self) -> Connection:
        reached = self._watch.reached()
        with self._opening:
            if self._connection is None or self._connection.where != reached.where:
                self._connection = open_mill(reached.url, self._settings, warn=False)
            return self._connection
