"""Take a TIFF of several pages apart, without decoding any.

The client does this, so that each page is an image of its own, with a budget of its own, on its way to the workers.
Every number in the file is treated as hostile. A page is copied: the tags that describe its picture, and its pixels.

TIFF 6.0 (Adobe, 1992), section 2; the BigTIFF proposal (libtiff, 2007) for files whose version is 43.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from model.errors import FailureCode, ImageError
from model.images.limits import MAX_BYTES

MAX_PAGES = 1000
"""Maximum number of pages of one file. A longer document is a book."""

MAX_TAG_BYTES = 2**20
"""Maximum size of the values of all tags of a page that are copied, in bytes. Most of them are places of strips."""

MAX_TAGS = 4096
"""Maximum number of tags of a page. Scanners write some twenty."""

NEW_SUBFILE_TYPE = 254
NOT_A_PAGE = 0b101
"""Bits of that tag's value, of which one marks a directory that is not a page: a thumbnail (1) or a mask (4)."""

TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
"""Size of a value in bytes, by type of a tag's values."""

Read: TypeAlias = Callable[[int, int], bytes]
"""A function that takes a place in a file and a size, and returns that number of bytes, or fewer at the end."""

_OLD_JPEG = 6  # value of the tag of the compression; such a page points to its parts in ways of its own
_COMPRESSION = 259
_DATA = ((273, 279), (324, 325))  # tags with the places, and with the sizes, of strips and of tiles
_COPIED = frozenset(
    {*range(254, 260), 262, *range(263, 267), 273, 274, *range(277, 285), 290, 291, 292, 293, 296, *range(317, 326)}
    | {*range(332, 335), 336, *range(338, 342), 347, *range(529, 533)}
)
_WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}  # struct's letters for types of whole numbers
_SHORT, _LONG, _LONG8 = 3, 4, 16


@dataclass(frozen=True, slots=True)
class Document:
    """The pages of a TIFF.

    Attributes:
        pages: Place of the directory of each page in the file, in their order.
        is_plain: Whether the first directory is the only page, so that every decoder of TIFF finds it.
        fault: Reason why there may be further pages that are not in `pages`, as part of a sentence, or "".
    """

    pages: tuple[int, ...]
    is_plain: bool
    fault: str = ""


class _Layout(NamedTuple):
    """What differs between the four kinds of TIFF."""

    order: str  # of bytes, as `struct` writes it
    word: str  # struct's letter for places and numbers of values
    counter: str  # struct's letter for the number of tags
    first: int  # place of the place of the first directory

    @property
    def word_bytes(self) -> int:
        return struct.calcsize(self.word)

    @property
    def tag(self) -> struct.Struct:
        return struct.Struct(f"{self.order}HH{self.word}{self.word_bytes}s")


def list_pages(read: Read) -> Document | None:
    """Return the pages of a file, without thumbnails and masks; or None if it is not a TIFF, or has no page.

    Args:
        read: Reader of the file.
    """
    try:
        layout = _layout(read)
        at = first = _number(read, layout, layout.first)
    except struct.error:
        return None
    pages: list[int] = []
    seen: set[int] = set()
    fault = ""
    while at and not fault:
        if at in seen:
            fault = "its list of pages runs in a circle"
        elif len(seen) == MAX_PAGES:
            fault = f"it has more than {MAX_PAGES:,} pages"
        else:
            try:
                is_page, following = _look(read, layout, at)
            except struct.error:
                fault = "it is cut off or damaged"
            else:
                seen.add(at)
                if is_page:
                    pages.append(at)
                at = following
    return Document(tuple(pages), pages == [first] and not fault, fault) if pages else None


def copy_page(read: Read, at: int) -> bytes:
    """Return a page as a file of its own.

    Args:
        read: Reader of the file.
        at: Place of the page's directory; see `Document.pages`.

    Raises:
        ImageError: The page is damaged (BROKEN) or has more than `MAX_BYTES` (TOO_LARGE).
    """
    try:
        layout = _layout(read)
        tags = _tags(read, layout, at)
        compression = _whole(layout, *tags[_COMPRESSION]) if _COMPRESSION in tags else (1,)
        if _OLD_JPEG in compression or not any(places in tags and sizes in tags for places, sizes in _DATA):
            return _whole_file(read, layout, at)
        return _assemble(layout, tags, _pixels(read, layout, tags))
    except (struct.error, OverflowError):
        raise _broken("it is cut off or damaged") from None


def _broken(fault: str) -> ImageError:
    return ImageError(FailureCode.BROKEN, f"This page of the TIFF cannot be read: {fault}. Save it as PNG.")


def _too_large() -> ImageError:
    return ImageError(
        FailureCode.TOO_LARGE, f"This page of the TIFF has more than {MAX_BYTES // 2**20} MiB. Make it smaller."
    )


def _layout(read: Read) -> _Layout:
    """Return the layout of a file.

    Raises:
        struct.error: It is not a TIFF.
    """
    start = read(0, 8)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise struct.error
    version, word, zero = struct.unpack(f"{order}HHH", start[2:8])
    if version == 42:
        return _Layout(order, "I", "H", 4)
    if (version, word, zero) == (43, 8, 0):
        return _Layout(order, "Q", "Q", 8)
    raise struct.error


def _number(read: Read, layout: _Layout, at: int) -> int:
    (number,) = struct.unpack(f"{layout.order}{layout.word}", read(at, layout.word_bytes))
    return int(number)


def _directory(read: Read, layout: _Layout, at: int) -> tuple[bytes, int]:
    """Return the tags of a directory as they are stored, and the place of the place of the next directory.

    Raises:
        struct.error: The directory is cut off, or has too many tags.
    """
    count_bytes = struct.calcsize(layout.counter)
    (count,) = struct.unpack(f"{layout.order}{layout.counter}", read(at, count_bytes))
    size = layout.tag.size * count
    stored = read(at + count_bytes, size) if count <= MAX_TAGS else b""
    if not count or len(stored) < size:
        raise struct.error
    return stored, at + count_bytes + size


def _look(read: Read, layout: _Layout, at: int) -> tuple[bool, int]:
    """Return whether a directory is a page, and the place of the next directory, or 0.

    Raises:
        struct.error: The directory is cut off.
    """
    stored, end = _directory(read, layout, at)
    kind = 0
    for tag, type_, count, value in layout.tag.iter_unpack(stored):
        if tag == NEW_SUBFILE_TYPE and count == 1 and type_ in _WHOLE:
            kind = _whole(layout, type_, value)[0]
            break
    return not kind & NOT_A_PAGE, _number(read, layout, end)


def _tags(read: Read, layout: _Layout, at: int) -> dict[int, tuple[int, bytes]]:
    """Return type and bytes of the values of the tags that are copied, by tag.

    Raises:
        ImageError: They take too much.
        struct.error: They are cut off.
    """
    stored, _ = _directory(read, layout, at)
    tags: dict[int, tuple[int, bytes]] = {}
    left = MAX_TAG_BYTES
    for tag, type_, count, value in layout.tag.iter_unpack(stored):
        if tag not in _COPIED or tag in tags or type_ not in TYPE_BYTES:
            continue
        size = TYPE_BYTES[type_] * count
        left -= size
        if left < 0:
            raise _broken("its tags take far too much")
        if size > layout.word_bytes:
            (elsewhere,) = struct.unpack(f"{layout.order}{layout.word}", value)
            values = read(elsewhere, size)
        else:
            values = value[:size]
        if len(values) < size:
            raise struct.error
        tags[tag] = type_, values
    return tags


def _whole(layout: _Layout, type_: int, value: bytes) -> tuple[int, ...]:
    """Return whole numbers.

    Raises:
        struct.error: The type is of other values.
    """
    if type_ not in _WHOLE:
        raise struct.error
    size = TYPE_BYTES[type_]
    count = len(value) // size
    return struct.unpack(f"{layout.order}{count}{_WHOLE[type_]}", value[: count * size])


def _pixels(read: Read, layout: _Layout, tags: dict[int, tuple[int, bytes]]) -> dict[int, list[bytes]]:
    """Return the strips and the tiles of a page, by the tag of their places. What is cut off stays so.

    Raises:
        ImageError: They take more than `MAX_BYTES` together.
        struct.error: Their places or sizes are not whole numbers.
    """
    pixels: dict[int, list[bytes]] = {}
    left = MAX_BYTES
    for places, sizes in _DATA:
        if places not in tags or sizes not in tags:
            continue
        pairs = zip(_whole(layout, *tags[places]), _whole(layout, *tags[sizes]), strict=False)
        pixels[places] = []
        for at, size in pairs:
            left -= size
            if left < 0:
                raise _too_large()
            pixels[places].append(read(at, size))
    return pixels


def _assemble(layout: _Layout, tags: dict[int, tuple[int, bytes]], pixels: dict[int, list[bytes]]) -> bytes:
    """Return a file of one directory: header, directory, values, pixels."""
    place_type = _LONG if layout.word == "I" else _LONG8
    letter = _WHOLE[place_type]
    tags = tags | {
        tag: (place_type, bytes(TYPE_BYTES[place_type] * len(parts))) for tag, parts in pixels.items()
    }  # the places are known only when the sizes of all else are
    header_bytes = layout.first + layout.word_bytes
    at = header_bytes + struct.calcsize(layout.counter) + layout.tag.size * len(tags) + layout.word_bytes
    values_at = {}
    for tag in sorted(tags):
        if len(tags[tag][1]) > layout.word_bytes:
            values_at[tag] = at
            at += len(tags[tag][1]) + len(tags[tag][1]) % 2
    for tag, parts in pixels.items():
        places = []
        for part in parts:
            places.append(at)
            at += len(part) + len(part) % 2
        tags[tag] = place_type, struct.pack(f"{layout.order}{len(places)}{letter}", *places)
    version = struct.pack(f"{layout.order}H", 42) if layout.first == 4 else struct.pack(f"{layout.order}HHH", 43, 8, 0)
    parts = [b"II" if layout.order == "<" else b"MM", version]
    parts.append(struct.pack(f"{layout.order}{layout.word}", header_bytes))
    parts.append(struct.pack(f"{layout.order}{layout.counter}", len(tags)))
    for tag in sorted(tags):
        type_, value = tags[tag]
        count = len(value) // TYPE_BYTES[type_]
        inline = struct.pack(f"{layout.order}{layout.word}", values_at[tag]) if tag in values_at else value
        parts.append(layout.tag.pack(tag, type_, count, inline))  # pads with zeros
    parts.append(bytes(layout.word_bytes))  # no directory follows
    parts += [_even(tags[tag][1]) for tag in sorted(values_at)]
    parts += [_even(part) for each in pixels.values() for part in each]
    return b"".join(parts)


def _even(value: bytes) -> bytes:
    """Return bytes of an even number, because values and strips begin at even places."""
    return value + bytes(len(value) % 2)


def _whole_file(read: Read, layout: _Layout, at: int) -> bytes:
    """Return the whole file, with this page as its only one. It has all parts of the page, wherever they are.

    Raises:
        ImageError: The file has more than `MAX_BYTES` (TOO_LARGE).
        struct.error: The directory is cut off.
    """
    _, end = _directory(read, layout, at)
    data = bytearray(read(0, MAX_BYTES + 1))
    if len(data) > MAX_BYTES:
        raise _too_large()
    struct.pack_into(f"{layout.order}{layout.word}", data, layout.first, at)
    struct.pack_into(f"{layout.order}{layout.word}", data, end, 0)
    return bytes(data)
