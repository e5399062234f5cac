"""Decode users' images: from encoded bytes to one grey image of bounded size.

Every file is treated as hostile, and each has a budget of CPU time and memory (`model.images.limits`). A file that is
certainly cheap is decoded in this process. Every other file is decoded in a helper process, which has limits.
"""

import contextlib

from PIL import Image

from model.images.decoding.cost import opens_cheaply
from model.images.decoding.formats import identify
from model.images.decoding.helper import HELPER
from model.images.decoding.pillow import MayBeCostly, decode_with_pillow, grey_of
from model.images.decoding.plain_png import decode_plain_png
from model.images.grey import to_grey
from model.images.raster import Grey


def decode(data: bytes, *, only_if_cheap: bool = False) -> Grey:
    """Decode an image to grey, upright, at most `pillow.LONG_SIDE` pixels long.

    In the result, ink and paper differ in grey, and either may be lighter. The grey is lightness, or the colour or
    opacity that carries the drawing where lightness does not. The function refuses animations, documents of several
    pages, and everything beyond the limits. It raises only ImageError, whatever the input.

    Args:
        data: Bytes of one PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF or HEIC file.
        only_if_cheap: Whether to refuse a file that is not certainly cheap, instead of asking the helper process.

    Returns:
        Grey levels, uint8 (height, width). A small image keeps every pixel; a larger one is reduced by area averaging.

    Raises:
        ImageError: The file cannot be decoded (EMPTY, NOT_AN_IMAGE, BROKEN, TOO_LARGE, TOO_COSTLY or SEVERAL_FRAMES),
            the image is fully transparent (BLANK), or the helper process does not start (INTERNAL).
        MayBeCostly: It is not certainly cheap to decode, and `only_if_cheap` is set.
    """
    kind = identify(data)
    plain = decode_plain_png(data) if kind == "PNG" else None
    if plain is not None:
        return grey_of(plain) if isinstance(plain, Image.Image) else to_grey(plain)
    if opens_cheaply(data, kind):
        with contextlib.suppress(MayBeCostly):
            return decode_with_pillow(data, kind, only_if_cheap=True)
    if only_if_cheap:
        raise MayBeCostly
    return HELPER.decode(data)
