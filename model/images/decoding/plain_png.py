"""Decode plain PNG files in about half of the time that Pillow takes.

Most images that users submit by the thousand are of this kind. At small sizes, Pillow spends most of its time on other
things than pixels; OpenCV does not. But OpenCV decodes a damaged file as far as it can, so this module first verifies
every byte. At larger sizes, most of the time goes into unpacking, and ISA-L unpacks photographs three times as fast as
zlib. A decoder then gets the unpacked rows, stored, so that they are not unpacked twice: OpenCV gets them if they are
few. Otherwise Pillow's decoder gets them, without the rest of Pillow. What is not both plain and sound is left to
Pillow, and only Pillow's verdict reaches the user.
"""

import struct
import zlib
from typing import cast

import cv2
import numpy as np
from isal import isal_zlib
from PIL import Image

from model.images.decoding.cost import MAX_CHUNKS
from model.images.raster import Pixels

MAX_ROWS_BYTES = 4 * 2**20
"""Maximum size of all rows, in bytes, and number of pixels. A picture of 1000×1000 pixels in colour has 3 million.

While a file is decoded, several copies of the rows and of the file are in use."""

MAX_FILE_BYTES = 2 * MAX_ROWS_BYTES
"""Maximum size of a file, in bytes. Only one with other things than pixels is larger than its rows."""

_DAMAGED = cast("type[Exception]", isal_zlib.error)  # which its stub takes for an instance

_HEADER_AT = 8  # bytes: the signature comes first
_HEADER = struct.Struct(">I4sIIBB3s")  # length and name of the chunk; width, height, bits, colour type, methods
_METHODS = b"\0\0\0"  # of compression and filtering, which have one method each, and of interlacing: none
_CHUNK = struct.Struct(">I4s")  # length of the data, name; then come the data, and a checksum of name and data
_LAST_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
_FEW_BYTES = 2**11  # up to which zlib starts faster than ISA-L, and unpacking rows twice costs less than storing them
_LARGEST_WINDOW = b"\x78"  # first byte of zlib's header: 32 KiB (RFC 1950, section 2.2), which ISA-L does not check
_CHECKSUM_BYTES = 4  # at the end of a stream of zlib: Adler-32 of what it holds, which unpacking compares
_FILTERS = b"\0\1\2\3\4"
_BLOCK = struct.Struct("<BHH")  # of deflate, not compressed: whether it is the last one; its size, and its complement
_MAX_BLOCK_BYTES = 2**16 - 1

# Bits per pixel by bits per channel and colour type. 16 bits per channel are left to Pillow.
_BITS = {(bits, colour): bits for bits in (1, 2, 4, 8) for colour in (0, 3)} | {(8, 2): 24, (8, 4): 16, (8, 6): 32}

# Pillow's modes by bits per channel and colour type, where its decoder takes pixels as they are.
_MODES = {(8, 0): "L", (8, 2): "RGB", (8, 6): "RGBA"}

# Colour types other than grey: RGB, and colours of a palette; grey with opacity, and RGBA.
_WITHOUT_OPACITY, _WITH_OPACITY = (2, 3), (4, 6)

# Chunks that do not change the pixels, unlike transparency, orientation and further frames.
_IGNORED = frozenset({b"PLTE", b"IEND", b"pHYs", b"sBIT", b"tIME", b"sRGB", b"gAMA", b"cHRM", b"bKGD", b"hIST"})


def decode_plain_png(data: bytes) -> Pixels | Image.Image | None:
    """Decode a PNG with up to 8 bits a channel and no metadata that matters.

    Portable Network Graphics (PNG) Specification, W3C (2003): sections 5 (chunks), 9 (filters) and 11 (IHDR).

    Args:
        data: Bytes of the file, which begin with PNG's signature.

    Returns:
        Pixels, uint8 (height, width), or (height, width, 3 or 4), RGB or RGBA; or an image of Pillow's, L, RGB or RGBA,
        if it has many. None if the rest of Pillow must look at the file.
    """
    try:
        return _decode(data)
    except (struct.error, zlib.error, _DAMAGED, LookupError, ValueError):
        return None


def _decode(data: bytes) -> Pixels | Image.Image | None:
    """Decode a file like `decode_plain_png`, which catches the errors of one that is not plain and sound."""
    _, name, width, height, bits, colour, methods = _HEADER.unpack_from(data, _HEADER_AT)
    row = 1 + (width * _BITS[bits, colour] + 7) // 8  # the first byte names the row's filter
    if name != b"IHDR" or methods != _METHODS or not width:
        raise ValueError("not plain")
    if max(row, width) * height > MAX_ROWS_BYTES or len(data) > MAX_FILE_BYTES:
        raise ValueError("too large")
    mode = _MODES[bits, colour] if row * height > _MAX_BLOCK_BYTES else ""
    start, packed = _packed_pixels(data)
    rows, checksum = _unpacked(packed, row * height)
    if rows[::row].strip(_FILTERS):
        raise ValueError("an unknown filter")
    if mode:
        return Image.frombytes(mode, (width, height), _stored(rows, checksum), "zip", mode, False)
    way = cv2.IMREAD_COLOR_RGB if colour in _WITHOUT_OPACITY else cv2.IMREAD_UNCHANGED
    sound = start + _chunk(b"IDAT", _stored(rows, checksum)) + _LAST_CHUNK if len(rows) > _FEW_BYTES else data
    pixels = cv2.imdecode(np.frombuffer(sound, np.uint8), way)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA) if colour in _WITH_OPACITY and pixels is not None else pixels


def _unpacked(packed: bytes, size: int) -> tuple[bytes, bytes]:
    """Unpack rows, and return them with their checksum.

    Raises:
        ValueError: They do not have this size in bytes, or the stream is cut off or has too large a window.
    """
    unpacking = (zlib if len(packed) < _FEW_BYTES else isal_zlib).decompressobj()
    rows = unpacking.decompress(packed, size + 1)
    if not rows or len(rows) != size or not unpacking.eof or packed[:1] > _LARGEST_WINDOW:
        raise ValueError("not sound")
    end = len(packed) - len(unpacking.unused_data)
    return rows, packed[end - _CHECKSUM_BYTES : end]


def _packed_pixels(data: bytes) -> tuple[bytes, bytes]:
    """Return what comes before the pixels, and the compressed pixels.

    Both are b"" if any chunk is damaged or out of place, or may change how the pixels are shown.
    """
    if not data.endswith(_LAST_CHUNK):
        return b"", b""
    parts: list[bytes] = []
    chunks = 0
    at, last = _HEADER_AT, len(data) - len(_LAST_CHUNK)
    first = following = 0  # places of the first chunk of pixels, and of the next one
    while at < last:
        length, name = _CHUNK.unpack_from(data, at)
        end = at + _CHUNK.size + length
        chunks += 1
        if chunks > MAX_CHUNKS or isal_zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return b"", b""
        if name == b"IDAT":
            if not parts:
                first = at
            elif at != following:
                return b"", b""
            parts.append(data[at + _CHUNK.size : end])
            following = end + 4
        elif (name not in _IGNORED and at != _HEADER_AT) or (
            name == b"pHYs" and not _has_square_pixels(data[at + 8 : at + 16])
        ):
            return b"", b""
        at = end + 4
    return (data[:first], b"".join(parts)) if at == last else (b"", b"")


def _stored(rows: bytes, checksum: bytes) -> bytes:
    """Return a stream of zlib that holds these rows without compression.

    Args:
        rows: The rows, with their filters.
        checksum: Their Adler-32, as it was at the end of the compressed pixels.

    P. Deutsch, RFC 1950 (zlib), section 2.2, and RFC 1951 (deflate), section 3.2.4.
    """
    parts = [b"\x78\x01"]  # the header
    for start in range(0, len(rows), _MAX_BLOCK_BYTES):
        block = rows[start : start + _MAX_BLOCK_BYTES]
        is_last = start + len(block) == len(rows)
        parts += (_BLOCK.pack(is_last, len(block), len(block) ^ 0xFFFF), block)
    return b"".join([*parts, checksum])


def _chunk(name: bytes, content: bytes) -> bytes:
    named = name + content
    return len(content).to_bytes(4, "big") + named + isal_zlib.crc32(named).to_bytes(4, "big")


def _has_square_pixels(chunk: bytes) -> bool:
    """Return whether a chunk `pHYs` gives the same number of pixels per unit in both directions."""
    return chunk[:4] == chunk[4:8]
