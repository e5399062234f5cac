"""The folder of taught images keeps each image once, under its last label, and holds a share out of training."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.digits import Digits, hold_out
from model.data.taught import MAX_REPEATS, TaughtFolder, mixed
from model.training.recipe import Recipe


@pytest.fixture
def folder(tmp_path):
    """Return a folder without taught images."""
    return TaughtFolder(tmp_path / "taught")


def test_an_image_is_kept_once_and_under_its_last_label(folder, samples):
    """Storing an image again changes nothing. Another label replaces the former one. Removing works once."""
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


def test_a_changed_label_is_durable(folder, samples, monkeypatch):
    """Before `store` returns, the disk holds the new file, and then the folder of the old label without its file."""
    image = samples.train.images[0]
    folder.store(image, 3)
    synced = []

    def record(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            synced.append((path.name, len(list(path.iterdir()))))

    monkeypatch.setattr(os, "fsync", record)
    folder.store(image, 8)
    assert synced == [("8", 1), ("3", 0)]
    assert not folder.store(image, 8)
    assert synced == [("8", 1), ("3", 0)]


def test_a_file_holds_the_users_name(folder, samples):
    """The file keeps the user's name for the image, and the time. If the file is gone, the name is empty."""
    for name, kept in (("scans/7 a.png", "scans/7 a.png"), ("caf\udce9.png", "caf\\udce9.png"), ("", "")):
        folder.store(samples.train.images[0], 3, name)
        [taught] = folder.list()
        assert taught.name() == kept
        assert abs(taught.when - time.time()) < 60
        folder.remove(taught.sha256)
    assert taught.name() == ""


def test_its_state_changes_with_its_images(folder, samples):
    """The state changes when an image is added, removed or moved, and only then."""
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


def test_an_image_is_held_back_until_its_label_is_confirmed(folder, samples):
    """No training uses it meanwhile. Its file has the user's name and what it looks like. Each step changes `state`."""
    image = samples.train.images[0]
    folder.store(image, 3, "a.png")
    [taught] = folder.list()
    states = [folder.state()]
    folder.hold_back(taught, 7)
    [held] = folder.held_back()
    assert (folder.list(), folder.get(held.sha256)) == ([], held)
    assert held.path == folder.folder / "held-back" / "3" / f"{held.sha256}.png"
    assert (held.label, held.name(), held.looks_like(), held.is_held_back) == (3, "a.png", 7, True)
    states.append(folder.state())
    folder.confirm(held.sha256, 4)
    assert folder.held_back() == [held], "another label was confirmed"
    folder.confirm(held.sha256, 3)
    assert (folder.held_back(), folder.list()) == ([], [taught])
    states.append(folder.state())
    assert len(set(states)) == 3
    assert not folder.store(image, 3, looks_like=7), "its label is confirmed"
    assert folder.store(image, 5, looks_like=7), "another label is not"
    assert folder.remove(held.sha256)
    assert (folder.held_back(), folder.list()) == ([], [])
    folder.hold_back(taught, 7)
    assert folder.held_back() == [], "a user has removed it meanwhile"


def test_about_a_fifth_is_held_out(folder, samples):
    """About a fifth of the images is held out, and the others are for training. Adding images moves none of them."""
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


def test_taught_images_never_validate(folder, samples):
    """The validation images are the same with and without taught images among the training images."""
    few, others = samples.train[:300], samples.train[300:]
    for image, label in zip(few.images, few.labels, strict=True):
        folder.store(image, int(label))
    train, _ = folder.load()
    share = Recipe().validation
    _, with_taught = hold_out(mixed(others, train), share)
    _, without = hold_out(others, share)
    assert np.array_equal(with_taught.images, without.images)


def test_other_files_are_skipped(folder, samples):
    """Files that are not taught images do not disturb loading."""
    folder.store(samples.train.images[0], 1)
    (folder.folder / "1" / "notes.txt").write_text("mine")
    (folder.folder / "1" / f"{'0' * 64}.png").write_bytes(b"no image")
    assert sum(map(len, folder.load())) == 1


def test_few_taught_images_count_beside_many(samples):
    """Taught images are repeated until they are a tenth of all, at most 25 times. Without any, nothing changes."""
    many = Digits(np.resize(samples.train.images, (20_000, 28, 28)), np.resize(samples.train.labels, 20_000))
    assert mixed(many, many[:0]) is many
    for count, repeats in ((10, MAX_REPEATS), (200, 11), (1000, 2), (20_000, 1)):
        assert len(mixed(many, many[:count])) == len(many) + repeats * count
    assert len(mixed(many, many[:10], 0.5)) == len(many) + 2 * MAX_REPEATS * 10, "an epoch shows half of them"
