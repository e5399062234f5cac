"""Decode small, plain PNG files in less time than Pillow takes: a quarter of it where they have 28 pixels a side.

Most images that users submit by the thousand are of this kind. At such sizes Pillow spends most of its time on other
things than pixels; OpenCV does not. But OpenCV decodes a damaged file as far as it can, so this module first verifies
every byte. Where that takes longer than it saves, Pillow's decoder gets the pixels, without the rest of Pillow. What is
not both plain and sound is left to Pillow, and only Pillow's verdict reaches the user.
"""

import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from model.images.raster import Pixels

MAX_SIDE = 256
"""Maximum length of the longer side, in pixels. Larger images may have to be reduced, as only Pillow's module does."""

MAX_ROWS_BYTES = 2**16 - 1
"""Maximum size of all rows that OpenCV decodes, in bytes: as many as one block of deflate stores.

With more of them, Pillow's decoder alone is faster, without the rest of Pillow, because it unpacks them only once."""

_HEADER_AT = 8  # bytes: the signature comes first
_HEADER = struct.Struct(">I4sIIBB3s")  # length and name of the chunk; width, height, bits, colour type, methods
_METHODS = b"\0\0\0"  # of compression and filtering, which have one method each, and of interlacing: none
_CHUNK = struct.Struct(">I4s")  # length of the data, name; then come the data, and a checksum of name and data
_LAST_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
_FEW_BYTES = 2**11  # of rows: unpacking them twice costs less than storing them again
_CHECKSUM_BYTES = 4  # at the end of a stream of zlib: Adler-32 of what it holds, which unpacking compares
_FILTERS = b"\0\1\2\3\4"
_STORED = struct.Struct("<6sBHH")  # name; header of zlib; last block, not compressed; its size, and its complement

# Bits per pixel by bits per channel and colour type. 16 bits per channel are left to Pillow.
_BITS = {(bits, colour): bits for bits in (1, 2, 4, 8) for colour in (0, 3)} | {(8, 2): 24, (8, 4): 16, (8, 6): 32}

# Pillow's modes by bits per channel and colour type, where its decoder takes pixels as they are.
_MODES = {(8, 0): "L", (8, 2): "RGB", (8, 6): "RGBA"}

# Colour types other than grey: RGB, and colours of a palette; grey with opacity, and RGBA.
_WITHOUT_OPACITY, _WITH_OPACITY = (2, 3), (4, 6)

# Chunks that do not change the pixels, unlike transparency, orientation and further frames.
_IGNORED = frozenset({b"PLTE", b"IEND", b"pHYs", b"sBIT", b"tIME", b"sRGB", b"gAMA", b"cHRM", b"bKGD", b"hIST"})


def decode_plain_png(data: bytes) -> Pixels | Image.Image | None:
    """Decode a small PNG with up to 8 bits a channel and no metadata that matters.

    Portable Network Graphics (PNG) Specification, W3C (2003): sections 5 (chunks), 9 (filters) and 11 (IHDR).

    Args:
        data: Bytes of the file, which begin with PNG's signature.

    Returns:
        Pixels, uint8 (height, width), or (height, width, 3 or 4), RGB or RGBA; or an image of Pillow's, L, RGB or RGBA,
        if it has many. None if the rest of Pillow must look at the file.
    """
    try:
        _, name, width, height, bits, colour, methods = _HEADER.unpack_from(data, _HEADER_AT)
        if name != b"IHDR" or methods != _METHODS or max(width, height) > MAX_SIDE:
            return None
        row = 1 + (width * _BITS[bits, colour] + 7) // 8  # the first byte names the row's filter
        start, packed = _packed_pixels(data)
        if row * height > MAX_ROWS_BYTES:
            mode = _MODES[bits, colour]
            return Image.frombytes(mode, (width, height), packed, "zip", mode, False)
        unpacking = zlib.decompressobj()
        rows = unpacking.decompress(packed, row * height + 1)
    except (struct.error, zlib.error, LookupError, ValueError):
        return None
    if not rows or len(rows) != row * height or not unpacking.eof or rows[::row].strip(_FILTERS):
        return None
    way = cv2.IMREAD_COLOR_RGB if colour in _WITHOUT_OPACITY else cv2.IMREAD_UNCHANGED
    sound = data
    if len(rows) > _FEW_BYTES:
        end = len(packed) - len(unpacking.unused_data)
        sound = start + _stored(rows, packed[end - _CHECKSUM_BYTES : end]) + _LAST_CHUNK
    pixels = cv2.imdecode(np.frombuffer(sound, np.uint8), way)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA) if colour in _WITH_OPACITY and pixels is not None else pixels


def _packed_pixels(data: bytes) -> tuple[bytes, bytes]:
    """Return what comes before the pixels, and the compressed pixels.

    Both are b"" if any chunk is damaged or out of place, or may change how the pixels are shown.
    """
    if not data.endswith(_LAST_CHUNK):
        return b"", b""
    parts: list[bytes] = []
    at, last = _HEADER_AT, len(data) - len(_LAST_CHUNK)
    first = following = 0  # places of the first chunk of pixels, and of the next one
    while at < last:
        length, name = _CHUNK.unpack_from(data, at)
        end = at + _CHUNK.size + length
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return b"", b""
        if name == b"IDAT":
            if not parts:
                first = at
            elif at != following:
                return b"", b""
            parts.append(data[at + _CHUNK.size : end])
            following = end + 4
        elif (name not in _IGNORED and at != _HEADER_AT) or (
            name == b"pHYs" and not _has_square_pixels(data[at + 8 :])
        ):
            return b"", b""
        at = end + 4
    return (data[:first], b"".join(parts)) if at == last else (b"", b"")


def _stored(rows: bytes, checksum: bytes) -> bytes:
    """Return the chunk of pixels that holds these rows without compression, so that they are not unpacked twice.

    Args:
        rows: The rows, with their filters.
        checksum: Their Adler-32, as it was at the end of the compressed pixels.

    P. Deutsch, RFC 1950 (zlib), section 2.2, and RFC 1951 (deflate), section 3.2.4.
    """
    size = len(rows)
    content = _STORED.pack(b"IDAT\x78\x01", 1, size, size ^ 0xFFFF) + rows + checksum
    return (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")


def _has_square_pixels(chunk: bytes) -> bool:
    """Return whether a chunk `pHYs` gives the same number of pixels per unit in both directions."""
    return chunk[:4] == chunk[4:8]
