"""Tell which files are certainly cheap to decode, whatever is in them.

Decoding is cheap where its cost is linear in the file's bytes and the picture's pixels, and both are few. Many formats
allow far more: blocks that cost more to read than they hold, scans that repeat, tiles larger than the picture. This
module does not list these. It names only what is known to be linear, and everything else counts as costly.

A test checks that the worst known files within these bounds take less than half of an image's CPU time, and `make
fuzz` looks for worse.
"""

import struct

from PIL import BmpImagePlugin, Image, JpegImagePlugin, TiffImagePlugin

from model.images.decoding.tiff import TYPE_BYTES

SMALL_BYTES = 64 * 2**10
"""Size of a file, in bytes, up to which opening it is cheap, even where the cost grows with the square of the size."""

MAX_HEADER_BYTES = 256 * 2**10
"""Maximum size of everything but pixels in a larger file that is opened here, in bytes.

A photograph has its EXIF block, its thumbnail and a colour profile there."""

MAX_SEGMENTS = 100
"""Maximum number of segments before the first scan of a JPEG. Cameras write far fewer."""

MAX_CHUNKS = 5000
"""Maximum number of chunks of a PNG. Of 8 KiB each, as libpng writes them, they hold 40 MiB."""

MAX_TAGS = 64
"""Maximum number of tags of a TIFF. Scanners write far fewer."""

MAX_TAG_BYTES = 64 * 2**10
"""Maximum size of the values of all tags of a TIFF, in bytes. Most of them are the places and sizes of strips."""

MAX_LOADED_PIXELS, MAX_LOADED_ROWS = 13_000_000, 2**16
"""Maximum numbers of pixels and of rows that are decoded here. A scan of A4 with 300 dpi has 9 million pixels.

Photographs in JPEG are decoded at an eighth of their size, and have fewer. Each row has a cost of its own."""

MAX_LOADED_WEBP_PIXELS = 2**20
"""Maximum number of pixels of a WebP that is decoded here. Each takes more time and memory than in other formats."""

MAX_SCANNED_PIXELS, MAX_SCANS_TIMES_PIXELS, MAX_SCANNED_BYTES = 2**24, 2**27, 8 * 2**20
"""Maximum numbers of pixels, of pixels times scans, and of bytes, of a JPEG whose picture is made of several scans.

Ten scans, as most progressive JPEGs have, may have 13 megapixels. A baseline JPEG has one scan, so that `MAX_PIXELS`
is its only bound."""

_START_OF_SCAN = b"\xff\xda"
_BASELINE = (0xC0, 0xC1)  # SOF0 and SOF1: sequential, Huffman coded
_SUPPORTED = (*_BASELINE, 0xC2)  # SOF2: progressive; arithmetic coding is far slower
_BETWEEN = frozenset({0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE})  # DHT, DQT, DRI, APP0 to APP15, COM
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_STRIP_PLACES, _STRIP_BYTES, _BIT_ORDER = 273, 279, 266

# Tags of TIFF 6.0 that describe the picture, and texts and profiles. None leads to another directory.
_PLAIN_TAGS = frozenset(
    {*range(254, 260), 262, 263, _BIT_ORDER, *range(269, 275), *range(277, 288), *range(290, 294), 296, 297, 305, 306}
    | {*range(315, 322), 338, 339, 532, 700, 33432, 33723, 34377, 34675}
)
_LINEAR_COMPRESSIONS = frozenset(
    {"raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"}
)


def opens_cheaply(data: bytes, kind: str) -> bool:
    """Return whether Pillow certainly opens a file, and reads all that is not pixels, at a low cost.

    Args:
        data: Bytes of the file.
        kind: Pillow's name of its format.
    """
    try:
        if kind == "WEBP":  # opening it makes the decoder
            width, height = webp_size(data)
            return len(data) <= SMALL_BYTES and width * height <= MAX_LOADED_WEBP_PIXELS
        if kind == "TIFF":  # even a small one can have many directories that share their bytes
            return _has_one_plain_directory(data)
        # The decoders of AVIF and HEIF are made for video. What they take depends on far more than the size.
        if kind in {"PNG", "GIF", "JPEG"} and len(data) <= SMALL_BYTES:
            return True
        if kind == "JPEG":
            return _has_one_scan(data) is not None
        # Pillow reads only the header of a BMP.
        return kind == "BMP" or (kind == "PNG" and _has_few_chunks(data))
    except (struct.error, IndexError):
        return False  # cut off


def loads_cheaply(image: Image.Image, data: bytes, pixels: int) -> bool:
    """Return whether the pixels of an open image are certainly cheap to decode.

    Args:
        image: Open image, which `opens_cheaply`. A JPEG has the size at which it will be decoded.
        data: Bytes of the file.
        pixels: Number of pixels in the file, width × height.
    """
    if image.width * image.height > MAX_LOADED_PIXELS or image.height > MAX_LOADED_ROWS:
        return False
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        one = _has_one_scan(data)
        return one is True or (one is False and _has_few_scans(data, pixels))
    if isinstance(image, BmpImagePlugin.BmpImageFile):
        return image.tile[0].codec_name == "raw"
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.info.get("compression") in _LINEAR_COMPRESSIONS
    return image.format in {"PNG", "GIF", "WEBP"}


def tile_bytes(image: Image.Image) -> int:
    """Return the memory that a TIFF's decoder takes for one tile, in bytes; 0 if it has no tiles."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    return 4 * int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))


def webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a WebP as its first chunk gives them.

    RFC 9649, sections 2.5 to 2.7.

    Raises:
        struct.error: The file is cut off.
    """
    chunk = data[12:16]
    if chunk == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _has_few_scans(data: bytes, pixels: int) -> bool:
    few = pixels <= MAX_SCANNED_PIXELS and len(data) <= MAX_SCANNED_BYTES
    return few and pixels * data.count(_START_OF_SCAN) <= MAX_SCANS_TIMES_PIXELS


def _has_one_scan(data: bytes) -> bool | None:
    """Return whether the first scan of a JPEG is all of the picture, or None if its header is not plain and short.

    A segment that the decoder may read in another way is not plain. For example, it skips bytes 0xFF before a marker.
    ITU-T T.81, annex B.
    """
    at, components, baseline = 2, 0, False
    for _ in range(MAX_SEGMENTS):
        prefix, marker, length = struct.unpack_from(">BBH", data, at)
        if prefix != 0xFF or length < 2 or at > MAX_HEADER_BYTES:
            return None
        if marker == _START_OF_SCAN[1]:
            return (baseline and data[at + 4] == components) if components else None
        if marker in _SUPPORTED and not components:
            components, baseline = data[at + 9], marker in _BASELINE
        elif marker not in _BETWEEN:
            return None
        at += 2 + length
    return None


def _has_one_plain_directory(data: bytes) -> bool:
    """Return whether a TIFF has one directory, with few tags, small values, and strips that share no bytes.

    Pillow loads the directories that a tag names, too, and each may have many values that share their bytes. So a tag
    counts as plain only if it is known. TIFF 6.0, section 2; a BigTIFF is not plain.
    """
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    order = "<" if data[0] == ord("I") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    if count > MAX_TAGS or following:
        return False
    size, last, values = 0, 0, dict[int, tuple[int, ...]]()
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, place)
        size += TYPE_BYTES.get(kind, 8) * length
        if tag <= last or tag not in _PLAIN_TAGS or size > MAX_TAG_BYTES:
            return False  # of two tags with one number, one reader takes the first, and another the last
        last = tag
        if tag in {_BIT_ORDER, _STRIP_PLACES, _STRIP_BYTES}:
            values[tag] = _whole_values(data, order, place, kind, length)
    strips = values.get(_STRIP_BYTES, ())
    if not strips or len(strips) != len(values.get(_STRIP_PLACES, ())) or sum(strips) > len(data):
        return False  # strips that share their bytes cost more than the file holds
    return values.get(_BIT_ORDER, (1,)) == (1,)  # for another order, the decoder copies what it reads


def _whole_values(data: bytes, order: str, place: int, kind: int, count: int) -> tuple[int, ...]:
    """Return the values of a tag of a TIFF, or () if they are not whole numbers of 16 or 32 bits."""
    if kind not in (3, 4):
        return ()
    if TYPE_BYTES[kind] * count > 4:
        (at,) = struct.unpack_from(f"{order}I", data, place + 8)
    else:
        at = place + 8
    return struct.unpack_from(f"{order}{count}{'H' if kind == 3 else 'I'}", data, at)


def _has_few_chunks(data: bytes) -> bool:
    """Return whether a PNG has few chunks, and few bytes in others than those of pixels."""
    at, others = 8, 0
    for _ in range(MAX_CHUNKS):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND":
            return True
        if name != b"IDAT":
            others += 12 + length
            if others > SMALL_BYTES:  # texts and profiles are packed, up to a thousandfold
                return False
        at += 12 + length
    return False
