"""Encode records as JSON or msgpack, and decode them.

A record is a dataclass, and its annotations say what each field holds. Its plain form consists of dictionaries, lists
and simple values, which both JSON and msgpack can express. Reading checks the type of every value; msgspec does that
(https://jcristharif.com/msgspec/).

A file name on Linux may consist of any bytes, and `os.fsdecode` turns such a name into text with lone surrogates. JSON
escapes the surrogates; msgpack carries the original bytes. msgspec refuses text that is not UTF-8. So json parses JSON,
and a record in msgpack holds such a text as `Raw`.
"""

import json
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import msgpack
import msgspec
from msgspec import Raw

MAX_JSON_BYTES = 16 * 2**20
"""Maximum size of a record in JSON. The card of the baseline has 27 kB."""

MAX_DEPTH = 50
"""Maximum number of lists and maps in each other in a record in JSON. Deeper ones would exhaust Python's stack."""

_MAX_SHOWN = 64  # bytes of a version in msgpack that may stand in a message

_Record = TypeVar("_Record")


class Damaged(ValueError):
    """The data is not the expected record. The message says where it differs."""


class OtherFormat(Damaged):
    """The record does not have the expected format.

    Attributes:
        found: Format of the record, as its shortened `repr`.
        expected: Formats that the reader accepts, in words: `1`, `1 or 2`.
    """

    def __init__(self, found: object, *expected: int) -> None:
        self.found, self.expected = reprlib.repr(found), " or ".join(map(str, expected))
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


def from_json(
    kind: type[_Record],
    text: str | bytes,
    *,
    format: int | None = None,  # noqa: A002  as above
    finite: bool = True,
) -> _Record:
    """Return the record that `to_json` wrote.

    Args:
        kind: Class of the record.
        text: JSON. It need not be valid.
        format: Only number that is accepted under the key `format`, or None to ignore the key.
        finite: Whether every number must be finite, as `to_json` writes it.

    Raises:
        OtherFormat: The key `format` holds another value.
        Damaged: The text is not JSON, is too large or too deep, holds a number that is not finite, or is not a record
            of this class.
    """
    if len(text) > MAX_JSON_BYTES:
        raise Damaged(f"more than {MAX_JSON_BYTES // 2**20} MiB of JSON")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Damaged(f"not JSON: {fault}") from None
    _check_values(body, finite=finite)
    if format is not None:
        _check_format(body, format)
    return from_plain(kind, body)


def to_msgpack(body: dict[str, Any], *, version: int, last: tuple[str, Sequence[memoryview]] | None = None) -> bytes:
    """Return the fields of a record as a msgpack map.

    Args:
        body: Up to 13 fields by name.
        version: Version of the record. It comes first in the map, under the key `v`.
        last: A field of many bytes that comes last, in pieces. They are copied once here, and three times by msgpack.
    """
    packed: bytes = msgpack.packb({"v": version, **body}, unicode_errors="surrogateescape")
    if last is None:
        return packed
    name, pieces = last
    size = sum(piece.nbytes for piece in pieces)
    width, kind = (1, b"\xc4") if size < 2**8 else (2, b"\xc5") if size < 2**16 else (4, b"\xc6")
    # The first byte of a map with few fields is their number.
    return b"".join(
        (bytes([packed[0] + 1]), packed[1:], msgpack.packb(name), kind, size.to_bytes(width, "big"), *pieces)
    )


def from_msgpack(kind: type[_Record], data: bytes, *, version: int | tuple[int, ...]) -> _Record:
    """Return the record whose fields `to_msgpack` wrote.

    Nothing is built but what the annotations of the record name. Untyped parsing would build whatever the data says,
    and a map in msgpack takes up to 72 times its size in memory. Lists and maps of a record should therefore be `Raw`,
    so that `from_raw` can check their length first.

    Args:
        kind: Class of the record.
        data: msgpack map. It need not be valid.
        version: Only version that is accepted, or several of them.

    Raises:
        OtherFormat: The key `v` holds another value.
        Damaged: The data is not msgpack, or is not a record of this class.
    """
    found = _decode(_Version, data).v
    versions = version if isinstance(version, tuple) else (version,)
    if bytes(found) not in _packed(versions):
        raise OtherFormat(_decode(Any, found) if len(bytes(found)) <= _MAX_SHOWN else "of many bytes", *versions)
    record: _Record = _decode(kind, data)
    return record


def from_raw(kind: type[_Record], raw: Raw, *, at_most: int) -> _Record:
    """Return a list or a map that a record holds in msgpack.

    Args:
        kind: Type of the list or map.
        raw: Its bytes.
        at_most: Maximum number of its elements.

    Raises:
        Damaged: It has more elements, or another type.
    """
    data = bytes(raw)
    first, size = data[0], {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}.get(data[0], 0)
    count = int.from_bytes(data[1 : 1 + size]) if size else first & 0x0F
    if count > at_most:
        raise Damaged(f"more than {at_most:,} elements")
    value: _Record = _decode(kind, data)
    return value


def text_from_raw(raw: Raw, *, at_most: int) -> str:
    """Return a text that a record holds in msgpack. It need not be UTF-8.

    Args:
        raw: Its bytes.
        at_most: Maximum number of characters.

    Raises:
        Damaged: It is longer, or not a text.
    """
    data = bytes(raw)
    if len(data) > 4 * at_most + 5:  # a character has at most four bytes, and the length before them five
        raise Damaged(f"a text of more than {at_most:,} characters")
    text = msgpack.unpackb(data, unicode_errors="surrogateescape")
    if not isinstance(text, str) or len(text) > at_most:
        raise Damaged(f"no text of at most {at_most:,} characters")
    return text


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


def _check_values(body: object, *, finite: bool) -> None:
    """Check what the annotations of a record may leave open: that `to_json` could have written it."""
    level = [body]
    for _ in range(MAX_DEPTH):
        if finite and any(isinstance(value, float) and not math.isfinite(value) for value in level):
            raise Damaged("a number is not finite")
        level = [
            inner
            for value in level
            if isinstance(value, list | dict)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise Damaged(f"more than {MAX_DEPTH} lists and maps in each other")


@dataclass(frozen=True, slots=True)
class _Version:
    """The version of a record in msgpack. The rest of it is skipped."""

    v: Raw


@cache
def _packed(versions: tuple[int, ...]) -> frozenset[bytes]:
    return frozenset(msgpack.packb(version) for version in versions)


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def _decode(kind: Any, data: bytes | Raw) -> Any:
    try:
        return _decoder(kind).decode(data)
    except msgspec.ValidationError as fault:
        raise Damaged(str(fault)) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise Damaged(f"not msgpack: {type(fault).__name__}") from None


def _check_format(body: Any, expected: int) -> None:
    if not isinstance(body, dict) or "format" not in body:
        raise Damaged("no map with the key format")
    if type(body["format"]) is not int or body["format"] != expected:
        raise OtherFormat(body["format"], expected)
