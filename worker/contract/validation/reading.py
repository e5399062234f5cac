"""Turns damage in Redis into errors of the queue, and checks the values of records."""

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from model.records import Damaged, OtherFormat
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.validation.bounds import MAX_COUNT
from worker.contract.validation.identifiers import Kind, read, shown

LAST_MOMENT = 253402300799.0
"""The last second of the year 9999, beyond which no calendar goes: unix time."""

_PIPELINED = re.compile(r"\(\w+ ([^ )]+)")

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A record in Redis that cannot be read.

    Attributes:
        name: What it is the record of, in printable ASCII.
        problem: Why it cannot be read, and what to do.
    """

    name: str
    problem: str


class Listed(list[_Record]):
    """The records of a list that can be read.

    Attributes:
        damaged: The others. They never hide the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.damaged: list[DamagedRecord] = []

    def names(self, kind: Kind, stored: Iterable[bytes]) -> list[str]:
        """Return the identifiers of that kind, in their order, and note that the others are damaged."""
        found = []
        for name in stored:
            try:
                found.append(read(kind, name))
            except WireError as fault:
                self.damaged.append(DamagedRecord(shown(name), str(fault)))
        return found

    def add(self, name: str | bytes, record: Callable[[], _Record]) -> None:
        """Add the record that `record` returns, or note that it is damaged.

        Args:
            name: What it is the record of, as it stands in Redis.
            record: Function that returns the record, or raises WireError.
        """
        try:
            self.append(record())
        except WireError as fault:
            self.damaged.append(DamagedRecord(shown(name), str(fault)))


class reading:  # noqa: N801  a context manager, which is called like a function
    """Turns any error that a damaged record causes while it is read into an error with a remedy.

    It is a class, because `contextlib` takes longer than reading a small record.

    Args:
        what: The record, as the subject of a sentence: "This batch record".
        remedy: One sentence that says what to do about a damaged record.

    Raises:
        UnknownFormat: The record has a format that this program does not read.
        WireError: The record is damaged.
    """

    __slots__ = ("_remedy", "_what")

    def __init__(self, what: str, *, remedy: str) -> None:
        self._what, self._remedy = what, remedy

    def __enter__(self) -> None:
        """Begin to read."""

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        """Raise the error with the remedy, if there is a fault."""
        if fault is None:
            return
        if isinstance(fault, OtherFormat):
            raise UnknownFormat(
                f"{self._what} has format {fault.found}, and this program reads format {fault.expected}. "
                "Run the same version of digitmill everywhere."
            ) from None
        if isinstance(fault, Damaged):
            raise WireError(f"{self._what} is damaged ({fault}). {self._remedy}") from None
        if isinstance(fault, KeyError | ValueError | OverflowError):
            raise WireError(f"{self._what} is damaged ({type(fault).__name__}). {self._remedy}") from None


def count(text: str | bytes | None) -> int:
    """Return a counter of a record; 0 if there is none.

    Raises:
        ValueError: It is not a number from 0 to `MAX_COUNT`.
    """
    number = int(text or 0)
    if not 0 <= number <= MAX_COUNT:
        raise Damaged("a counter is out of range")
    return number


def moment(seconds: str | bytes | float) -> float:
    """Return a time of a record: unix time, seconds.

    Raises:
        ValueError: It is not a number, or no calendar has such a time.
    """
    time = float(seconds)
    if not 0 <= time <= LAST_MOMENT:
        raise Damaged("a time is out of range")
    return time


def finite(text: str | bytes) -> float:
    """Return a number of a record.

    Raises:
        ValueError: It is not a finite number.
    """
    number = float(text)
    if not math.isfinite(number):
        raise Damaged("a number is not finite")
    return number


class CheckedRedis:
    """A client of Redis whose errors name the key that holds another type than a command expects.

    Somebody else has written such a key, and what was there before is lost.

    Args:
        client: Client of `connection.connect`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._client, name)
        return _naming_key(command) if callable(command) else command

    def pipeline(self, **options: Any) -> Any:
        """Return a pipeline whose errors name the key, too."""
        pipeline = self._client.pipeline(**options)
        pipeline.execute = _naming_key(pipeline.execute)
        return pipeline


def wrong_type(key: str | bytes) -> WireError:
    """Return the error for a key that holds another type than digitmill stores there."""
    name = shown(key)
    return WireError(
        f"{name} in Redis does not hold what digitmill stores there, because somebody else wrote it. "
        f"`redis-cli DEL {name}` removes it."
    )


@contextlib.contextmanager
def naming(key: str) -> Iterator[None]:
    """Turn the error of a script that meets another type than digitmill stores under a key into one that names the key.

    Raises:
        WireError: The key holds another type.
    """
    try:
        yield
    except ResponseError as fault:
        if "WRONGTYPE" not in str(fault):
            raise
        raise wrong_type(key) from None


def hash_of(key: str, reply: Any) -> dict[bytes, bytes] | WireError:
    """Return a hash from a reply of `record.lua`, or why there is none.

    Args:
        key: Key of the hash.
        reply: Reply of the script, or the error that it raised.
    """
    if isinstance(reply, ResponseError):
        return wrong_type(key)
    if not isinstance(reply, list):
        return WireError(f"{key} in Redis is too large for a record. `redis-cli DEL {key}` removes it.")
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _naming_key(command: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except ResponseError as fault:
            if "WRONGTYPE" not in str(fault):
                raise
            found = _PIPELINED.search(str(fault))
            key = found[1] if found else next(iter(arguments), "a key")
            raise wrong_type(key[0] if isinstance(key, list) else key) from None

    return call
