"""How records become bytes, and how bytes become records. No other module knows.

A record is a named tuple or a dataclass, and its annotations say what each field holds. Its plain form consists of
dictionaries, lists and simple values, which both JSON and msgpack can express. Reading checks the type of every value.

Text may be any that `os.fsdecode` returns, because a file name on Linux may be any bytes: JSON escapes what is not
UTF-8, and msgpack carries the bytes themselves.
"""

import json
import reprlib
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgpack

_Record = TypeVar("_Record")
_Reader = Callable[[Any], Any]

_SIMPLE: dict[Any, frozenset[type]] = {kind: frozenset({kind}) for kind in (bool, int, str, bytes)}
_SIMPLE[float] = frozenset({float, int})


class Damaged(ValueError):
    """What was read is not the record that was expected; the message says where it differs."""


class OtherFormat(Damaged):
    """The record has another format than the one that was expected.

    Attributes:
        found: Format of the record, as text.
        expected: The format that would have been read.
    """

    def __init__(self, found: object, expected: int) -> None:
        self.found, self.expected = reprlib.repr(found), expected
        super().__init__(f"format {self.found}")


def to_json(record: object, *, format: int | None = None, indent: int | None = None) -> str:  # noqa: A002  the key's name
    """Return a record as JSON, ASCII only.

    Args:
        record: Named tuple or dataclass.
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
        text: JSON, or anything else.
        format: The only number that is accepted under the key `format`, or None to ignore the key.

    Raises:
        OtherFormat: The number under `format` is another one.
        Damaged: It is not such a record.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Damaged(f"not JSON: {fault}") from None
    if format is not None:
        _check_format(body, "format", format)
    return from_plain(kind, body)


def to_msgpack(body: dict[str, Any], *, version: int) -> bytes:
    """Return the fields of a record as a msgpack map that begins with its version under the key `v`."""
    packed: bytes = msgpack.packb({"v": version, **body}, unicode_errors="surrogateescape")
    return packed


def from_msgpack(kind: type[_Record], data: bytes, *, version: int) -> _Record:
    """Return the record whose fields `to_msgpack` wrote.

    Args:
        kind: Class of the record.
        data: A msgpack map, or anything else.
        version: The only version that is accepted.

    Raises:
        OtherFormat: The version is another one.
        Damaged: It is not such a record.
    """
    try:
        # msgpack compares every length with that of `data`, so a small record cannot claim a lot of memory.
        body = msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogateescape")
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as fault:
        # TypeError: a msgpack map may have lists as keys, and a dictionary may not.
        raise Damaged(f"not msgpack: {type(fault).__name__}") from None
    _check_format(body, "v", version)
    return from_plain(kind, body)


def as_plain(value: Any) -> Any:
    """Return a record, and whatever it consists of, as dictionaries, lists and simple values."""
    if value is None or type(value) in _SIMPLE:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_plain(each) for name, each in value._asdict().items()}
    if isinstance(value, dict):
        return {name: as_plain(each) for name, each in value.items()}
    return [as_plain(each) for each in value] if isinstance(value, list) else value


def from_plain(kind: type[_Record], value: Any) -> _Record:
    """Return the record whose plain form is `value`.

    Keys that the record does not have are ignored, and fields that have a default may be missing, because another
    version may have written the record.

    Args:
        kind: Class of the record. Its annotations may be `bool`, `int`, `float`, `str`, `bytes`, `Any`, records,
            `list`, `dict` and fixed `tuple` of such, and any of these or None.
        value: What JSON or msgpack gave.

    Raises:
        Damaged: A value has another type, or a field is missing.
    """
    reader: Callable[[Any], _Record] = _reader(kind)  # type: ignore[arg-type]  # a class is hashable
    return reader(value)


def _check_format(body: Any, key: str, expected: int) -> None:
    if not isinstance(body, dict) or key not in body:
        raise Damaged(f"no map with the key {key}")
    if type(body[key]) is not int or body[key] != expected:
        raise OtherFormat(body[key], expected)


@cache
def _reader(kind: Any) -> _Reader:
    """Return the function that checks a plain value and makes a value of type `kind` of it."""
    if kind is Any:
        return lambda value: value
    if kind in _SIMPLE:
        return _simple_reader(kind)
    make = {UnionType: _optional_reader, list: _list_reader, dict: _dict_reader, tuple: _tuple_reader}
    origin = UnionType if isinstance(kind, UnionType) else get_origin(kind)
    return make[origin](*get_args(kind)) if origin else _record_reader(kind)


def _simple_reader(kind: type) -> _Reader:
    allowed = _SIMPLE[kind]

    def read(value: Any) -> Any:
        if type(value) not in allowed:
            raise _unexpected(kind.__name__, value)
        return value

    return read


def _optional_reader(*kinds: Any) -> _Reader:
    [read] = (_reader(each) for each in kinds if each is not NoneType)
    return lambda value: None if value is None else read(value)


def _list_reader(kind: Any) -> _Reader:
    allowed, read_one = _SIMPLE.get(kind), _reader(kind)

    def read(value: Any) -> Any:
        if type(value) is not list:
            raise _unexpected("list", value)
        if allowed and allowed.issuperset(map(type, value)):  # at the speed of C: a batch has hundreds of names
            return value
        return [read_one(each) for each in value]

    return read


def _dict_reader(key_kind: Any, value_kind: Any) -> _Reader:
    read_key, read_value = _reader(key_kind), _reader(value_kind)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected("dict", value)
        return {read_key(key): read_value(each) for key, each in value.items()}

    return read


def _tuple_reader(*kinds: Any) -> _Reader:
    readers = [_reader(each) for each in kinds]

    def read(value: Any) -> Any:
        if type(value) is not list or len(value) != len(readers):
            raise _unexpected(f"list of {len(readers)}", value)
        return tuple(read_one(each) for read_one, each in zip(readers, value, strict=True))

    return read


def _record_reader(kind: Any) -> _Reader:
    readers = {name: _reader(each) for name, each in get_type_hints(kind).items()}
    if is_dataclass(kind):
        optional = {each.name for each in fields(kind) if (each.default, each.default_factory) != (MISSING, MISSING)}
    else:
        optional = set(kind._field_defaults)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected(kind.__name__, value)
        given = {}
        for name, read_one in readers.items():
            if name in value:
                try:
                    given[name] = read_one(value[name])
                except Damaged as fault:
                    raise Damaged(f"{name}: {fault}") from None
            elif name not in optional:
                raise Damaged(f"{name} is missing")
        return kind(**given)

    return read


def _unexpected(expected: str, value: Any) -> Damaged:
    return Damaged(f"expected {expected}, found {reprlib.repr(value)}")
