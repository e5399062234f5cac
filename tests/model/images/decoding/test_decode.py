"""Decoding makes any image file grey, upright and small, and refuses everything else with a code."""

import contextlib
import itertools
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from PIL import AvifImagePlugin, ExifTags, Image, ImageOps, TiffImagePlugin

from model.errors import FailureCode, ImageError
from model.images.decoding.decode import decode
from model.images.decoding.pillow import LONG_SIDE, MAX_DECODER_BYTES, MAX_PAGES, SHORT_SIDE, decode_with_pillow
from model.images.limits import MAX_BYTES, MAX_PIXELS
from tests.model.images.drawings import drawing, encoded, heic, shares_ink

GREY = drawing()
PICTURE = Image.fromarray(GREY)
BILEVEL = PICTURE.convert("1", dither=Image.Dither.NONE)
COLOUR = PICTURE.convert("RGB")

FILES = {
    "PNG, 1 bit": encoded(BILEVEL),
    "PNG, grey": encoded(PICTURE),
    "PNG, grey and alpha": encoded(PICTURE.convert("LA")),
    "PNG, palette": encoded(COLOUR.quantize(16)),
    "PNG, colour": encoded(COLOUR),
    "PNG, colour and alpha": encoded(PICTURE.convert("RGBA")),
    "PNG, 16 bits": encoded(GREY.astype(np.uint16) * 257),
    "JPEG, grey": encoded(PICTURE, "JPEG"),
    "JPEG, colour": encoded(COLOUR, "JPEG"),
    "JPEG, progressive": encoded(COLOUR, "JPEG", progressive=True),
    "JPEG, CMYK": encoded(COLOUR.convert("CMYK"), "JPEG"),
    "BMP, 1 bit": encoded(BILEVEL, "BMP"),
    "BMP, palette": encoded(COLOUR.quantize(16), "BMP"),
    "BMP, colour": encoded(COLOUR, "BMP"),
    "GIF": encoded(PICTURE, "GIF"),
    "TIFF, fax": encoded(BILEVEL, "TIFF", compression="group4"),
    "TIFF, LZW": encoded(COLOUR, "TIFF", compression="tiff_lzw"),
    "TIFF, JPEG": encoded(COLOUR, "TIFF", compression="jpeg"),
    "TIFF, CMYK": encoded(COLOUR.convert("CMYK"), "TIFF"),
    "TIFF, LAB": encoded(COLOUR.convert("LAB"), "TIFF"),
    "TIFF, 16 bits": encoded(GREY.astype(np.uint16) * 257, "TIFF"),
    "TIFF, float": encoded(GREY.astype(np.float32) / 255, "TIFF"),
    "WebP": encoded(COLOUR, "WEBP"),
    "WebP, lossless and alpha": encoded(PICTURE.convert("RGBA"), "WEBP", lossless=True),
    "AVIF": encoded(COLOUR, "AVIF"),
    "AVIF, alpha": encoded(PICTURE.convert("RGBA"), "AVIF"),
    "HEIC": heic(COLOUR),
    "HEIC, grey": heic(PICTURE),
    "HEIC, alpha": heic(PICTURE.convert("RGBA")),
}


def code_of(data: bytes) -> FailureCode:
    """Return the code with which decoding refuses these bytes."""
    with pytest.raises(ImageError) as caught:
        decode(data)
    return caught.value.code


@pytest.mark.parametrize("name", FILES)
def test_every_format_and_mode_gives_the_picture(name):
    """Each format on the allow-list, in each mode that its encoder writes, shows the drawing at its own size."""
    grey = decode(FILES[name])
    assert grey.dtype == np.uint8
    assert grey.shape == GREY.shape
    assert shares_ink(grey, GREY) > 0.97


@pytest.mark.parametrize("name", ["PNG, grey", "PNG, colour", "PNG, colour and alpha", "PNG, 16 bits", "TIFF, LZW"])
def test_lossless_grey_comes_through_unchanged(name):
    """A file that stores 8-bit grey exactly keeps every level, whatever its mode: MNIST saved as PNG stays MNIST."""
    assert np.array_equal(decode(FILES[name]), GREY)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_exif_orientation_is_obeyed(kind, orientation):
    """A picture that a camera stored turned or mirrored comes out upright, as Pillow's `exif_transpose` makes it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif.tobytes()}
    upright = ImageOps.exif_transpose(_with_exif(PICTURE, orientation))
    grey = decode((heic if kind == "HEIF" else encoded)(PICTURE, kind, **options))
    assert grey.shape == np.asarray(upright).shape
    assert shares_ink(grey, np.asarray(upright)) > 0.97


def _with_exif(image, orientation):
    tagged = image.copy()
    tagged.getexif()[ExifTags.Base.Orientation] = orientation
    return tagged


@pytest.mark.parametrize(
    ("kind", "orientation"), [("TIFF", 1), ("TIFF", 6), ("JPEG", 1), ("JPEG", 6), ("PNG", 1), ("BMP", 1)]
)
@pytest.mark.parametrize("dpi", [(204, 98), (100, 200)])
def test_pixels_that_are_not_square_are_made_so(kind, dpi, orientation):
    """A fax has half as many rows as columns to the inch. The drawing comes out with the proportions of the paper."""
    paper = drawing(180, 120)
    width, height = (round(side * each / max(dpi)) for side, each in zip((120, 180), dpi, strict=True))
    scanned = Image.fromarray(paper).resize((width, height), Image.Resampling.BOX)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    by_kind: dict[str, dict[str, Any]] = {
        "TIFF": {"tiffinfo": {274: orientation}},
        "JPEG": {"exif": exif.tobytes()},
    }
    options = by_kind.get(kind, {})
    grey = decode(encoded(scanned, kind, dpi=dpi, **options))
    expected = np.rot90(paper, -1) if orientation == 6 else paper
    assert np.abs(np.subtract(grey.shape, expected.shape)).max() <= 1
    assert shares_ink(grey, cv2.resize(expected, grey.shape[::-1])) > 0.9


@pytest.mark.parametrize("dpi", [(300, 300), (300, 302), (0, 300), (300, 1), (72, 4000)])
def test_resolutions_that_mean_nothing_change_nothing(dpi):
    """Some programs write nonsense."""
    assert decode(encoded(PICTURE, "TIFF", dpi=dpi)).shape == GREY.shape
    assert np.array_equal(decode(encoded(PICTURE, "PNG", dpi=(300, 300))), GREY)


def test_a_large_fax_stays_within_the_size_of_a_picture():
    """It is reduced by itself in each direction, so that no detail is lost to the shorter one."""
    paper = drawing(2200, 1700)
    fax = Image.fromarray(paper).resize((1734, 1078), Image.Resampling.BOX).convert("1", dither=Image.Dither.NONE)
    grey = decode(encoded(fax, "TIFF", compression="group4", dpi=(204, 98)))
    assert max(grey.shape) <= LONG_SIDE
    assert abs(grey.shape[0] / grey.shape[1] - 2200 / 1700) < 0.02
    assert shares_ink(grey, cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_AREA)) > 0.95


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_without_its_decoder_a_photograph_is_refused_with_the_command_that_installs_it(kind, monkeypatch):
    """No such file is left out, or taken for a damaged one."""
    data = heic(COLOUR) if kind == "HEIF" else FILES[kind]
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"This is .* `pip install .*` where the workers run") as caught:
        decode_with_pillow(data, kind)
    assert caught.value.code is FailureCode.NOT_AN_IMAGE


def test_an_unreadable_exif_block_does_not_spoil_the_picture():
    """A picture with damaged metadata is read as it is stored."""
    assert shares_ink(decode(encoded(PICTURE, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")), GREY) > 0.97


@pytest.mark.parametrize("white", [1023, 4095, 16383, 65535])
def test_sixteen_bits_are_scaled_not_clipped(white):
    """Images of 10, 12, 14 and 16 significant bits, as cameras store them, span the whole range of grey."""
    deep = np.rint(GREY / 255 * white).astype(np.uint16)
    assert np.abs(decode(encoded(deep)).astype(int) - GREY).max() <= 1


def test_floats_of_any_range_are_scaled():
    """Signed floats, as in scientific TIFFs, are stretched to the range of grey. NaN counts as 0."""
    values = (GREY.astype(np.float32) - 100) * 1e6
    values[0, 0] = np.nan
    assert shares_ink(decode(encoded(values, "TIFF")), GREY) > 0.97


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255), (200, 30, 40), (120, 120, 120)])
def test_transparency_alone_can_carry_the_drawing(ink):
    """Ink of one colour on a transparent ground shows, whatever its colour and the hidden colour of the ground."""
    pixels = np.dstack([np.full((*GREY.shape, 3), ink, np.uint8), 255 - GREY])
    assert abs(shares_ink(decode(encoded(pixels)), GREY)) > 0.97


def test_a_photograph_with_transparent_corners_keeps_its_paper():
    """Transparent corners of a photograph take the colour of its paper, and so add no shapes."""
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:12, :12] = alpha[-12:, -12:] = 0
    pixels = np.dstack([GREY, GREY, GREY, alpha])
    assert shares_ink(decode(encoded(pixels)), GREY) > 0.97


def test_a_thin_stroke_on_a_patch_of_paper_is_not_lost_to_its_outline():
    """A sticker with round corners shows its writing and not its corners, however little ink the writing has."""
    paper = drawing(200, 200, stroke=0.015, ink=90, paper=190)
    alpha = cv2.circle(np.zeros_like(paper), (100, 100), 110, 255, -1)
    pixels = np.dstack([paper, paper, paper, alpha])
    assert shares_ink(decode(encoded(pixels)), paper) > 0.97


def test_ink_of_several_colours_on_a_transparent_ground_shows():
    """A stroke that runs from dark blue to bright red gets a ground that differs from all of it."""
    across = np.linspace(0, 255, GREY.shape[1], dtype=np.uint8)
    pixels = np.zeros((*GREY.shape, 4), np.uint8)
    pixels[..., 0] = across
    pixels[..., 2] = 255 - across
    pixels[..., 3] = 255 - GREY
    assert abs(shares_ink(decode(encoded(pixels)), GREY)) > 0.8


def test_a_transparent_palette_entry_counts_as_transparent():
    """Transparency that a GIF or a palette PNG marks by one entry of its palette is seen."""
    image = Image.fromarray(np.where(GREY < 128, 1, 0).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    for kind in ("PNG", "GIF"):
        assert abs(shares_ink(decode(encoded(image, kind, transparency=0)), GREY)) > 0.9


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((255, 240, 60), (255, 255, 255)), ((200, 60, 60), (60, 128, 60)), ((60, 90, 200), (150, 60, 60))],
)
def test_colour_carries_the_drawing_where_lightness_does_not(ink, paper):
    """Yellow ink on white, and ink that is as light as its paper, differ clearly from the paper in grey."""
    share = (255 - GREY[..., np.newaxis]) / 255
    grey = decode(encoded(np.rint(share * ink + (1 - share) * paper).astype(np.uint8)))
    assert abs(shares_ink(grey, GREY)) > 0.97
    assert np.ptp(grey) > 60


@pytest.mark.parametrize(
    "options", [{}, {"keep_rgb": True}, {"subsampling": "4:4:4"}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}]
)
@pytest.mark.parametrize("paper", [(60, 128, 60), (230, 220, 200)])
@pytest.mark.parametrize("app", [True, False], ids=["with JFIF", "without"])
def test_colour_of_a_jpeg_is_understood_however_it_is_stored(options, paper, app):
    """A JPEG shows the same whether it stores RGB or lightness and colour, and whether or not it says so by JFIF."""
    share = (255 - GREY[..., np.newaxis]) / 255
    picture = np.rint(share * (200, 60, 60) + (1 - share) * paper).astype(np.uint8)
    data = encoded(picture, "JPEG", quality=95, **options)
    if not app:
        at = data.find(b"\xff\xe0")
        length = int.from_bytes(data[at + 2 : at + 4], "big") + 2 if at >= 0 else 0
        data = data[:at] + data[at + length :] if length else data
    assert abs(shares_ink(decode(data), GREY)) > 0.97


def test_large_images_are_reduced():
    """A large image is reduced to a bounded size, and shows the same drawing."""
    large = drawing(3000, 2250)
    for data in (encoded(large, "JPEG"), encoded(large), encoded(Image.fromarray(large).convert("P"))):
        grey = decode(data)
        assert SHORT_SIDE <= min(grey.shape) < 2 * SHORT_SIDE
        assert max(grey.shape) <= LONG_SIDE
        expected = np.asarray(Image.fromarray(large).resize(grey.shape[::-1], Image.Resampling.BOX))
        assert shares_ink(grey, expected) > 0.97


def test_a_telephones_second_frame_is_not_a_second_picture():
    """An MPO photograph, which has a depth or brightness map as its second frame, is read as one photograph."""
    data = encoded(COLOUR, "MPO", save_all=True, append_images=[COLOUR.rotate(180)])
    with Image.open(BytesIO(data)) as file:
        assert getattr(file, "n_frames", 1) == 2
    assert shares_ink(decode(data), GREY) > 0.97


@pytest.mark.parametrize(
    ("kind", "frames"), [("PNG", 2), ("GIF", 3), ("WEBP", 4), ("TIFF", 5), ("AVIF", 2), ("HEIF", 3)]
)
def test_several_frames_are_refused_with_their_number(kind, frames):
    """The refusal of an animation or a document of several pages says how many it has."""
    others = [COLOUR.rotate(10 * turn) for turn in range(1, frames)]
    with pytest.raises(ImageError, match=rf"\b{frames} frames") as caught:
        decode((heic if kind == "HEIF" else encoded)(COLOUR, kind, save_all=True, append_images=others))
    assert caught.value.code is FailureCode.SEVERAL_FRAMES


def test_a_thumbnail_is_not_a_page():
    """A scanner's TIFF with a reduced version as its second page counts as one picture."""
    assert shares_ink(decode(_tiff(2, reduced=True)), GREY) > 0.97


def test_counting_pages_is_bounded(monkeypatch):
    """Of a file with 20,000 pages the decoder visits `MAX_PAGES` before it refuses the file."""
    visited = []
    seek = TiffImagePlugin.TiffImageFile.seek

    def count_and_seek(file, page):
        visited.append(page)
        seek(file, page)

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "seek", count_and_seek)
    with pytest.raises(ImageError) as caught:
        decode_with_pillow(_tiff(20_000), "TIFF")
    assert caught.value.code is FailureCode.SEVERAL_FRAMES
    assert len(visited) == MAX_PAGES
    with pytest.raises(ImageError, match=f"{MAX_PAGES} or more"):
        decode(_tiff(MAX_PAGES + 1))


def _tiff(pages: int, *, reduced: bool = False) -> bytes:
    """Return a TIFF of uncompressed grey pages that share one strip. All but the first may be marked as reduced."""
    height, width = GREY.shape
    data = bytearray(b"II*\0" + struct.pack("<I", 8 + GREY.size) + GREY.tobytes())
    for page in range(pages):
        subfile = 1 if reduced and page else 0
        tags = {
            254: subfile,
            256: width,
            257: height,
            258: 8,
            259: 1,
            262: 1,
            273: 8,
            277: 1,
            278: height,
            279: GREY.size,
        }
        data += struct.pack("<H", len(tags))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        data += struct.pack("<I", len(data) + 4 if page < pages - 1 else 0)
    return bytes(data)


def test_no_bytes_are_empty():
    """An empty file is refused as EMPTY."""
    assert code_of(b"") is FailureCode.EMPTY


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"BMW, by the way, is a maker of cars\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"\0\0\0\x18ftypmp42\0\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\0",
        b"8BPS\0\1",
        b"PK\3\4" + bytes(26) + b"[Content_Types].xml",
        b"\0" * 1000,
        b"\x89PN",
        encoded(PICTURE, "PPM"),
        encoded(COLOUR, "ICO"),
    ],
)
def test_other_files_are_refused_as_not_an_image(data):
    """The refusal of text, documents and formats off the allow-list names what the file is and what to do."""
    assert code_of(data) is FailureCode.NOT_AN_IMAGE
    with pytest.raises(ImageError, match=r"This is not a PNG, JPEG, .* image but .*\. .*\.$"):
        decode(data)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_in_half_is_broken(name):
    """A file cut in half is refused in every format, because half a digit may look like another digit."""
    assert code_of(FILES[name][: len(FILES[name]) // 2]) is FailureCode.BROKEN


@pytest.mark.parametrize("name", FILES)
def test_no_damage_raises_anything_else(name, recwarn):
    """A file that is cut anywhere, or in which any bytes change, is read or refused, without a warning."""
    random = np.random.default_rng(1)
    data = FILES[name]
    for length in range(0, len(data), max(1, len(data) // 25)):
        _read_or_refuse(data[:length])
    for _ in range(40):
        damaged = bytearray(data)
        for at in random.integers(0, min(len(data), 400), size=4):
            damaged[at] = random.integers(256)
        _read_or_refuse(bytes(damaged))
    assert not recwarn.list


def _read_or_refuse(data: bytes) -> None:
    with contextlib.suppress(ImageError):
        assert decode(data).dtype == np.uint8


def png_header(width: int, height: int, colour: int = 2) -> bytes:
    """Return the beginning of a PNG of this size, without its pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    header = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 10) + b"IDAT" + bytes(14)


def test_a_decompression_bomb_is_refused_by_its_header():
    """A file of 50,000 × 50,000 pixels is refused without taking memory for them."""
    before = _peak_memory()
    assert code_of(png_header(50_000, 50_000)) is FailureCode.TOO_LARGE
    assert _peak_memory() - before < 30


def _peak_memory() -> float:
    """Return the peak memory of this process in MiB."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("memory is measured on Linux")
    return int(status.read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1024


def test_the_limit_of_pixels_is_sharp():
    """One row more than `MAX_PIXELS` is too large. At the limit the image is refused only for its missing pixels."""
    rows = MAX_PIXELS // 8000
    assert code_of(png_header(8000, rows + 1, colour=0)) is FailureCode.TOO_LARGE
    assert code_of(png_header(8000, rows, colour=0)) is FailureCode.BROKEN


def test_what_a_decoder_may_hold_is_bounded():
    """An image of few enough pixels, but four bytes each, is too costly in colour, and not too costly in grey."""
    rows = MAX_DECODER_BYTES // 4 // 8000 + 1
    assert code_of(png_header(8000, rows, colour=2)) is FailureCode.TOO_COSTLY
    assert code_of(png_header(8000, rows, colour=0)) is FailureCode.BROKEN


def test_too_many_bytes_are_refused_unread():
    """A file of more than `MAX_BYTES` is refused, although the image in it is sound."""
    assert code_of(FILES["PNG, grey"] + bytes(MAX_BYTES)) is FailureCode.TOO_LARGE


def test_nothing_is_visible_on_a_fully_transparent_image():
    """A drawing that is fully transparent is refused as blank."""
    assert code_of(encoded(np.dstack([GREY, GREY, GREY, np.zeros_like(GREY)]))) is FailureCode.BLANK


@pytest.fixture
def time_limit() -> Iterator[None]:
    """Raise Celery's soft time limit into the test after 50 ms."""

    def exceed(*_: object) -> None:
        raise SoftTimeLimitExceeded

    previous = signal.signal(signal.SIGUSR1, exceed)
    alarm = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    alarm.start()
    yield
    alarm.join()
    signal.signal(signal.SIGUSR1, previous)


@pytest.mark.usefixtures("time_limit")
def test_a_time_limit_is_not_taken_for_a_broken_image():
    """A time limit that is raised inside the decoder passes through it unchanged."""
    with pytest.raises(SoftTimeLimitExceeded):
        list(map(decode, itertools.repeat(FILES["JPEG, progressive"])))


def test_no_format_waits_for_its_plugin(tmp_path):
    """Decoding the first image of a format imports next to nothing, because the module has imported the plugins."""
    for number, data in enumerate(FILES.values()):
        (tmp_path / f"{number:02}").write_bytes(data)
    program = (
        "import pathlib, sys\n"
        "from model.images.decoding.decode import decode\n"
        "for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    data, before = file.read_bytes(), set(sys.modules)\n"
        "    decode(data)\n"
        "    print(*(set(sys.modules) - before))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    imported = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert set(imported) <= {"PIL.PpmImagePlugin"}  # Pillow imports it when it starts, in a millisecond
