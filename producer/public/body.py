"""What all JSON has in common: objects with known keys, times in UTC, and how they become text."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from model.records import as_plain

if TYPE_CHECKING:
    from worker.contract.validation.reading import DamagedRecord

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A time in UTC with milliseconds, as in ISO 8601: `2026-11-26T08:30:00.000Z`."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A share or a probability, 0 to 1."""

_to_json = json.JSONEncoder(allow_nan=False).encode  # `json.dumps` would make an encoder each time

Digit = Annotated[int, msgspec.Meta(ge=0, le=9)]
"""A digit."""


class Body(msgspec.Struct, kw_only=True, frozen=True):
    """A JSON object. An attribute that is `UNSET` has no key, and every other one always has its key."""


class Document(Body, tag_field="format", tag=1, kw_only=True, frozen=True):
    """A JSON object that stands alone. Its key `format` is the number of its form.

    A new key keeps the number. A key that is removed, or that means something else, raises it.
    """


class Damaged(Body, kw_only=True, frozen=True):
    """A record in Redis that cannot be read.

    Attributes:
        name: What it is.
        problem: What is wrong with it.
    """

    name: str
    problem: str


def damaged(records: "Iterable[DamagedRecord]") -> list[Damaged]:
    """Return the records that cannot be read."""
    return [Damaged(name=record.name, problem=record.problem) for record in records]


def time_of(seconds: float) -> Time:
    """Return a unix time, in seconds, as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_if(seconds: float | None) -> Time | None:
    """Return a unix time, in seconds, as text, or None if there is none."""
    return None if seconds is None else time_of(seconds)


def to_text(body: Body | dict[str, Any]) -> str:
    """Return an object as JSON in one line, in ASCII only, because a name may not be UTF-8.

    Raises:
        ValueError: A number is not finite, which JSON cannot express.
    """
    return _to_json(as_plain(body))
