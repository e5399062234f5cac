"""Decode an image with Pillow, to one grey image of bounded size.

Before any pixel is decoded, the header must show an allowed size and one frame. The memory that the header asks for is
bounded. Only the limits of the helper process bound what a file takes beyond that.
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

# Pillow imports its plugins when it opens the first image. If they are imported here, they do not delay that image.
from PIL import (  # noqa: F401
    AvifImagePlugin,
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
from model.images.decoding.cost import loads_cheaply, tile_bytes, webp_size
from model.images.decoding.formats import too_costly, too_large
from model.images.decoding.tiff import NEW_SUBFILE_TYPE, NOT_A_PAGE
from model.images.grey import (
    MAX_SAMPLES,
    colour_to_grey,
    is_drawn_in_opacity,
    is_pale,
    to_eight_bits,
    transparent_to_grey,
)
from model.images.limits import MAX_PIXELS, MEMORY_BYTES
from model.images.raster import Grey

MAX_DECODER_BYTES = 200 * 2**20
"""Maximum memory that a decoder may hold at once, in bytes.

That allows 52 megapixels for a PNG in colour, 12 for a WebP, 34 for a progressive JPEG, and `MAX_PIXELS` for other
files. Most cameras write baseline JPEGs, which take a few MiB whatever their size."""

SHORT_SIDE = 250
"""Minimum length of the shorter side of a reduced image, in pixels, unless `LONG_SIDE` makes it shorter.

A digit of a tenth of this length has MNIST's detail."""

PAGE_SIDE, PAGE_SHORT_SIDE = 1500, 400
"""Length of the shorter side of a picture from which it counts as a scanned page, and `SHORT_SIDE` of such a picture.

A digit on a page may be a fiftieth of its length. JPEGs are reduced before, to `SHORT_SIDE`, because photographs would
take twice the time."""

LONG_SIDE = 1000
"""Maximum length of the longer side of a decoded image, in pixels. It bounds the work of the stages that follow."""

MAX_PAGES = 100
"""Maximum number of a TIFF's pages that are counted.

Each page takes longer than the one before, and a hostile file may have millions."""

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
"""The errors that Pillow, NumPy and OpenCV raise on malformed input.

`Exception` would catch too much. Celery raises a task's time limit, a direct subclass of `Exception`, into whatever
code is running, and a time limit says nothing about the image."""

# Bytes that Pillow holds per pixel while it decodes, by mode; 4 for other modes.
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
_BYTES_PER_ROW = 8  # Pillow holds a pointer to each row
_WEBP_BYTES_PER_PIXEL = 17  # measured: the decoder keeps two canvases and the frame, and Pillow a copy

# Measured: the planes, the frame in colour, and Pillow's copy. A telephone's HEIC of 24 megapixels is within the limit.
_VIDEO_BYTES_PER_PIXEL = {"AVIF": {"RGB": 10}, "HEIF": {"RGB": 8}}
_VIDEO_BYTES_WITH_ALPHA = 12

_JPEG_BLOCK_BYTES = 2**20  # of a file, given to libjpeg at a time: with Pillow's 64 KiB it takes 2 % longer

_BAND_PIXELS = 2**20  # converted at a time, so that intermediate copies stay small

MIN_STRETCH = 0.01
"""Difference of a pixel's height and width, as a share of its width, up to which it counts as square."""

MAX_PIXEL_ASPECT = 4.0
"""Maximum length of a pixel as a multiple of its width, or the other way round.

A fax has pixels that are twice as high as wide. A file that says more was written by a program in error."""

_TURNED = frozenset({5, 6, 7, 8})  # EXIF orientations that exchange width and height

_MAY_HOLD_ORIENTATION = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}  # keys of Pillow's info

# By EXIF orientation: whether to transpose, the step through the rows, and the step through the columns.
_ORIENTATIONS = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


class MayBeCostly(Exception):
    """An image is not certainly cheap to decode."""


def decode_with_pillow(data: bytes, kind: str, *, only_if_cheap: bool = False) -> Grey:
    """Decode an image to grey. See `decode.decode`.

    Args:
        data: Bytes of the file.
        kind: Pillow's name of its format, as `formats.identify` returns it.
        only_if_cheap: Whether to decode only an image that is certainly cheap to decode.

    Returns:
        Grey levels, uint8 (height, width).

    Raises:
        ImageError: The file cannot be decoded (BROKEN, TOO_LARGE, TOO_COSTLY or SEVERAL_FRAMES), the image is fully
            transparent (BLANK), or no decoder for the format is installed (NOT_AN_IMAGE).
        MayBeCostly: It is not certainly cheap to decode, and `only_if_cheap` is set.
    """
    try:
        if kind == "WEBP":  # Pillow creates the decoder, which takes the memory, when it opens the file
            _check_webp(data)
        elif kind in {"AVIF", "HEIF"}:
            prepare_phone_formats(kind)
        # Pillow warns about odd metadata. The user's terminal must not show that.
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(data), formats=(kind,)) as image:
            _check_pixels(image.width, image.height)
            _check_frames(image)
            pixels = image.width * image.height
            if kind == "JPEG":
                # Decoded at 1/2, 1/4 or 1/8, and without a conversion to RGB: less memory, less time.
                image.draft("YCbCr" if _is_ycc(image) else None, (SHORT_SIDE, SHORT_SIDE))
                image.decodermaxblock = _JPEG_BLOCK_BYTES
            _check_memory(image, pixels)
            if only_if_cheap and not loads_cheaply(image, data, pixels):
                raise MayBeCostly
            aspect = _pixel_aspect(image)
            image.load()
            return _upright(grey_of(image, aspect), _orientation(image))
    except Image.DecompressionBombError as error:
        raise too_large(f"The image has far more pixels than the limit of {MAX_PIXELS / 1e6:.0f} million") from error
    except DECODER_ERRORS as error:
        if _is_out_of_memory(error):
            raise too_costly(
                f"Decoding the image needs more memory than the limit of {MEMORY_BYTES // 2**20} MiB"
            ) from error
        raise ImageError(
            FailureCode.BROKEN,
            f"The {kind} image is cut off, damaged or stored in a rare variant. Copy it again, or save it as PNG.",
        ) from error


def prepare_phone_formats(kind: str) -> None:
    """Load the decoder of AVIF or HEIF, if it is not loaded, and let it use one thread.

    Raises:
        ImageError: It is not installed (NOT_AN_IMAGE).
    """
    if kind == "AVIF":
        if not AvifImagePlugin.SUPPORTED:
            raise _no_decoder("an AVIF image", "Pillow has no decoder for it here", "pip install --upgrade pillow")
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    elif "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise _no_decoder(
                "a HEIC photograph", "the worker has no decoder for it", "pip install 'digitmill[heif]'"
            ) from None
        register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def _no_decoder(what: str, fault: str, command: str) -> ImageError:
    return ImageError(
        FailureCode.NOT_AN_IMAGE,
        f"This is {what}, and {fault}. Convert it to JPEG, or run `{command}` where the workers run, and restart them.",
    )


def _is_ycc(image: Image.Image) -> bool:
    """Return whether libjpeg takes the three channels of a JPEG for lightness and differences of colour, and not RGB.

    It does so if the file says JFIF; or else Adobe's transform 1; or else if the channels are numbered as in JFIF.
    """
    if image.mode != "RGB" or not isinstance(image, JpegImagePlugin.JpegImageFile):
        return False
    if "jfif" in image.info:
        return True
    return image.info.get("adobe_transform", 1) == 1 and [channel[0] for channel in image.layer] == [1, 2, 3]


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether a decoder failed because it got no memory. Most decoders do not raise MemoryError."""
    if isinstance(error, cv2.error):
        return getattr(error, "code", 0) == cv2.Error.StsNoMem
    return isinstance(error, MemoryError) or str(error).startswith(("out of memory", "Error -4 "))


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise too_large(f"The image has {width} × {height} pixels; the limit is {MAX_PIXELS / 1e6:.0f} million")


def _check_webp(data: bytes) -> None:
    width, height = webp_size(data)
    _check_pixels(width, height)
    _check_held(width * height * _WEBP_BYTES_PER_PIXEL)


def _check_frames(image: Image.Image) -> None:
    # The second frame of a telephone's MPO is a depth or brightness map of the same photograph.
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return
    frames = _pages(image) if isinstance(image, TiffImagePlugin.TiffImageFile) else getattr(image, "n_frames", 1)
    if frames > 1:
        raise ImageError(
            FailureCode.SEVERAL_FRAMES,
            f"The file has {frames}{' or more' * (frames == MAX_PAGES)} frames or pages. Save each as its own file.",
        )


def _pages(image: TiffImagePlugin.TiffImageFile) -> int:
    """Count the pages of a TIFF, up to `MAX_PAGES`, without the thumbnails that some scanners store as pages."""
    pages = 0
    try:
        for number in range(MAX_PAGES):
            image.seek(number)
            pages += not image.tag_v2.get(NEW_SUBFILE_TYPE, 0) & NOT_A_PAGE
    except EOFError:
        image.seek(0)
    return pages


def _check_memory(image: Image.Image, pixels: int) -> None:
    """Refuse an image that a decoder cannot hold, before any pixel is decoded."""
    if image.format == "WEBP":
        return  # checked before it was opened
    if image.format in _VIDEO_BYTES_PER_PIXEL:
        each = _VIDEO_BYTES_PER_PIXEL[image.format].get(image.mode, _VIDEO_BYTES_WITH_ALPHA)
    else:
        each = _BYTES_PER_PIXEL.get(image.mode, 4)
    held = image.width * image.height * each
    held += image.height * _BYTES_PER_ROW
    if image.format == "TIFF":
        held *= 2  # Pillow itself turns a TIFF upright, into a second image
        held += tile_bytes(image)
    elif "progressive" in image.info:
        held += pixels * 2 * len(image.getbands())  # libjpeg keeps every coefficient until the last scan
    _check_held(held)


def _check_held(held: int) -> None:
    if held > MAX_DECODER_BYTES:
        limit = MAX_DECODER_BYTES // 2**20
        raise ImageError(
            FailureCode.TOO_COSTLY,
            f"Decoding the image needs {held / 2**20:.0f} MiB of memory; the limit is {limit} MiB. Crop it to the "
            "digit, or scale it down.",
        )


def grey_of(image: Image.Image, aspect: float = 1.0) -> Grey:
    """Reduce a loaded image to grey levels with square pixels, and to the size that the limits of this module allow.

    Args:
        image: Loaded image.
        aspect: Height of a pixel, as a multiple of its width. A picture is stretched where its pixels are longer.
    """
    wider, taller = max(1.0, 1 / aspect), max(1.0, aspect)
    short, long = sorted((image.width * wider, image.height * taller))
    least = PAGE_SHORT_SIDE if short >= PAGE_SIDE else SHORT_SIDE
    factor = max(1, int(short // least), math.ceil(long / LONG_SIDE))
    pixels = _reduced_grey(image, max(1, int(factor / wider)), max(1, int(factor / taller)))
    if aspect == 1:
        return pixels
    width, height = (max(1, round(side / factor)) for side in (image.width * wider, image.height * taller))
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


def _reduced_grey(image: Image.Image, across: int, down: int) -> Grey:
    """Return the grey levels of an image with its sides divided by a factor each, uint8 (height, width)."""
    if image.mode.startswith(("I", "F")):
        return to_eight_bits(_reduced(image, "F", across, down))
    if image.has_transparency_data:
        return _transparent_grey(image, across, down)
    if image.mode in {"1", "L"}:
        return _reduced(image, "L", across, down)
    if image.mode == "LAB":
        return _reduced(image.getchannel("L"), "L", across, down)
    if image.mode == "YCbCr":
        return _ycc_grey(image if across == down == 1 else image.reduce((across, down)))
    return colour_to_grey(_reduced(image, "RGB", across, down))


def _ycc_grey(image: Image.Image) -> Grey:
    """Return the grey levels of a picture as JPEG stores it, uint8 (height, width).

    Only its lightness leaves Pillow, if that serves. The memory for all channels would go back to the system after each
    picture, and the system takes longer to give it again than Pillow takes to copy the lightness.
    """
    if is_pale(_samples(image)):
        return np.asarray(image.getchannel("Y"))
    lightness, blue, red = cv2.split(np.asarray(image))  # OpenCV converts as libjpeg does, and Pillow less exactly
    return colour_to_grey(cv2.cvtColor(cv2.merge([lightness, red, blue]), cv2.COLOR_YCrCb2RGB))


def _transparent_grey(image: Image.Image, across: int, down: int) -> Grey:
    """Return the grey levels of a partly transparent image with its sides divided by a factor each.

    Only the opacity of a small image leaves Pillow, if that serves.

    Raises:
        ImageError: Nothing is visible (BLANK).
    """
    if image.mode == "RGBA" and across == down == 1:
        opacity = np.asarray(image.getchannel("A"))
        if is_drawn_in_opacity(opacity, _samples(image)):
            return opacity
    return transparent_to_grey(_reduced(image, "RGBA", across, down))


def _samples(image: Image.Image) -> NDArray[np.uint8]:
    """Return at most `MAX_SAMPLES` evenly spaced pixels a side, uint8 (height, width, channels)."""
    step = math.ceil(max(image.size) / MAX_SAMPLES)
    size = max(1, image.width // step), max(1, image.height // step)
    return np.asarray(image if step == 1 else image.resize(size, Image.Resampling.NEAREST))


def _reduced(image: Image.Image, mode: str, across: int, down: int) -> NDArray[Any]:
    """Divide each side by a factor, and convert pixels to a mode, in bands, so that intermediate copies stay small."""
    if across == down == 1:
        return np.asarray(image if image.mode == mode else image.convert(mode))
    if image.mode == mode != "RGBA":  # Pillow copies RGBA to reduce it
        return np.asarray(image.reduce((across, down)))
    height = max(1, _BAND_PIXELS // (image.width * down)) * down
    bands = [
        np.asarray(
            image.crop((0, top, image.width, min(top + height, image.height))).convert(mode).reduce((across, down))
        )
        for top in range(0, image.height, height)
    ]
    return np.concatenate(bands)


def _pixel_aspect(image: Image.Image) -> float:
    """Return the height of a pixel, as a multiple of its width, of an open image as it will be when it is loaded.

    A scanner or fax writes how many pixels an inch has in each direction. Implausible values give 1.
    """
    found = next(
        (image.info[key] for key in ("dpi", "resolution", "aspect", "jfif_density") if key in image.info), None
    )
    try:
        across, down = map(float, found or (1, 1))
        aspect = across / down
    except (TypeError, ValueError, ArithmeticError):
        return 1.0
    # Rounding alone makes a small difference. The second comparison also fails if the aspect is not a number.
    if abs(aspect - 1) < MIN_STRETCH or not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        return 1.0
    # Pillow turns a TIFF upright while it loads it; all others are turned at the end.
    is_turned = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(Base.Orientation) in _TURNED
    return 1 / aspect if is_turned else aspect


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8. An unreadable block gives 1, because the picture is usable without it."""
    if not _MAY_HOLD_ORIENTATION & image.info.keys():
        return 1  # saves parsing the block; Pillow has already turned a TIFF upright
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except DECODER_ERRORS:
        return 1


def _upright(pixels: Grey, orientation: int) -> Grey:
    transpose, down, right = _ORIENTATIONS.get(orientation, (False, 1, 1))
    return np.ascontiguousarray((pixels.T if transpose else pixels)[::down, ::right])
