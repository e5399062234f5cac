"""The log of a process: lines of text, or one JSON object for each line. Messages that repeat are limited in rate."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import Context, ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

from model.printable import printable

TEXT, JSON = "text", "json"
"""The formats of a log."""

REPEATS, WINDOW_SECONDS = 20, 60.0
"""Number of messages of one kind that a process logs within a window. It counts the others, and says how many."""

KINDS = 500
"""Maximum number of kinds of messages that a process remembers."""

MAX_TEXT = 10_000
"""Maximum number of characters of a message, or of a traceback, in JSON."""

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))


@contextlib.contextmanager
def about(**fields: str) -> Iterator[None]:
    """Return a context in which each line of a JSON log has these fields, such as `job` and `batch`."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class TextFormatter(logging.Formatter):
    """Makes every message one printable line, because names and records from Redis must not forge lines of the log."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        """Return the line."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  as above
        """Return the traceback, with each of its lines indented."""
        return "\n".join(f"  {printable(line)}" for line in super().formatException(ei).split("\n"))


class JsonFormatter(logging.Formatter):
    """Makes every message a JSON object in ASCII on one line.

    Args:
        role: Role of the process.
        name: Name of the process, which the object has under the name of the role.
    """

    def __init__(self, role: str, name: str) -> None:
        super().__init__()
        self._itself = {"role": role, role: name}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:MAX_TEXT],
            "process": record.processName,
            **self._itself,
            **{field: value for field, value in _about.get().items() if value},
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)[-MAX_TEXT:]
        return json.dumps(fields)


class _Window(NamedTuple):
    """The messages of one kind in a minute."""

    until: float
    number: int
    latest: logging.LogRecord


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes what is logged, but no more than `REPEATS` messages of one kind within `WINDOW_SECONDS`.

    Messages are of one kind if they differ only in what is put into them. When the window is over, the next message of
    any kind brings out how many were left out.

    Args:
        stream: Where to write.
        clock: Function that returns a time in seconds, which is never set back.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._kinds: dict[tuple[str, int, str], _Window] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message, unless there were too many of its kind."""
        try:
            self._emit(record)
        except Exception:  # as with other handlers, a message that cannot be formatted harms nobody who logs it
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        now = self._clock()
        for kind in [kind for kind, window in self._kinds.items() if now >= window.until]:
            self._sum_up(kind)
        # Nothing but an argument says what "%s" is about.
        key = record.name, record.levelno, record.getMessage() if record.msg == "%s" else str(record.msg)
        if len(self._kinds) >= KINDS and key not in self._kinds:
            self._sum_up(next(iter(self._kinds)))
        before = self._kinds.get(key)
        self._kinds[key] = window = (
            _Window(before.until, before.number + 1, record) if before else _Window(now + WINDOW_SECONDS, 1, record)
        )
        if window.number <= REPEATS:
            super().emit(record)

    def _sum_up(self, kind: tuple[str, int, str]) -> None:
        """Forget the messages of one kind, and write how many of them were left out."""
        window = self._kinds.pop(kind)
        if (left_out := window.number - REPEATS) > 0:
            last = window.latest
            text = f"{left_out} more messages like this were left out within a minute: {last.getMessage()}"
            summary = logging.LogRecord(last.name, last.levelno, last.pathname, last.lineno, "%s", (text,), None)
            # The fields of `about` belong to the message that brings out this one.
            Context().run(super().emit, summary)


def make_handler(stream: TextIO, log_format: str, *, role: str, name: str) -> logging.Handler:
    """Return the handler of a process.

    Args:
        stream: Where to write.
        log_format: `TEXT` or `JSON`.
        role: Role of the process.
        name: Name of the process.
    """
    handler = LimitedHandler(stream)
    handler.setFormatter(JsonFormatter(role, name) if log_format == JSON else TextFormatter())
    return handler
