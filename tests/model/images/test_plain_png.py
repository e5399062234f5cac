"""Plain PNGs are read as Pillow reads them; everything else is left to it."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from model.images.plain_png import MAX_SIDE, decode_plain_png
from tests.model.images.drawings import drawing, encoded

GREY = Image.fromarray(drawing(37, 29))
COLOUR = Image.merge("RGB", [GREY, GREY.rotate(90, expand=False), GREY.rotate(180)])

PLAIN = {
    "1 bit": GREY.convert("1"),
    "grey": GREY,
    "grey and alpha": Image.merge("LA", [GREY, GREY.rotate(180)]),
    "colour": COLOUR,
    "colour and alpha": Image.merge("RGBA", [*COLOUR.split(), GREY]),
    "palette of 2": COLOUR.quantize(2),
    "palette of 4": COLOUR.quantize(4),
    "palette of 16": COLOUR.quantize(16),
    "palette of 256": COLOUR.quantize(256),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_are_read_as_pillow_reads_them(name):
    """Every mode gives Pillow's pixels, whatever OpenCV's order of channels."""
    image = PLAIN[name]
    mode = {"1": "L", "LA": "RGBA", "P": "RGB"}.get(image.mode, image.mode)
    assert np.array_equal(decode_plain_png(encoded(image)), np.asarray(image.convert(mode)))


def test_descriptions_that_change_no_pixel_are_plain():
    """Gamma, resolution and time, which paint programs write, make no difference to either decoder."""
    extra = PngImagePlugin.PngInfo()
    extra.add(b"gAMA", struct.pack(">I", 45455))
    extra.add(b"sRGB", b"\0")
    data = encoded(GREY, pnginfo=extra, dpi=(96, 96))
    assert all(name in data for name in (b"gAMA", b"sRGB", b"pHYs"))
    assert np.array_equal(decode_plain_png(data), np.asarray(GREY))


def _described(name: bytes, content: bytes) -> bytes:
    extra = PngImagePlugin.PngInfo()
    extra.add(name, content)
    return encoded(GREY, pnginfo=extra)


NOT_PLAIN = {
    "16 bits": encoded(np.asarray(GREY).astype(np.uint16) * 257),
    "a transparent palette": encoded(PLAIN["palette of 16"], transparency=0),
    "a transparent grey": encoded(GREY, transparency=0),
    "orientation": encoded(GREY, exif=b"Exif\0\0MM\0*"),
    "text": _described(b"tEXt", b"Raw profile type exif\0"),
    "frames": encoded(GREY, save_all=True, append_images=[GREY.rotate(10)]),
    "large": encoded(drawing(MAX_SIDE + 1, 20)),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_pillow(name):
    """Whatever needs more than pixels to be shown rightly is not decoded here."""
    assert decode_plain_png(NOT_PLAIN[name]) is None


def test_no_damaged_file_is_decoded():
    """Whichever byte changes, and wherever the file is cut, it is noticed: by a checksum, or by what does not fit."""
    data = encoded(COLOUR)
    for at in range(8, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        assert decode_plain_png(bytes(damaged)) is None
        assert decode_plain_png(data[:at]) is None


def _png(rows: bytes, height: int = 20, width: int = 20) -> bytes:
    """A PNG in 8-bit grey with right checksums whose rows are these bytes, fitting or not."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    )


@pytest.mark.parametrize(
    "data",
    [_png(bytes(21 * 19)), _png(bytes(21 * 21)), _png(bytes(10**7)), _png(b"\5" * 21 * 20), _png(b"", height=0)],
    ids=["too few", "too many", "far too many", "an unknown filter", "none"],
)
def test_pixels_that_do_not_fit_the_header_are_left_to_pillow(data):
    """Sound chunks of the wrong content are no plain PNG, and take no more memory than the header promises."""
    assert decode_plain_png(_png(bytes(21 * 20))) is not None
    assert decode_plain_png(data) is None
