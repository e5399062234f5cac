"""Records to plain JSON values and back, by the types that they declare: named tuples and dataclasses alike."""

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints


def plain(value: Any) -> Any:
    """A record, whatever it consists of, as dictionaries, lists and simple values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def typed(kind: Any, value: Any) -> Any:
    """The value of type `kind` that `plain` made `value` of.

    Keys that a record does not have are left out, and those that have a default may be missing: other versions wrote
    or will read it.

    Args:
        kind: a record, a list or dictionary of something, a simple type, Any, or one of these or None.
        value: as JSON is read.

    Raises:
        TypeError: it is of another type, or something is missing from it.
    """
    kinds = get_args(kind)
    if kind is Any:
        return value
    if isinstance(kind, UnionType):
        [other] = (each for each in kinds if each is not NoneType)
        return None if value is None else typed(other, value)
    origin = get_origin(kind) or kind
    is_record = is_dataclass(kind) or hasattr(kind, "_fields")
    expected: Any = dict if is_record else (float, int) if kind is float else origin
    if not isinstance(value, expected):
        raise TypeError(f"{value!r:.40} is no {origin.__name__}")
    if is_record:
        return kind(**{name: typed(each, value[name]) for name, each in get_type_hints(kind).items() if name in value})
    if origin is list:
        return [typed(kinds[0], each) for each in value]
    if origin is dict:
        return {name: typed(kinds[1], each) for name, each in value.items()}
    return value
