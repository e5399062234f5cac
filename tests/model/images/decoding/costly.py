"""Files that cost far more to decode than they look, made by code: a few kilobytes each, or many blocks."""

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from PIL import Image

from tests.model.images.drawings import drawing, encoded


def _bmp_of_short_rows() -> bytes:
    """A BMP of 1.1 kB whose rows all end after one pixel. Pillow fills each row byte by byte."""
    width, height = 160_000, 400
    rows = b"\x01\x01\0\0" * (height * 2 // 3)
    palette = bytes(range(256)) * 4
    palette = palette[:16]
    at = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + header + palette + rows


def _chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, colour: int = 0) -> bytes:
    """Return a PNG of 8 bits with these chunks between its header and its end."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND")


@cache
def _zeros(count: int) -> bytes:
    """Return this number of zeros, compressed."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    parts = [packer.compress(block) for _ in range(count // len(block))]
    return b"".join((*parts, packer.compress(bytes(count % len(block))), packer.flush()))


def _tall_png() -> bytes:
    """A PNG of 1 × 64,000,000 pixels. Pillow keeps a pointer to each row."""
    return png(1, 64_000_000, _chunk(b"IDAT", _zeros(2 * 64_000_000)))


def plain_tiff(**others: int | tuple[int, ...]) -> bytes:
    """Return a small TIFF in packed strips, with other tags or values, such as `t279`."""
    body = _zeros(28 * 28)
    tags: dict[int, int | tuple[int, ...]]
    tags = {256: 28, 257: 28, 258: 8, 259: 8, 262: 1, 273: 0, 277: 1, 278: 28, 279: len(body)}
    return tiff({**tags, **{int(name[1:]): value for name, value in others.items()}}, body)


def tiff(tags: Mapping[int, int | tuple[int, ...]], body: bytes) -> bytes:
    """Return a TIFF with one directory of 32-bit values. A value of 0 at tag 273 or 324 becomes the body's place."""
    body_at = 8 + 2 + 12 * len(tags) + 4
    entries, values, values_at = [], [], body_at + len(body)
    for tag, value in sorted(tags.items()):
        if isinstance(value, tuple):
            entries.append(struct.pack("<HHII", tag, 4, len(value), values_at))
            values.append(struct.pack(f"<{len(value)}I", *value))
            values_at += len(values[-1])
        else:
            entries.append(struct.pack("<HHII", tag, 4, 1, value or (body_at if tag in {273, 324} else 0)))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4) + body + b"".join(values)


def _tall_tiff() -> bytes:
    """A TIFF of 1 × 64,000,000 pixels, in one strip."""
    rows, body = 64_000_000, _zeros(64_000_000)
    tags = {256: 1, 257: rows, 258: 8, 259: 8, 262: 1, 273: 0, 277: 1, 278: rows, 279: len(body)}
    return tiff(tags, body)


def _tiff_of_one_large_tile() -> bytes:
    """A TIFF of 100 × 100 pixels in one tile of 46,000 × 46,000."""
    body = _zeros(46_000)
    tags = {256: 100, 257: 100, 258: 8, 259: 8, 262: 1, 277: 1, 322: 46_000, 323: 46_000, 324: 0, 325: len(body)}
    return tiff(tags, body)


def _tiff_of_jpeg_with_many_scans() -> bytes:
    """A TIFF that holds a JPEG with thousands of scans."""
    body = jpeg_of_many_scans(2000, 2000, scans=1500)
    tags = {256: 2000, 257: 2000, 258: 8, 259: 7, 262: 1, 273: 0, 277: 1, 278: 2000, 279: len(body)}
    return tiff(tags, body)


def jpeg_of_many_scans(width: int, height: int, *, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan repeats."""
    plain = encoded(Image.new("L", (width, height), 200), "JPEG", progressive=True)
    last, end = plain.rindex(b"\xff\xda"), plain.rindex(b"\xff\xd9")
    first = plain.index(b"\xff\xda")
    # Huffman tables may lie between scans; the last scan uses those before it.
    return plain[:first] + plain[first:last] + plain[last:end] * scans + plain[end:]


def _jpeg_of_segments() -> bytes:
    """A JPEG with seven million empty comments before its picture."""
    plain = encoded(Image.fromarray(drawing()), "JPEG")
    return plain[:2] + b"\xff\xfe\0\x02" * 7_000_000 + plain[2:]


def jpeg_of_hidden_scans(width: int, height: int, *, scans: int) -> bytes:
    """Return a JPEG of many scans that looks as if it had one, because fill bytes stand before its first marker.

    Whoever takes the second of them for a marker reads a segment of 57,344 bytes. After these comes the header of a
    baseline JPEG, which a decoder takes for a part of a comment.
    """
    real = jpeg_of_many_scans(width, height, scans=scans)
    plain = encoded(Image.fromarray(drawing()), "JPEG")
    comment = b"\xff\xfe" + struct.pack(">H", 0xFFF0)
    fill = b"\xff\xff" + real[3:20]
    (skipped,) = struct.unpack_from(">H", fill, 2)
    head = real[:2] + fill + comment
    hidden = head.ljust(4 + skipped, b"\0") + plain[2:]
    return hidden.ljust(len(head) + 0xFFF0 - 2, b"\0") + real[20:]


def _jpeg_of_late_segments() -> bytes:
    """A progressive JPEG with seven million empty comments between its scans."""
    plain = encoded(Image.fromarray(drawing()), "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:last] + b"\xff\xfe\0\x02" * 7_000_000 + plain[last:]


def _jpeg_of_fill_bytes() -> bytes:
    """A JPEG with thirty million fill bytes before a segment."""
    plain = encoded(Image.fromarray(drawing()), "JPEG")
    return plain[:2] + b"\xff" * 30_000_000 + plain[2:]


def _gif_of_comments() -> bytes:
    """A GIF with six million comments of one character."""
    plain = encoded(Image.fromarray(drawing()), "GIF")
    at = plain.index(b"\x2c", 13 + 3 * 2 ** ((plain[10] & 7) + 1))
    return plain[:at] + b"\x21\xfe\x01A\0" * 6_000_000 + plain[at:]


def _gif_of_frames() -> bytes:
    """A GIF with a million frames of one pixel."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 40, 40, 0x80, 0, 0) + bytes(6)
    return screen + (b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0") * 1_500_000 + b";"


def _png_of_chunks() -> bytes:
    """A PNG with 2.5 million empty chunks."""
    return png(28, 28, _chunk(b"tEXt") * 2_500_000, _chunk(b"IDAT", _zeros(28 * 29)))


def _png_of_empty_pixels() -> bytes:
    """A PNG with 2.5 million empty chunks of pixels."""
    return png(28, 28, _chunk(b"IDAT") * 2_500_000, _chunk(b"IDAT", _zeros(28 * 29)))


def _png_of_packed_texts() -> bytes:
    """A PNG with texts that unpack to a thousand times their size."""
    text = _chunk(b"zTXt", b"a\0\0" + _zeros(2**20 - 100))
    return png(28, 28, text * 25_000, _chunk(b"IDAT", _zeros(28 * 29)))


def _tiff_of_strips() -> bytes:
    """A TIFF with half a million strips that are all the same bytes."""
    count = 500_000
    tags: dict[int, int | tuple[int, ...]] = {}
    tags |= {256: 100, 257: count, 258: 8, 259: 1, 262: 1, 273: (8,) * count, 277: 1, 278: 1, 279: (100,) * count}
    return tiff(tags, bytes(100))


def _tiff_of_colour_maps() -> bytes:
    """A TIFF with 60,000 unknown tags of 400 bytes each."""
    tags = {256: 100, 257: 100, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 100, 279: 10_000}
    return tiff({**tags, **dict.fromkeys(range(1000, 61_000), (7,) * 100)}, bytes(10_000))


def _large_webp() -> bytes:
    """A WebP of 12 million pixels of noise, which its decoder can just hold."""
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
    return encoded(noise, "WEBP", quality=80, method=0)


COSTLY: dict[str, Callable[[], bytes]] = {
    "BMP, RLE of 1.1 kB": _bmp_of_short_rows,
    "PNG, 1 × 64,000,000": _tall_png,
    "PNG, many chunks": _png_of_chunks,
    "PNG, many chunks of pixels": _png_of_empty_pixels,
    "PNG, packed texts": _png_of_packed_texts,
    "TIFF, 1 × 64,000,000": _tall_tiff,
    "TIFF, tile of 46,000 × 46,000": _tiff_of_one_large_tile,
    "TIFF, JPEG with many scans": _tiff_of_jpeg_with_many_scans,
    "TIFF, many strips": _tiff_of_strips,
    "TIFF, many tags": _tiff_of_colour_maps,
    "JPEG, many scans": lambda: jpeg_of_many_scans(4000, 4000, scans=2000),
    "JPEG, scans after fill bytes": lambda: jpeg_of_hidden_scans(4000, 4000, scans=2000),
    "JPEG, 7 million segments": _jpeg_of_segments,
    "JPEG, 7 million segments between scans": _jpeg_of_late_segments,
    "JPEG, fill bytes": _jpeg_of_fill_bytes,
    "GIF, 6 million comments": _gif_of_comments,
    "GIF, 1.5 million frames": _gif_of_frames,
    "WebP, 12 million pixels": _large_webp,
}
"""Functions that make the files, by what they are."""
