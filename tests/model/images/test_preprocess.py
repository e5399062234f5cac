"""Preprocessing turns any bytes into a 28×28 image, or raises an ImageError that says why."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from model.errors import FailureCode, ImageError
from model.images.limits import MAX_BYTES, MAX_PIXELS
from model.images.normalise import LIMITS
from model.images.preprocess import preprocess, preprocess_all
from tests.model.images.drawings import FIVE, drawing, encoded, shares_ink

MODES = {"1": "PNG", "L": "PNG", "LA": "PNG", "P": "GIF", "RGB": "PNG", "RGBA": "WEBP", "CMYK": "TIFF", "I;16": "PNG"}

SIDES = st.integers(1, 200)


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    """Draw a picture of any size and mode: noise, few levels, nearly blank, or with blocks on it."""
    mode = draw(st.sampled_from(sorted(MODES)))
    height, width = draw(SIDES), draw(SIDES)
    channels = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.sampled_from([1, 2, 3, 256]))
    steps = random.integers(0, 256, levels)
    shares = random.dirichlet(np.full(levels, 0.3))
    pixels = steps[random.choice(levels, (height, width, channels), p=shares)].astype(np.uint8)
    if draw(st.booleans()):  # blocks rather than single pixels
        size = draw(st.integers(2, 40))
        pixels = pixels.repeat(size, axis=0).repeat(size, axis=1)[:height, :width]
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * draw(st.sampled_from([1, 16, 257])))
    if mode in {"1", "P"}:
        return Image.fromarray(pixels[..., 0]).convert(mode)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)


@given(pictures())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_picture_becomes_mnist_images_or_is_blank(picture):
    """A sound file becomes MNIST images or is refused as blank, whatever it shows. Several digits are two or more."""
    try:
        normalised = preprocess_all(encoded(picture, MODES.get(picture.mode, "PNG")))
    except ImageError as error:
        assert error.code is FailureCode.BLANK  # noqa: PT017 -- either outcome is right, and a third is not
        return
    for image in (normalised.shown, *normalised.parts):
        assert image.dtype == np.uint8
        assert image.shape == (28, 28)
        assert image.any()
    assert len(normalised.parts) == (0 if normalised.total == 1 else min(normalised.total, LIMITS.max_parts))
    assert normalised.total > 1 or not normalised.certain


MARKS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"BM" + bytes(12),
)


@given(st.sampled_from(MARKS), st.binary(max_size=500))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(mark, rest):
    """Arbitrary bytes, also after the mark of an image format, raise nothing but ImageError."""
    with contextlib.suppress(ImageError):
        preprocess(mark + rest)


def test_the_same_bytes_give_the_same_image():
    """Preprocessing is deterministic, so that a batch that is processed twice gives the same answers."""
    data = encoded(drawing(500, 400, line=FIVE), "JPEG")
    assert np.array_equal(preprocess(data), preprocess(data))


def test_saved_images_are_read_as_drawn(mnist, baseline):
    """MNIST's digits, saved as users save them, enlarged and dark on white, are read correctly in any format."""
    images, labels = mnist.test.images[::50], mnist.test.labels[::50]
    large = [Image.fromarray(255 - image).resize((140, 140), Image.Resampling.BICUBIC) for image in images]
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        read = baseline.classify(np.stack([preprocess(encoded(image, kind)) for image in large])).digits
        assert (read == labels).mean() >= 0.97


def test_mnist_saved_as_png_arrives_byte_by_byte(mnist):
    """MNIST's digits saved as PNG files come out unchanged."""
    for image in mnist.test.images[::20]:
        for picture in (Image.fromarray(image), Image.fromarray(image).convert("RGB")):
            assert np.array_equal(preprocess(encoded(picture)), image)


def test_the_limits_are_those_of_the_documentation():
    """A file may have up to 32 MiB, as the documentation says, and a photograph 48 megapixels."""
    assert MAX_BYTES == 32 * 2**20
    assert MAX_PIXELS >= 48_000_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured on Linux")
def test_a_large_photograph_takes_little_memory():
    """A JPEG of 12 megapixels takes little more memory than libjpeg keeps for it: 2 bytes per pixel and channel."""
    benchmark = Path(__file__).parents[3] / "benchmarks" / "preprocess.py"
    command = [sys.executable, str(benchmark), "--memory-only"]
    environment = {**os.environ, "PYTHONPATH": str(benchmark.parents[1])}
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    peaks = [float(line.split(": ")[-1].split()[0]) for line in printed.splitlines()]
    assert len(peaks) == 3
    assert max(peaks) < 72


PLACES = {"in the middle": (1100, 800), "at the left": (1500, 30), "in a corner": (2110, 1600)}
CORNERS = ((0.1, 0.05), (0.9, 0.05), (0.4, 0.95))


def dusty_page(random, largest):
    """Return a scan of a letter page at 200 dots per inch, with 50 dark specks of up to `largest` pixels a side."""
    page = np.full((2200, 1700), 245, np.uint8)
    for row, column in random.integers(0, (2190, 1690), (50, 2)):
        height, width = random.integers(2, largest + 1, 2)
        page[row : row + height, column : column + width] = random.integers(30, 150)
    return page


def with_noise(random, page):
    """Return a page with the noise of a scanner."""
    return Image.fromarray(np.clip(page + random.normal(0, 5, page.shape), 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("scan", "size", "place"),
    [
        ("PNG", 60, "in the middle"),
        ("PNG", 43, "in a corner"),
        ("JPEG", 60, "at the left"),
        ("JPEG", 43, "in the middle"),
        ("TIFF", 60, "in a corner"),
        ("TIFF", 43, "at the left"),
    ],
)
def test_a_small_digit_on_a_large_page_is_found_among_dust(scan, size, place):
    """A digit of 60 pixels, or 43, on a scan of 1700 × 2200 looks much as it would alone, wherever it lies."""
    random = np.random.default_rng(1)
    page, (row, column) = dusty_page(random, 6), PLACES[place]
    digit = drawing(size, size * 3 // 4, line=CORNERS, stroke=0.08, paper=245)
    page[row : row + digit.shape[0], column : column + digit.shape[1]] = digit
    picture = with_noise(random, page)
    if scan == "TIFF":  # as a fax: two levels
        data = encoded(picture.point(lambda level: 255 * (level > 150)).convert("1"), scan, compression="group4")
    else:
        data = encoded(picture, scan)
    alone = preprocess(encoded(drawing(200, 150, line=CORNERS, stroke=0.08)))
    assert shares_ink(preprocess(data), alone) > 0.7


def test_a_page_of_dust_is_blank():
    """Dust is smaller than any digit, and a closer look does not make a digit of it."""
    random = np.random.default_rng(2)
    page = dusty_page(random, 9)
    for picture in (Image.fromarray(page), with_noise(random, page)):
        with pytest.raises(ImageError) as caught:
            preprocess(encoded(picture))
        assert caught.value.code is FailureCode.BLANK
