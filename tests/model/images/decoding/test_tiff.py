"""A TIFF of several pages is taken apart without decoding it, whatever its numbers claim."""

import contextlib
import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.errors import FailureCode, ImageError
from model.images.decoding.cost import opens_cheaply
from model.images.decoding.decode import decode
from model.images.decoding.tiff import MAX_PAGES, Read, copy_page, list_pages
from model.images.limits import MAX_BYTES
from tests.model.images.decoding.costly import tiff
from tests.model.images.drawings import drawing

PICTURE = Image.fromarray(drawing(60, 48))
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("L", {}),
    "colour": ("RGB", {}),
    "fax": ("1", {"compression": "group4"}),
    "LZW": ("RGB", {"compression": "tiff_lzw"}),
    "deflate": ("L", {"compression": "tiff_adobe_deflate"}),
    "JPEG": ("RGB", {"compression": "jpeg"}),
    "palette": ("P", {}),
    "BigTIFF": ("L", {"big_tiff": True}),
}


def reader(data: bytes) -> Read:
    """Return a reader of a file in memory."""
    return lambda at, size: data[at : at + size]


def document(pages: list[Image.Image], **options: Any) -> bytes:
    """Return a TIFF of several pages. They are copied, because an encoder of JPEG leaves its settings on the image."""
    target = BytesIO()
    pages[0].copy().save(target, "TIFF", save_all=True, append_images=[page.copy() for page in pages[1:]], **options)
    return target.getvalue()


@pytest.mark.parametrize("way", WAYS)
def test_each_page_is_what_it_would_be_as_a_file_of_its_own(way):
    """A copied page has the pixels of a page that was saved alone, and is not larger."""
    mode, options = WAYS[way]
    pages = [PICTURE.rotate(90 * turn, expand=True).convert(mode) for turn in range(3)]
    data = document(pages, **options)
    found = list_pages(reader(data))
    assert found is not None
    assert (len(found.pages), found.is_plain, found.fault) == (3, False, "")
    for page, at in zip(pages, found.pages, strict=True):
        alone = document([page], **options)
        copied = copy_page(reader(data), at)
        assert np.array_equal(decode(copied), decode(alone))
        assert len(copied) <= len(alone) + 200
        assert opens_cheaply(copied, "TIFF") == (way not in {"BigTIFF", "JPEG"})


def test_a_file_of_one_page_needs_no_copy():
    """Only the first directory of such a file is a page."""
    found = list_pages(reader(document([PICTURE])))
    assert found is not None
    assert found.is_plain


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"II*\0\0\0\0\0", b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n" + bytes(20)]
)
def test_other_files_have_no_pages(data):
    """They are sent as they are, and the workers say what is wrong with them."""
    assert list_pages(reader(data)) is None


def _chain(count: int, *, kind: int = 0, circle: bool = False) -> bytes:
    """Return a TIFF of many tiny directories."""
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(count):
        following = 8 if circle and number == count - 1 else len(data) + 18 if number < count - 1 else 0
        data += struct.pack("<HHHIII", 1, 254, 4, 1, kind if number else 0, following)
    return bytes(data)


def test_pages_have_a_bound():
    """A file of a million directories, or of a circle of them, is not followed to its end."""
    found = list_pages(reader(_chain(100_000)))
    assert found is not None
    assert (len(found.pages), found.fault) == (MAX_PAGES, f"it has more than {MAX_PAGES:,} pages")
    found = list_pages(reader(_chain(5, circle=True)))
    assert found is not None
    assert (len(found.pages), found.fault) == (5, "its list of pages runs in a circle")


@pytest.mark.parametrize("kind", [1, 4])
def test_thumbnails_and_masks_are_not_pages(kind):
    """A scanner stores reduced versions of a page beside it."""
    found = list_pages(reader(_chain(4, kind=kind)))
    assert found is not None
    assert (len(found.pages), found.is_plain) == (1, True)


def test_a_document_cut_off_says_so():
    """The pages before the cut are read."""
    data = document([PICTURE] * 4)
    whole = list_pages(reader(data))
    assert whole is not None
    found = list_pages(reader(data[: whole.pages[2] + 10]))
    assert found is not None
    assert (found.pages, found.fault) == (whole.pages[:2], "it is cut off or damaged")


def test_a_page_takes_no_more_than_an_image_may():
    """Many strips may share their bytes. Nothing is allocated because a tag claims it."""
    strips = 40
    tags: dict[int, int | tuple[int, ...]] = {256: 1000, 257: 1000, 258: 8, 259: 1, 262: 1, 277: 1}
    tags |= {273: (8,) * strips, 279: (2**20,) * strips}
    data = tiff(tags, bytes(2**20))
    found = list_pages(reader(data))
    assert found is not None
    with pytest.raises(ImageError) as caught:
        copy_page(reader(data), found.pages[0])
    assert caught.value.code is FailureCode.TOO_LARGE
    assert strips * 2**20 > MAX_BYTES
    claims = tiff({256: 10, 257: 10, 259: 1, 273: (8,) * 10, 279: (10,) * 10}, bytes(100))
    broken = bytearray(claims)
    at = broken.index(struct.pack("<HHI", 273, 4, 10))
    broken[at + 4 : at + 8] = b"\xff\xff\xff\x7f"
    with pytest.raises(ImageError) as caught:
        copy_page(reader(bytes(broken)), struct.unpack_from("<I", broken, 4)[0])
    assert caught.value.code is FailureCode.BROKEN


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}])
def test_a_page_that_cannot_be_copied_is_the_whole_file_with_that_page_alone(options):
    """The JPEG of old TIFFs has its parts in places that only its decoder knows."""
    data = bytearray(document([PICTURE, PICTURE.rotate(90)], **options))
    found = list_pages(reader(bytes(data)))
    assert found is not None
    second = found.pages[1]
    at = data.index(struct.pack("<HH", 259, 3), second)  # the compression
    data[at + (12 if options else 8)] = 6
    copied = copy_page(reader(bytes(data)), second)
    assert len(copied) == len(data)
    alone = list_pages(reader(copied))
    assert alone is not None
    assert (alone.pages, alone.is_plain) == ((second,), True)


def test_any_damage_is_listed_and_copied_or_refused():
    """No byte makes the client raise anything but an ImageError."""
    random = np.random.default_rng(1)
    ways: list[dict[str, Any]] = [{}, {"big_tiff": True}, {"compression": "jpeg"}]
    for options in ways:
        data = document([PICTURE.convert("RGB")] * 3, **options)
        for _ in range(300):
            damaged = bytearray(data)
            for at in random.integers(0, len(data), size=6):
                damaged[at] = random.integers(256)
            read = reader(bytes(damaged[: random.integers(len(data))] if random.random() < 0.3 else damaged))
            found = list_pages(read)
            for at in found.pages if found else ():
                with contextlib.suppress(ImageError):
                    assert len(copy_page(read, at)) <= MAX_BYTES + 2**21
