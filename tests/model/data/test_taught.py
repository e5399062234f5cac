"""Facts about the folder of what was taught: each image once, under its last label, and a share never trained on."""

import time

import numpy as np
import pytest
from PIL import Image

from model.data.digits import Digits, hold_out
from model.data.taught import MAX_REPEATS, TaughtFolder, mixed
from model.training.recipe import Recipe


@pytest.fixture
def folder(tmp_path):
    """Nothing is taught yet."""
    return TaughtFolder(tmp_path / "taught")


def test_an_image_is_kept_once_and_under_its_last_label(folder, samples):
    """Teaching it again changes nothing; another label replaces the former."""
    image = samples.train.images[0]
    assert folder.store(image, 3)
    assert not folder.store(image, 3)
    assert folder.store(image, 8)
    [taught] = folder.list()
    assert taught.label == 8
    assert taught.path == folder.folder / "8" / f"{taught.sha256}.png"
    assert np.array_equal(np.asarray(Image.open(taught.path)), image)
    assert folder.get(taught.sha256) == taught
    assert folder.remove(taught.sha256)
    assert not folder.remove(taught.sha256)
    assert folder.list() == []


def test_a_file_says_what_its_user_called_it(folder, samples):
    """Whoever looks into the folder, and whoever lists it after Redis was lost, can tell where it comes from."""
    for name, kept in (("scans/7 a.png", "scans/7 a.png"), ("caf\udce9.png", "caf\\udce9.png"), ("", "")):
        folder.store(samples.train.images[0], 3, name)
        [taught] = folder.list()
        assert taught.name() == kept
        assert abs(taught.when - time.time()) < 60
        folder.remove(taught.sha256)
    assert taught.name() == ""


def test_its_state_changes_whenever_an_image_comes_goes_or_moves(folder, samples):
    """So nobody has to list it to find out that nothing changed."""
    states = [folder.state()]
    for image, label in ((0, 3), (1, 3), (0, 8), (1, None)):
        time.sleep(0.02)  # file systems count in ticks of some milliseconds
        if label is None:
            folder.list()[0].path.unlink()
        else:
            folder.store(samples.train.images[image], label)
        states.append(folder.state())
        assert folder.state() == states[-1]
    assert len(set(states)) == 5


def test_all_that_is_taught_is_either_trained_on_or_held_out(folder, samples):
    """By the image's own hash: about a fifth, and the same ones when there is more."""
    few = samples.train[:200]
    for image, label in zip(few.images[:100], few.labels[:100], strict=True):
        folder.store(image, int(label))
    _, held_before = folder.load()
    for image, label in zip(few.images, few.labels, strict=True):
        folder.store(image, int(label))
    train, held = folder.load()
    assert len(train) + len(held) == len({image.tobytes() for image in few.images})
    assert 20 < len(held) < 60
    assert {image.tobytes() for image in held_before.images} <= {image.tobytes() for image in held.images}
    assert not {image.tobytes() for image in held.images} & {image.tobytes() for image in train.images}


def test_nothing_taught_is_among_the_validation_images(folder, samples):
    """So that they are the same in every training: what would be among them is held out already."""
    few, others = samples.train[:300], samples.train[300:]
    for image, label in zip(few.images, few.labels, strict=True):
        folder.store(image, int(label))
    train, _ = folder.load()
    share = Recipe().validation
    _, with_taught = hold_out(mixed(others, train), share)
    _, without = hold_out(others, share)
    assert np.array_equal(with_taught.images, without.images)


def test_what_is_no_such_image_is_passed_over(folder, samples):
    """Whoever corrects by hand may leave anything there."""
    folder.store(samples.train.images[0], 1)
    (folder.folder / "1" / "notes.txt").write_text("mine")
    (folder.folder / "1" / f"{'0' * 64}.png").write_bytes(b"no image")
    assert sum(map(len, folder.load())) == 1


def test_few_taught_images_count_beside_many(samples):
    """About a tenth of each epoch, but none is shown more than 25 times; nothing taught changes nothing."""
    many = Digits(np.resize(samples.train.images, (20_000, 28, 28)), np.resize(samples.train.labels, 20_000))
    assert mixed(many, many[:0]) is many
    for count, repeats in ((10, MAX_REPEATS), (200, 11), (1000, 2), (20_000, 1)):
        assert len(mixed(many, many[:count])) == len(many) + repeats * count
