"""Arrays that are inverted, stretched, flat, in colour or on their side: what is recognised, and what is done."""

import tracemalloc

import cv2
import numpy as np
import pytest

from model.errors import Failure, FailureCode, UsageError
from model.images.decoding.decode import decode
from model.images.preprocess import preprocess
from model.records import from_json, to_json
from producer.sources import UNCHANGED, Form, ImageContent, Source, open_source


def read(source: Source) -> np.ndarray:
    """Return the raw images of a source, uint8 (n, 28, 28)."""
    return np.stack([image.content for image in source if isinstance(image.content, np.ndarray)])


def pixels(content: ImageContent | Failure | None) -> np.ndarray:
    """Return the pixels of an image that is sent as a file."""
    assert isinstance(content, bytes)
    return decode(content)


def sentence(source: Source) -> str:
    """Return what the source says about its form."""
    assert source.form is not None
    assert source.notes == ((source.form.sentence,) if source.form.sentence else ())
    return source.form.sentence


EXACT = {
    "inverted": (lambda x: 255 - x, "dark ink on white", "inverted"),
    "float": (lambda x: x.astype(np.float64), "", ""),
    "float 0 to 1": (lambda x: x / np.float32(255), "values are 0 to 1", "stretched"),
    "float 0 to 1 inverted": (
        lambda x: 1 - x / np.float32(255),
        "dark ink on white",
        "stretched to 0 to 255 and inverted",
    ),
    "half precision": (lambda x: (x / 255).astype(np.float16), "values are 0 to 1", "stretched"),
    "-1 to 1": (lambda x: x / 127.5 - 1, "values are -1 to 1", "stretched"),
    "-0.5 to 0.5": (lambda x: x / 255 - 0.5, "values are -0.5 to 0.5", "stretched"),
    "standardised": (lambda x: (x / 255 - 0.1307) / 0.3081, "its values are -0.424", "stretched"),
    "signed": (lambda x: (x.astype(np.int16) - 128).astype(np.int8), "-128 to 127", "stretched"),
    "signed in 16 bits": (lambda x: x.astype(np.int16) - 128, "-128 to 127", "stretched"),
    "wrapped": (lambda x: x.view(np.int8), "stored with a sign", "stretched"),
    "wrapped inverted": (lambda x: (255 - x).view(np.int8), "stored with a sign", "inverted"),
    "16 bits, big-endian": (lambda x: (x * np.uint16(257)).astype(">u2"), "0 to 65535", "stretched"),
    "64 bits": (lambda x: x.astype(np.int64), "", ""),
    "flat": (lambda x: x.reshape(-1, 784), "", "read as 28 by 28 pixels"),
    "flat and inverted": (lambda x: 255 - x.reshape(-1, 784), "dark ink", "inverted"),
    "channels last": (lambda x: x[..., None], "", "read as 28 by 28 pixels"),
    "channels first": (lambda x: x[:, None], "", ""),
    "MATLAB's order": (lambda x: np.moveaxis(x, 0, -1), "", "read as 28 by 28 pixels"),
    "columns": (lambda x: x.reshape(-1, 784).T, "", "read as 28 by 28 pixels"),
}


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("count", [1, 2, 40])
def test_an_array_of_another_form_gives_the_images_it_was_made_of(save, some, kind, count):
    """That holds for one image as well as for many. A sentence says what was recognised and done, if anything was."""
    make, found, done = EXACT[kind]
    images = some.images[:count]
    source = open_source(save(make(images)))
    assert np.abs(read(source).astype(int) - images).max() <= (kind in ("half precision", "standardised"))
    if count > 1:
        assert found in sentence(source)
        assert done in sentence(source)
        assert bool(sentence(source)) == bool(found or done)


@pytest.mark.parametrize(
    ("make", "levels"),
    [
        (lambda x: (x > 127).astype(np.uint8), 1),
        (lambda x: x > 127, 1),
        (lambda x: (x <= 127).astype(np.float32), 1),
        (lambda x: np.rint(x / 255 * 16).astype(np.uint8), 16),
        (lambda x: np.rint(x / 255 * 15), 15),
        (lambda x: np.rint(x / 255 * 100).astype(np.int32), 100),
    ],
)
def test_an_array_of_few_levels_is_stretched(save, some, make, levels):
    """Values 0 and 1, 0 to 15, 0 to 16 and 0 to 100 become 0 to 255. What was black stays black."""
    source = open_source(save(make(some.images)))
    expected = np.rint(np.rint(some.images / 255 * levels) / levels * 255)
    if levels == 1:
        expected = (some.images > 127) * 255
    np.testing.assert_array_equal(read(source), expected)
    assert "stretched to 0 to 255" in sentence(source)


def test_images_in_mnists_form_are_untouched(save, some):
    """Their file is not converted, and nothing is said, whatever number of images it has."""
    for count in (1, 3, 40):
        source = open_source(save(some.images[:count]))
        assert source.form == UNCHANGED
        np.testing.assert_array_equal(read(source), some.images[:count])


def draw_shapes(generator: np.random.Generator) -> np.ndarray:
    """Return light shapes that fill most of the picture and touch two of its edges, like clothes."""
    images = np.zeros((10, 28, 28), np.uint8)
    for image in images:
        image[: generator.integers(24, 28), generator.integers(1, 4) : 27] = generator.integers(128, 256)
    return images


@pytest.mark.parametrize("count", [1, 2, 10])
def test_what_is_not_clearly_inverted_is_left_as_it_is(save, some, count):
    """Noise, large light shapes and light ink on grey are neither inverted nor stretched."""
    generator = np.random.default_rng(7)
    for images in (
        generator.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        draw_shapes(generator),
        np.maximum(some.images[:10], 120),
        np.zeros((10, 28, 28), np.uint8),
        np.full((10, 28, 28), 255, np.uint8),
    ):
        source = open_source(save(images[:count]))
        np.testing.assert_array_equal(read(source), images[:count])
        assert sentence(source) == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda x: np.where(np.arange(len(x))[:, None, None] % 2, x, 255 - x),  # every other image is inverted
        lambda x: (200 - x // 2).astype(np.uint8),  # ink on grey paper
    ],
)
def test_dark_ink_that_one_rule_cannot_put_right_is_prepared_like_image_files(save, some, make):
    """Then each image is sent as a PNG file of the same pixels, and the workers find out what is ink."""
    images = make(some.images)
    source = open_source(save(images))
    files = [image.content for image in source]
    np.testing.assert_array_equal(np.stack([pixels(file) for file in files]), images)
    assert "prepared like image files" in sentence(source)
    first = files[0]
    assert isinstance(first, bytes)
    assert np.corrcoef(preprocess(first).ravel(), some.images[0].ravel())[0, 1] > 0.8


@pytest.mark.parametrize(
    ("shape", "colours"), [((8, 8), 0), ((28, 56), 0), ((32, 32), 0), ((28, 28), 3), ((40, 30), 4)]
)
def test_pictures_of_other_sizes_or_in_colour_are_prepared_like_image_files(save, shape, colours):
    """An array of 8 by 8 pixels, of two digits side by side or of colours is sent as PNG files of all its pixels."""
    size = (*shape, colours) if colours else shape
    images = np.random.default_rng(0).integers(0, 256, (5, *size), dtype=np.uint8)
    images[0].flat[:2] = 0, 255
    files = [image.content for image in open_source(save(images))]
    assert len(files) == 5
    assert all(isinstance(file, bytes) and file.startswith(b"\x89PNG") for file in files)
    if not colours:
        np.testing.assert_array_equal(pixels(files[0]), images[0])
    if colours:
        channels_first = [image.content for image in open_source(save(np.moveaxis(images, -1, 1)))]
        assert channels_first == files


def test_scikit_learns_digits_are_read_as_images_and_as_rows(save):
    """`load_digits` has 8 by 8 pixels, 0 to 16, as `images` and as rows of 64 numbers in `data`."""
    data = np.random.default_rng(0).integers(0, 17, (30, 64)).astype(np.float64)
    for array in (data, data.reshape(-1, 8, 8)):
        source = open_source(save(array))
        np.testing.assert_array_equal(pixels(source.read("00003")), np.rint(data[3] * 255 / 16).reshape(8, 8))
    with pytest.raises(UsageError, match=r"float64 \(30, 64\), not images"):
        open_source(save(data / 7 - 1))  # 64 features of something else


def test_a_picture_in_an_array_of_its_own_is_one_image(save, some):
    """It may be a digit in MNIST's form, grey (height, width), or in colour."""
    np.testing.assert_array_equal(read(open_source(save(some.images[0]))), some.images[:1])
    np.testing.assert_array_equal(read(open_source(save(some.images[0].reshape(784)))), some.images[:1])
    grey = np.kron(some.images[0, :, 4:24], np.ones((4, 4), np.uint8))
    np.testing.assert_array_equal(pixels(open_source(save(grey)).read("00000")), grey)
    assert open_source(save(np.dstack([grey] * 3))).total == 1


def test_tables_of_features_are_not_taken_for_pictures(save, some):
    """Packed bits, square rows, an index between rows and columns, and pictures in groups are refused."""
    for array in (
        np.packbits(some.images.reshape(-1, 784) > 127, axis=1),
        some.images[:, ::2, ::2].reshape(40, 196),
        np.swapaxes(some.images, 0, 1),
        some.images.reshape(4, 10, 784),
        some.images.reshape(4, 10, 28, 28),
    ):
        with pytest.raises(UsageError, match="not images as uint8"):
            open_source(save(array))


@pytest.mark.parametrize("shape", [(28, 28, 28), (784, 784)])
@pytest.mark.parametrize("last", [False, True])
def test_28_images_and_784_images_are_told_apart_from_their_pixels(save, digits, shape, last):
    """Where each axis could be the index, pixels that differ less from their neighbours are in one image."""
    images = digits.images[: shape[0]]
    array = images.reshape(shape)
    source = open_source(save(np.moveaxis(array, 0, -1) if last else array))
    np.testing.assert_array_equal(read(source), images)


@pytest.mark.parametrize("white", [1, 255])
@pytest.mark.parametrize("inverted", [False, True])
def test_numbers_a_little_beyond_their_range_are_cut_off(save, some, white, inverted):
    """Resizing with cubic curves makes such numbers. The background is exact, and becomes 0."""
    sharp = cv2.resize(some.images[:, ::2, ::2].transpose(1, 2, 0) / 255, (28, 28), interpolation=cv2.INTER_CUBIC)
    numbers = np.moveaxis(sharp, -1, 0)
    assert numbers.min() < -0.02
    assert numbers.max() > 1.02
    source = open_source(save(white * (1 - numbers if inverted else numbers)))
    assert np.abs(read(source) - np.clip(numbers, 0, 1) * 255).max() <= 1
    assert "a little beyond" in sentence(source)


def test_only_a_sample_of_large_pictures_is_looked_at(tmp_path):
    """The sample has a bound of bytes as well."""
    path = tmp_path / "pictures.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(500, 1000, 1000))
    array[0] = 1.0
    del array
    tracemalloc.start()
    assert open_source(path).total == 500
    assert tracemalloc.get_traced_memory()[1] < 2**29
    tracemalloc.stop()


def test_pixels_that_were_standardised_one_by_one_are_refused(save, some):
    """Nothing can put them right. So are arrays without a number. The message says what to save instead."""
    numbers = some.images.reshape(-1, 784) / 255
    spread = numbers.std(axis=0)
    each = (numbers - numbers.mean(axis=0)) / np.where(spread == 0, 1, spread)
    rare = each.copy()
    rare[0, 400] = 200  # a pixel that hardly any other image has
    for array in (each, each.reshape(-1, 28, 28).astype(np.float32), rare, numbers - numbers.mean(axis=0)):
        with pytest.raises(UsageError, match=r"standardised by itself.*uint8, 0 to 255"):
            open_source(save(array))
    with pytest.raises(UsageError, match="has no finite number"):
        open_source(save(np.full((3, 28, 28), np.nan)))


def test_an_image_with_a_number_that_is_not_finite_gets_an_error_row(save, some):
    """The other images are read."""
    numbers = some.images / 255
    numbers[3, 5, 5] = np.nan
    numbers[9, 0, 0] = np.inf
    rows = list(open_source(save(numbers)))
    failed = {row.name: row.content.code for row in rows if isinstance(row.content, Failure)}
    assert failed == {"00003": FailureCode.UNREADABLE, "00009": FailureCode.UNREADABLE}
    np.testing.assert_array_equal(rows[39].content, some.images[39])


def strokes(count: int) -> np.ndarray:
    """Return upright strokes in MNIST's form."""
    images = np.zeros((count, 28, 28), np.uint8)
    for index, image in enumerate(images):
        image[4:24, 10 + index % 5 : 14 + index % 8] = 255
    return images


def test_a_damaged_pixel_does_not_darken_the_others(save, some):
    """One number that is far above all others does not count for the range of a file."""
    numbers = some.images / 255
    numbers[7, 0, 0] = 1e6
    expected = some.images.copy()
    expected[7, 0, 0] = 255
    np.testing.assert_array_equal(read(open_source(save(numbers))), expected)


def test_transposed_digits_are_said_to_lie_on_their_side_and_sent_as_they_are(save):
    """Twenty or more digits that are wider than tall are suspicious, inverted or not. Upright ones and few are not."""
    upright, lying = strokes(20), np.swapaxes(strokes(20), 1, 2)
    for array, inverted in ((lying, False), (255 - lying, True)):
        source = open_source(save(array))
        assert "rows and columns were swapped" in sentence(source)
        assert ("inverted" in sentence(source)) == inverted
        np.testing.assert_array_equal(read(source), lying)
    for array in (upright, lying[:5]):
        assert sentence(open_source(save(array))) == ""


@pytest.mark.parametrize(
    ("make", "sent"),
    [
        (lambda x: 255 - x, lambda x: 255 - x),
        (lambda x: (x > 127).astype(np.uint8), lambda x: x > 127),
        (lambda x: x > 127, lambda x: x > 127),
        (lambda x: (255 - x).astype(np.float32).reshape(-1, 784), lambda x: 255 - x),
        (lambda x: 1 - x / np.float64(255), lambda x: 255 - x),
    ],
)
def test_as_is_overrules_what_was_recognised(save, some, make, sent):
    """The values are sent as they are. Only the shape is changed, and fractions become shares of 255."""
    source = open_source(save(make(some.images)), as_is=True)
    np.testing.assert_array_equal(read(source), sent(some.images))
    assert "as it is, because of --as-is" in sentence(source)


def test_as_is_refuses_values_that_are_not_bytes(save, some):
    """Negative values and those above 255 have no form in which they could be sent as they are."""
    for array in (some.images - 1000.0, some.images * np.uint16(257)):
        with pytest.raises(UsageError, match="Omit --as-is"):
            open_source(save(array), as_is=True)


def test_a_form_that_was_decided_before_is_applied_and_not_decided_again(save, some):
    """A job that is resumed reads its file as it did before, also if another version would decide otherwise."""
    path = save(255 - some.images)
    decided = open_source(path).form
    assert decided is not None
    kept = from_json(Form, to_json(decided))
    assert kept == decided
    np.testing.assert_array_equal(read(open_source(path, form=kept)), some.images)
    np.testing.assert_array_equal(read(open_source(path, form=UNCHANGED)), 255 - some.images)


def test_one_image_is_read_as_all_of_them_are(save, digits):
    """Single images, images in any order and images across blocks of conversion have the same pixels."""
    source = open_source(save(1 - digits.images[:700] / np.float32(255)))
    np.testing.assert_array_equal(source.read("00612"), digits.images[612])
    several = source.read_many(["00300", "00012", "00699"])
    for name, content in several.items():
        np.testing.assert_array_equal(content, digits.images[int(name)])


def test_only_a_sample_of_a_huge_file_is_looked_at(tmp_path):
    """A sparse file of 30,000 images is opened without reading it as a whole."""
    path = tmp_path / "huge.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(30_000, 28, 28))
    array[0] = 1.0
    del array
    source = open_source(path)
    assert source.total == 30_000
    assert path.stat().st_blocks * 512 < path.stat().st_size / 10
    np.testing.assert_array_equal(source.read("00000"), np.full((28, 28), 255))
