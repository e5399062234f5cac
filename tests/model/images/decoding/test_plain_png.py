"""Plain PNGs are read as Pillow reads them. Everything else is left to Pillow."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from model.images.decoding.cost import MAX_CHUNKS
from model.images.decoding.plain_png import MAX_FILE_BYTES, MAX_ROWS_BYTES, decode_plain_png
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


@pytest.mark.parametrize("size", [GREY.size, (83, 127)])
@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_are_read_as_pillow_reads_them(name, size):
    """A plain file of any mode gives Pillow's pixels, in Pillow's order of channels."""
    image = PLAIN[name].resize(size)
    mode = {"1": "L", "LA": "RGBA", "P": "RGB"}.get(image.mode, image.mode)
    pixels = decode_plain_png(encoded(image))
    assert pixels is not None
    assert np.array_equal(np.asarray(pixels), np.asarray(image.convert(mode)))


@pytest.mark.parametrize("noise", [0, 60])
@pytest.mark.parametrize("side", [256, 700])
@pytest.mark.parametrize("name", ["grey", "colour", "colour and alpha"])
def test_plain_files_with_many_pixels_are_read_as_pillow_reads_them(name, side, noise):
    """Rows that fill several blocks of deflate give Pillow's pixels too, whether they were packed well or badly.

    A damaged file is left to Pillow.
    """
    pixels = np.asarray(PLAIN[name].resize((side, side)))
    pixels = pixels ^ np.random.default_rng(0).integers(0, noise + 1, pixels.shape, np.uint8)
    data = encoded(pixels)
    decoded = decode_plain_png(data)
    assert decoded is not None
    assert np.array_equal(np.asarray(decoded), pixels)
    for at in range(8, len(data), len(data) // 50):
        assert decode_plain_png(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) is None
        assert decode_plain_png(data[:at]) is None


def test_descriptions_that_change_no_pixel_are_plain():
    """A file with gamma and resolution, which paint programs write, is plain, because they change no pixel."""
    extra = PngImagePlugin.PngInfo()
    extra.add(b"gAMA", struct.pack(">I", 45455))
    extra.add(b"sRGB", b"\0")
    data = encoded(GREY, pnginfo=extra, dpi=(96, 96))
    assert all(name in data for name in (b"gAMA", b"sRGB", b"pHYs"))
    pixels = decode_plain_png(data)
    assert pixels is not None
    assert np.array_equal(np.asarray(pixels), np.asarray(GREY))


def _with_chunk(name: bytes, content: bytes) -> bytes:
    extra = PngImagePlugin.PngInfo()
    extra.add(name, content)
    return encoded(GREY, pnginfo=extra)


NOT_PLAIN = {
    "16 bits": encoded(np.asarray(GREY).astype(np.uint16) * 257),
    "a transparent palette": encoded(PLAIN["palette of 16"], transparency=0),
    "a transparent grey": encoded(GREY, transparency=0),
    "orientation": encoded(GREY, exif=b"Exif\0\0MM\0*"),
    "text": _with_chunk(b"tEXt", b"Raw profile type exif\0"),
    "frames": encoded(GREY, save_all=True, append_images=[GREY.rotate(10)]),
    "many, and not of a mode of Pillow's": encoded(GREY.convert("LA").resize((256, 256))),
    "very many": encoded(GREY.resize((2000, MAX_ROWS_BYTES // 2001 + 1))),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_pillow(name):
    """A file with deep, transparent, oriented, annotated or many pixels, or with frames, is left to Pillow."""
    assert decode_plain_png(NOT_PLAIN[name]) is None


def test_no_damaged_file_is_decoded():
    """A file in which any byte changes, or that is cut anywhere, is left to Pillow."""
    data = encoded(COLOUR)
    for at in range(8, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        assert decode_plain_png(bytes(damaged)) is None
        assert decode_plain_png(data[:at]) is None


def _png(rows: bytes, height: int = 20, width: int = 20) -> bytes:
    """Return a PNG in 8-bit grey with correct checksums. Its rows are these bytes, which need not fit its size."""
    return _file(_header(height, width), (b"IDAT", zlib.compress(rows)))


def _header(height: int, width: int, colour: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)


def _file(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a file of these chunks and the last one, with correct checksums."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in (*chunks, (b"IEND", b""))
    )


@pytest.mark.parametrize(
    "data",
    [_png(bytes(21 * 19)), _png(bytes(21 * 21)), _png(bytes(10**7)), _png(b"\5" * 21 * 20), _png(b"", height=0)],
    ids=["too few", "too many", "far too many", "an unknown filter", "none"],
)
def test_pixels_that_do_not_fit_the_header_are_left_to_pillow(data):
    """A file with sound chunks but too few, too many or malformed rows is left to Pillow."""
    assert decode_plain_png(_png(bytes(21 * 20))) is not None
    assert decode_plain_png(data) is None


def test_pixels_in_several_chunks_are_plain_unless_another_chunk_is_between_them():
    """A file with its pixels in consecutive chunks is plain. Pillow takes one with a gap for cut off."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 20), np.uint8)
    packed = zlib.compress(np.pad(pixels, ((0, 0), (1, 0))).tobytes())
    first, second = (b"IDAT", packed[:99]), (b"IDAT", packed[99:])
    decoded = decode_plain_png(_file(_header(20, 20), first, second))
    assert decoded is not None
    assert np.array_equal(np.asarray(decoded), pixels)
    assert decode_plain_png(_file(_header(20, 20), first, (b"tIME", bytes(7)), second)) is None


@pytest.mark.parametrize("height", [20, 70_000])
def test_a_picture_without_width_is_left_to_pillow(height):
    """A row of no pixels still has a byte for its filter, so such a file may hold many bytes and no picture."""
    assert decode_plain_png(_file(_header(height, 0), (b"IDAT", zlib.compress(bytes(height))))) is None


def test_a_window_that_zlib_does_not_have_is_left_to_pillow():
    """ISA-L would unpack a stream that says its window is larger than 32 KiB, which RFC 1950 forbids."""
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80), np.uint8)
    packed = zlib.compress(np.pad(pixels, ((0, 0), (1, 0))).tobytes())
    assert decode_plain_png(_file(_header(80, 80), (b"IDAT", packed))) is not None
    header = 0xF800 + (31 - 0xF800 % 31)
    assert decode_plain_png(_file(_header(80, 80), (b"IDAT", header.to_bytes(2, "big") + packed[2:]))) is None


def test_a_large_file_of_a_small_picture_is_left_to_pillow():
    """What surrounds the pixels takes time and memory too."""
    pixels = (b"IDAT", zlib.compress(bytes(21 * 20)))
    assert decode_plain_png(_file(_header(20, 20), pixels, (b"tIME", bytes(MAX_FILE_BYTES - 1000)))) is not None
    assert decode_plain_png(_file(_header(20, 20), pixels, (b"tIME", bytes(MAX_FILE_BYTES)))) is None


def test_a_file_of_very_many_chunks_is_left_to_pillow():
    """Each chunk takes time. A file with the most that are read is plain, and one with more is not."""
    chunks = [_header(20, 20), (b"IDAT", zlib.compress(bytes(21 * 20)))]
    assert decode_plain_png(_file(*chunks, *[(b"tIME", bytes(7))] * (MAX_CHUNKS - 2))) is not None
    assert decode_plain_png(_file(*chunks, *[(b"tIME", bytes(7))] * (MAX_CHUNKS - 1))) is None


def test_a_palette_after_the_pixels_is_left_to_pillow():
    """A file with its palette after its pixels, where decoders need it before them, is left to Pillow."""
    header, pixels = _header(20, 20, colour=3), (b"IDAT", zlib.compress(bytes(21 * 20)))
    palette = b"PLTE", bytes(range(48))
    assert decode_plain_png(_file(header, palette, pixels)) is not None
    assert decode_plain_png(_file(header, pixels, palette)) is None
