"""Records are read back as they were written. Anything else is refused, and the message names the place."""

import tracemalloc
from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from model.records import (
    MAX_JSON_BYTES,
    Damaged,
    OtherFormat,
    as_plain,
    from_json,
    from_msgpack,
    from_plain,
    from_raw,
    text_from_raw,
    to_json,
    to_msgpack,
)

FORMAT = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A record inside a record."""

    name: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A record with every kind of field that JSON can hold."""

    number: int
    flag: bool
    parts: list[Part]
    counts: dict[str, int]
    pair: Part
    anything: Any
    optional: str | None = None
    more: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Packed:
    """A record with the kinds of field that only msgpack can hold."""

    data: bytes
    names: list[bytes]
    failures: dict[int, tuple[bytes, str]]


# Text as `os.fsdecode` returns it: any characters, and any bytes that are not UTF-8.
texts = st.one_of(st.text(), st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
parts = st.builds(Part, texts, st.none() | st.floats(allow_nan=False, allow_infinity=False))
wholes = st.builds(
    Whole,
    st.integers(),
    st.booleans(),
    st.lists(parts, max_size=3),
    st.dictionaries(texts, st.integers(), max_size=3),
    parts,
    st.recursive(st.none() | st.booleans() | texts, lambda inner: st.lists(inner, max_size=2), max_leaves=4),
    st.none() | texts,
    st.lists(texts, max_size=3),
)
packed = st.builds(
    Packed,
    st.binary(),
    st.lists(st.binary(), max_size=3),
    st.dictionaries(st.integers(0, 9), st.tuples(st.binary(), st.text()), max_size=3),
)
PLAIN: dict[str, Any] = {
    "number": 1,
    "flag": True,
    "parts": [{"name": "a", "share": 0.5}],
    "counts": {"a": 1},
    "pair": {"name": "b"},
    "anything": [1],
}


@given(wholes)
def test_a_record_comes_back_from_json_as_it_was(whole: Whole) -> None:
    """A record is read back from JSON equal, with the types of its parts, even if its text is not UTF-8."""
    text = to_json(whole, format=FORMAT)
    assert text.isascii()
    back = from_json(Whole, text, format=FORMAT)
    assert back == whole
    assert type(back.pair) is Part
    assert from_json(Whole, text.encode(), format=FORMAT) == whole
    assert from_plain(Whole, as_plain(whole)) == whole


@given(packed)
def test_a_record_comes_back_from_msgpack_as_it_was(record: Packed) -> None:
    """A record with bytes, numbers as keys and pairs is read back from msgpack equal."""
    assert from_msgpack(Packed, to_msgpack(as_plain(record), version=FORMAT), version=FORMAT) == record


@dataclass(frozen=True, slots=True)
class Unread:
    """A record with values that are checked before they are built."""

    values: Raw


def unread(values: object) -> Raw:
    """Return values as a record in msgpack holds them."""
    return from_msgpack(Unread, to_msgpack({"values": values}, version=FORMAT), version=FORMAT).values


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("fields", [0, 3, 13])
def test_a_large_field_at_the_end_is_one_like_any_other(size: int, fields: int) -> None:
    """It only takes less time to write, and may come in pieces."""
    body, value = {f"field {index}": index for index in range(fields)}, bytes(size)
    pieces = [memoryview(value)[: size // 3], memoryview(value)[size // 3 :]]
    encoded = to_msgpack(body, version=1, last=("raw", pieces))
    assert encoded == to_msgpack({**body, "raw": value}, version=1)


@given(texts)
def test_a_text_that_is_not_utf8_comes_back_from_msgpack(text: str) -> None:
    """A text whose bytes are not UTF-8 travels as it is, and is refused if it is longer than the reader allows."""
    assert text_from_raw(unread(text), at_most=len(text)) == text
    if text:
        with pytest.raises(Damaged, match="characters"):
            text_from_raw(unread(text), at_most=len(text) - 1)


@pytest.mark.parametrize("wrong", [b"bytes", 1, None, [], {}, ["a"]])
def test_what_is_not_a_text_is_refused(wrong: object) -> None:
    """A value of another type is not taken for a text."""
    with pytest.raises(Damaged, match="no text"):
        text_from_raw(unread(wrong), at_most=100)


@given(st.lists(st.binary(max_size=3), max_size=70_000) | st.just([b""] * 70_000), st.data())
@settings(max_examples=30)
def test_a_list_is_counted_before_it_is_built(items: list[bytes], data: st.DataObject) -> None:
    """A list or map with more elements than allowed is refused, however its length is written."""
    for value, kind in ((items, list[bytes]), (dict(enumerate(items)), dict[int, bytes])):
        assert from_raw(kind, unread(value), at_most=len(items)) == value
        if items:
            with pytest.raises(Damaged, match="elements"):
                from_raw(kind, unread(value), at_most=data.draw(st.integers(0, len(items) - 1)))


def test_a_record_takes_no_more_memory_than_its_annotations_say() -> None:
    """A megabyte of empty maps would take 72 MB as Python objects. They are refused or skipped, but never built."""
    bomb = b"\xdd" + (2**20).to_bytes(4, "big") + b"\x80" * 2**20
    fields = {b"data": b"\xc4\x00", b"names": b"\x90", b"failures": b"\x80", b"unknown": bomb}
    tracemalloc.start()
    try:
        for wrong in (b"data", b"names", b"failures", b"unknown"):
            body = fields | {b"unknown": b"\xc0"} | {wrong: bomb}
            packed = [b"\x85", b"\xa1v", msgpack.packb(FORMAT)]
            packed += [part for name, value in body.items() for part in (msgpack.packb(name.decode()), value)]
            data = b"".join(packed)
            if wrong == b"unknown":
                assert from_msgpack(Packed, data, version=FORMAT) == Packed(b"", [], {})
            else:
                with pytest.raises(Damaged):
                    from_msgpack(Packed, data, version=FORMAT)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_other_versions_may_know_more_or_fewer_fields() -> None:
    """A key that the record does not have is ignored, and a field with a default may be missing."""
    newer = PLAIN | {"added later": 1, "pair": {"name": "b", "added later": 1}}
    assert from_plain(Whole, newer) == Whole(1, True, [Part("a", 0.5)], {"a": 1}, Part("b"), [1])


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"number": "1"}, r"Expected `int`, got `str` - at `\$\.number`"),
        ({"number": True}, r"Expected `int`, got `bool` - at `\$\.number`"),
        ({"number": 1.0}, r"Expected `int`, got `float` - at `\$\.number`"),
        ({"flag": 1}, r"Expected `bool`, got `int` - at `\$\.flag`"),
        ({"parts": {}}, r"Expected `array`, got `object` - at `\$\.parts`"),
        (
            {"parts": [{"name": "a", "share": "half"}]},
            r"Expected `float \| null`, got `str` - at `\$\.parts\[0\]\.share`",
        ),
        ({"parts": [["a", 0.5]]}, r"Expected `object`, got `array` - at `\$\.parts\[0\]`"),
        ({"counts": {"a": None}}, r"Expected `int`, got `null` - at `\$\.counts"),
        ({"counts": []}, r"Expected `object`, got `array` - at `\$\.counts`"),
        ({"pair": {}}, r"missing required field `name` - at `\$\.pair`"),
        ({"optional": 1}, r"Expected `str \| null`, got `int` - at `\$\.optional`"),
        ({"more": [1]}, r"Expected `str`, got `int` - at `\$\.more\[0\]`"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(wrong: dict[str, Any], place: str) -> None:
    """A value of another type is refused with its place. A bool does not count as an int, as it does in Python."""
    with pytest.raises(Damaged, match=place):
        from_plain(Whole, PLAIN | wrong)


@pytest.mark.parametrize("missing", ["number", "flag", "parts", "counts", "pair", "anything"])
def test_a_missing_field_without_a_default_is_named(missing: str) -> None:
    """A missing field without a default is refused, and the message names the field."""
    with pytest.raises(Damaged, match=f"missing required field `{missing}`"):
        from_plain(Whole, {name: value for name, value in PLAIN.items() if name != missing})


@pytest.mark.parametrize("wrong", [[], ["a"], ["a", "b", "c"], ["a", 1], "ab"])
def test_a_pair_has_two_texts(wrong: object) -> None:
    """A pair of texts is refused if it has fewer or more items, an item that is not text, or is not a list."""
    with pytest.raises(Damaged, match="failures"):
        from_plain(Packed, {"data": b"", "names": [], "failures": {1: wrong}})


@pytest.mark.parametrize("number", [FORMAT + 1, "3", True, None, 3.0, [[[[]]]]])
def test_another_format_is_told_from_damage(number: object) -> None:
    """Another format raises OtherFormat, even if the rest of the record is wrong."""
    with pytest.raises(OtherFormat):
        from_json(Whole, to_json({"format": number}), format=FORMAT)
    with pytest.raises(OtherFormat):
        from_msgpack(Packed, msgpack.packb({"v": number}), version=FORMAT)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", "1", "[" * 100_000, "9" * 5000, b"\xff\xfe", b"\x00", b" " * (MAX_JSON_BYTES + 1)]
)
def test_anything_but_json_of_a_record_is_refused(text: str | bytes) -> None:
    """Anything but the JSON of a record raises Damaged."""
    with pytest.raises(Damaged):
        from_json(Whole, text, format=FORMAT)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_express_is_not_written(value: float) -> None:
    """NaN and infinity are not written as JSON, because other programs could not read them."""
    with pytest.raises(ValueError, match="JSON"):
        to_json(Part("a", value))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_that_is_not_finite_is_read(number: str) -> None:
    """Python takes these for JSON, and would write JSON with them that other programs cannot read."""
    text = to_json({**PLAIN, "anything": {"a": ["number"]}}).replace('"number"]', f"{number}]")
    with pytest.raises(Damaged, match="not finite"):
        from_json(Whole, text)


@pytest.mark.parametrize("depth", [51, 300, 900, 100_000])
def test_a_record_that_is_too_deep_is_refused(depth: int) -> None:
    """Whatever walks through it later would exhaust the stack."""
    text = to_json({**PLAIN, "anything": "deep"})
    for left, right in ("[]", ('{"a":', "}")):
        with pytest.raises(Damaged, match=r"in each other|recursion"):
            from_json(Whole, text.replace('"deep"', left * depth + "1" + right * depth))
    assert from_json(Whole, text.replace('"deep"', "[" * 40 + "1" + "]" * 40)).number == 1
