"""Decoding users' images: encoded bytes in, one grey image of bounded size out.

What arrives is hostile until shown otherwise. The format is told by its first bytes and must be on the allow-list; size
and frames are checked from the header, before any pixel is decoded; what a decoder may hold in memory is bounded.
"""

import math
import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Pillow looks for its plugins when it opens the first image; loaded here, that image is as quick as the next.
from PIL import (  # noqa: F401
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ExifTags import Base

from model.errors import FailureCode, ImageError
from model.images.grey import from_colour, from_transparency, to_eight_bits, to_grey
from model.images.limits import MAX_BYTES
from model.images.plain_png import decode_plain_png
from model.images.raster import Grey

MAX_PIXELS = 64_000_000
"""Width × height, by the header. Telephones make up to 50 megapixels; a digit needs a few hundred pixels."""

MAX_DECODER_BYTES = 200 * 2**20
"""That a decoder may hold at once: of a PNG in colour 52 megapixels, of a WebP 12, of a progressive JPEG 34, of others
whatever `MAX_PIXELS` allows. Most cameras write baseline JPEGs, which take a few MiB whatever their size."""

SHORT_SIDE = 250
"""Pixels, at least, that a reduced image keeps on its shorter side: a digit in a tenth of it has MNIST's detail."""

LONG_SIDE = 1000
"""Pixels of the longer side of a decoded image, at most; with `SHORT_SIDE` it bounds the work of all that follows."""

MAX_PAGES = 100
"""That are counted of a TIFF: each costs more than the one before, and a file may be made to have millions."""

DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)
"""All that Pillow, NumPy and OpenCV raise on malformed input. Not `Exception`: a task's time limit is raised into
whatever code happens to run, as a direct subclass of it in Celery's case, and says nothing about the image."""

_READ = "PNG, JPEG, BMP, GIF, TIFF or WebP"

# What people submit for images now and then: where its mark stands, the mark, what it is, and the remedy.
_OTHERS = (
    (4, b"ftypheic", "a HEIC photograph", "Convert it to JPEG"),
    (4, b"ftypheix", "a HEIC photograph", "Convert it to JPEG"),
    (4, b"ftypmif1", "a HEIF photograph", "Convert it to JPEG"),
    (4, b"ftypavif", "an AVIF image", "Convert it to PNG"),
    (0, b"%PDF-", "a PDF document", "Export its page as PNG"),
    (0, b"PK\x03\x04", "a ZIP archive", "Name it .zip, or unpack it"),
    (0, b"\x1f\x8b", "a gzip archive", "Name it .tar.gz, or unpack it"),
    (0, b"<", "markup, such as HTML or SVG", "Leave it out, or export it as PNG"),
    (0, b"", "some other file", "Leave it out, or convert it to PNG"),
)

_DIB_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})  # of a BMP; "BM" alone begins many a text

# Bytes that Pillow holds per pixel while it decodes; four where not named.
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
_WEBP_BYTES_PER_PIXEL = 17  # measured: its animation decoder keeps canvas, previous canvas and frame, Pillow a copy

_BAND_PIXELS = 2**20  # converted at a time, so that the copies made on the way stay small

_NEW_SUBFILE_TYPE, _REDUCED_VERSION = 254, 1  # TIFF 6.0, page 36

_MAY_HOLD_ORIENTATION = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}  # keys of Pillow's info

# EXIF orientation: whether to transpose, then the direction along the rows and along the columns.
_ORIENTATIONS = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


def decode(data: bytes) -> Grey:
    """Decode an image to grey, upright, at most `LONG_SIDE` pixels long.

    Whatever tells ink from paper becomes a difference of grey: lightness, or the colour or transparency that carries
    the drawing where lightness does not. Which of the two is lighter is left open. Animations, documents of several
    pages and everything beyond the limits of this module are refused.

    Args:
        data: the bytes of one PNG, JPEG, BMP, GIF, TIFF or WebP file.

    Returns:
        uint8 (height, width). Images that were small already keep every pixel; others are reduced by area averaging.

    Raises:
        ImageError: with one of the codes EMPTY, NOT_AN_IMAGE, BROKEN, TOO_LARGE, SEVERAL_FRAMES and BLANK (fully
            transparent). Nothing else is raised for any input.
    """
    kind = _identify(data)
    pixels = decode_plain_png(data) if kind == "PNG" else None
    return _decode_with_pillow(data, kind) if pixels is None else to_grey(pixels)


def _decode_with_pillow(data: bytes, kind: str) -> Grey:
    try:
        # Pillow remarks on odd metadata by warnings, which would end on the user's terminal.
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(data), formats=(kind,)) as image:
            _check_pixels(image)
            _check_frames(image)
            pixels = image.width * image.height
            if kind == "JPEG":
                image.draft(None, (SHORT_SIDE, SHORT_SIDE))  # decoded at 1/2, 1/4 or 1/8: less memory, less time
            _check_memory(image, pixels)
            image.load()
            return _upright(_grey(image), _orientation(image))
    except Image.DecompressionBombError as error:
        raise _too_large(f"The image has far more than {MAX_PIXELS / 1e6:.0f} million pixels") from error
    except DECODER_ERRORS as error:
        raise ImageError(
            FailureCode.BROKEN,
            f"The {kind} image is cut off, damaged or of a rare variant. Send it again, or save it as PNG.",
        ) from error


def _identify(data: bytes) -> str:
    """Pillow's name of the format, told by the first bytes, as a file's name proves nothing."""
    if not data:
        raise ImageError(FailureCode.EMPTY, "The file is empty. Save or send it again.")
    if len(data) > MAX_BYTES:
        raise _too_large(f"The file has {len(data) / 2**20:.1f} MiB, more than {MAX_BYTES // 2**20}")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _DIB_HEADER_SIZES:
        return "BMP"
    what, remedy = next((what, remedy) for at, mark, what, remedy in _OTHERS if data.startswith(mark, at))
    raise ImageError(FailureCode.NOT_AN_IMAGE, f"This is no {_READ} image, but {what}. {remedy}.")


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(
            f"The image has {image.width} × {image.height} pixels, more than {MAX_PIXELS / 1e6:.0f} million"
        )


def _check_frames(image: Image.Image) -> None:
    # A telephone's MPO has a second frame, but it is a depth or brightness map of the same photograph.
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return
    frames = _pages(image) if isinstance(image, TiffImagePlugin.TiffImageFile) else getattr(image, "n_frames", 1)
    if frames > 1:
        raise ImageError(
            FailureCode.SEVERAL_FRAMES,
            f"The file has {frames}{' or more' * (frames == MAX_PAGES)} frames or pages. Submit each by itself.",
        )


def _pages(image: TiffImagePlugin.TiffImageFile) -> int:
    """The pages of a TIFF, less the thumbnails that some scanners store as further pages; `MAX_PAGES` at most."""
    pages = 0
    try:
        for number in range(MAX_PAGES):
            image.seek(number)
            pages += not image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED_VERSION
    except EOFError:
        image.seek(0)
    return pages


def _check_memory(image: Image.Image, pixels: int) -> None:
    held = image.width * image.height * _BYTES_PER_PIXEL.get(image.mode, 4)
    if image.format == "WEBP":
        held = pixels * _WEBP_BYTES_PER_PIXEL
    elif image.format == "TIFF":
        held *= 2  # Pillow turns it upright itself, into a second image
    elif "progressive" in image.info:
        held += pixels * 2 * len(image.getbands())  # libjpeg keeps every coefficient until the last scan
    if held > MAX_DECODER_BYTES:
        limit = MAX_DECODER_BYTES // 2**20
        raise _too_large(f"Decoding the image takes {held / 2**20:.0f} MiB of memory, more than {limit}")


def _too_large(fault: str) -> ImageError:
    return ImageError(FailureCode.TOO_LARGE, f"{fault}. Crop it to the digit, or scale it down.")


def _grey(image: Image.Image) -> Grey:
    short, long = sorted(image.size)
    factor = max(1, short // SHORT_SIDE, math.ceil(long / LONG_SIDE))
    if image.mode.startswith(("I", "F")):
        return to_eight_bits(_reduced(image, "F", factor))
    if image.has_transparency_data:
        return from_transparency(_reduced(image, "RGBA", factor))
    if image.mode in {"1", "L"}:
        return _reduced(image, "L", factor)
    if image.mode == "LAB":
        return _reduced(image.getchannel("L"), "L", factor)
    return from_colour(_reduced(image, "RGB", factor))


def _reduced(image: Image.Image, mode: str, factor: int) -> NDArray[Any]:
    """The pixels in this mode, each side reduced by this factor, converted in bands so that the copies stay small."""
    if factor == 1:
        return np.asarray(image if image.mode == mode else image.convert(mode))
    height = max(1, _BAND_PIXELS // (image.width * factor)) * factor
    bands = [
        np.asarray(image.crop((0, top, image.width, min(top + height, image.height))).convert(mode).reduce(factor))
        for top in range(0, image.height, height)
    ]
    return np.concatenate(bands)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a block that cannot be read is no reason to refuse the picture."""
    if not _MAY_HOLD_ORIENTATION & image.info.keys():
        return 1  # spares the parsing; Pillow has turned a TIFF upright itself
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except DECODER_ERRORS:
        return 1


def _upright(pixels: Grey, orientation: int) -> Grey:
    transpose, down, right = _ORIENTATIONS.get(orientation, (False, 1, 1))
    return np.ascontiguousarray((pixels.T if transpose else pixels)[::down, ::right])
