"""Encode records as JSON or msgpack, and decode them.

A record is a dataclass, and its annotations say what each field holds. Its plain form consists of dictionaries, lists
and simple values, which both JSON and msgpack can express. Reading checks the type of every value; msgspec does that
(https://jcristharif.com/msgspec/).

json and msgpack parse the bytes, not msgspec, because msgspec refuses text that is not UTF-8. A file name on Linux may
consist of any bytes, and `os.fsdecode` turns such a name into text with lone surrogates. JSON escapes the surrogates;
msgpack carries the original bytes.
"""

import json
import reprlib
from typing import Any, TypeVar

import msgpack
import msgspec

_Record = TypeVar("_Record")


class Damaged(ValueError):
    """The data is not the expected record. The message says where it differs."""


class OtherFormat(Damaged):
    """The record does not have the expected format.

    Attributes:
        found: Format of the record, as its shortened `repr`.
        expected: Format that the reader accepts.
    """

    def __init__(self, found: object, expected: int) -> None:
        self.found, self.expected = reprlib.repr(found), expected
        super().__init__(f"format {self.found}")


def to_json(record: object, *, format: int | None = None, indent: int | None = None) -> str:  # noqa: A002  the key's name
    """Return a record as JSON, in ASCII only.

    Args:
        record: Dataclass or dictionary.
        format: Number to write under the key `format`, or None to write none.
        indent: Spaces per level for people to read, or None for one line.

    Raises:
        ValueError: A number is not finite, which JSON cannot express.
    """
    head = {} if format is None else {"format": format}
    return json.dumps({**head, **as_plain(record)}, indent=indent, allow_nan=False)


def from_json(kind: type[_Record], text: str | bytes, *, format: int | None = None) -> _Record:  # noqa: A002  as above
    """Return the record that `to_json` wrote.

    Args:
        kind: Class of the record.
        text: JSON. It need not be valid.
        format: Only number that is accepted under the key `format`, or None to ignore the key.

    Raises:
        OtherFormat: The key `format` holds another value.
        Damaged: The text is not JSON, or is not a record of this class.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Damaged(f"not JSON: {fault}") from None
    if format is not None:
        _check_format(body, "format", format)
    return from_plain(kind, body)


def to_msgpack(body: dict[str, Any], *, version: int) -> bytes:
    """Return the fields of a record as a msgpack map.

    Args:
        body: Fields by name.
        version: Version of the record. It comes first in the map, under the key `v`.
    """
    packed: bytes = msgpack.packb({"v": version, **body}, unicode_errors="surrogateescape")
    return packed


def from_msgpack(kind: type[_Record], data: bytes, *, version: int) -> _Record:
    """Return the record whose fields `to_msgpack` wrote.

    Args:
        kind: Class of the record.
        data: msgpack map. It need not be valid.
        version: Only version that is accepted.

    Raises:
        OtherFormat: The key `v` holds another value.
        Damaged: The data is not msgpack, or is not a record of this class.
    """
    try:
        # msgpack compares every length with that of `data`, so a small record cannot claim a lot of memory.
        body = msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogateescape")
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as fault:
        # TypeError: a msgpack map may have lists as keys, and a dictionary may not.
        raise Damaged(f"not msgpack: {type(fault).__name__}") from None
    _check_format(body, "v", version)
    return from_plain(kind, body)


def as_plain(value: object) -> Any:
    """Return a record as dictionaries, lists and simple values, including the records inside it."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def from_plain(kind: type[_Record], value: object) -> _Record:
    """Return the record that has this plain form.

    Unknown keys are ignored, and a field with a default may be missing, because another version may have written the
    record.

    Args:
        kind: Class of the record.
        value: Plain form, as `as_plain` returns it and as JSON or msgpack is parsed.

    Raises:
        Damaged: A value has the wrong type, or a field without a default is missing.
    """
    try:
        return msgspec.convert(value, kind, builtin_types=(bytes,))
    except (msgspec.ValidationError, RecursionError) as fault:
        raise Damaged(str(fault)) from None


def _check_format(body: Any, key: str, expected: int) -> None:
    if not isinstance(body, dict) or key not in body:
        raise Damaged(f"no map with the key {key}")
    if type(body[key]) is not int or body[key] != expected:
        raise OtherFormat(body[key], expected)
