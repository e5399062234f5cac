"""MNIST is found in folders, in caches and on servers, and checksums prove that it is MNIST."""

import functools
import gzip
import hashlib
import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from model.data import idx
from model.data import mnist as source
from model.data.digits import Dataset
from model.data.mnist import load, load_test
from model.errors import DataError

FILES = {
    "train-images-idx3-ubyte": lambda data: data.train.images,
    "train-labels-idx1-ubyte": lambda data: data.train.labels,
    "t10k-images-idx3-ubyte": lambda data: data.test.images,
    "t10k-labels-idx1-ubyte": lambda data: data.test.labels,
}

KEYS = dict(zip(FILES, ["x_train", "y_train", "x_test", "y_test"], strict=True))


@pytest.fixture
def npz(mnist: Dataset, tmp_path: Path) -> Path:
    """Write an mnist.npz, alone in its folder, and return its path."""
    return write_npz(tmp_path / "mnist.npz", mnist)


def write_npz(path: Path, mnist: Dataset, **changed: np.ndarray) -> Path:
    """Write an mnist.npz like Keras', with some arrays `changed`, and return its path."""
    np.savez(path, **{KEYS[name]: array(mnist) for name, array in FILES.items()} | changed)
    return path


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Serve a folder by HTTP on this machine. Yield the folder and its URL."""
    folder = tmp_path_factory.mktemp("served")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@given(st_numpy.arrays(np.uint8, st_numpy.array_shapes(max_dims=3, max_side=6)))
def test_idx_round_trip(array):
    """Any array of bytes that is encoded as IDX is decoded to an equal array."""
    parsed = idx.parse(idx.dump(array), array.shape)
    assert parsed.shape == array.shape
    assert np.array_equal(parsed, array)


def idx_header(*shape: int) -> bytes:
    """Return the header of an IDX file that holds an array of this shape."""
    return struct.pack(f">xxBB{len(shape)}I", 8, len(shape), *shape)


@given(
    st.sampled_from([b"", idx_header(2, 3), idx_header(3, 2), idx_header(6), idx_header(2**32 - 1, 2**32 - 1)]),
    st.one_of(st.binary(min_size=6, max_size=6), st.binary(max_size=40)),
)
def test_idx_never_fails_otherwise(header, rest):
    """Random bytes, after a header or without one, are decoded if they are such a file, and else raise a DataError."""
    content = header + rest
    if content.startswith(idx_header(2, 3)) and len(content) == 18:
        assert idx.dump(idx.parse(content, (2, 3))) == content
    else:
        with pytest.raises(DataError):
            idx.parse(content, (2, 3))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content[:-1], id="a byte short"),
        pytest.param(lambda content: content + b"\0", id="a byte long"),
        pytest.param(lambda content: b"\0\0\x09" + content[3:], id="signed bytes"),
        pytest.param(lambda content: content[:7] + b"\x03" + content[8:], id="another shape"),
        pytest.param(lambda _: b"", id="empty"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_refuses_spoilt_files(tmp_path, spoil, pack):
    """A file that does not match its header is refused by name, gzipped or not."""
    path = tmp_path / "spoilt-idx1-ubyte"
    path.write_bytes(pack(spoil(idx.dump(np.arange(4, dtype=np.uint8)))))
    with pytest.raises(DataError, match="spoilt-idx1-ubyte"):
        idx.read(path, (4,))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda packed: packed[:-10], id="ends early"),
        pytest.param(lambda packed: packed[:10] + b"\xff" * 8, id="no deflate stream"),
        pytest.param(lambda packed: packed[:3] + b"\xff" * 20, id="no header"),
    ],
)
def test_idx_refuses_spoilt_gzip(tmp_path, spoil):
    """A gzip file that is truncated or corrupt is refused by name."""
    path = tmp_path / "spoilt-idx1-ubyte.gz"
    path.write_bytes(spoil(gzip.compress(idx.dump(np.arange(4, dtype=np.uint8)))))
    with pytest.raises(DataError, match="spoilt-idx1-ubyte"):
        idx.read(path, (4,))


def test_mnist_is_the_published_one(mnist: Dataset):
    """The training images, as an IDX file, have the published MD5. The test images have the known counts by digit."""
    assert hashlib.md5(idx.dump(mnist.train.images)).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"  # noqa: S324
    assert np.bincount(mnist.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("mark", ["-", "."])
def test_plain_idx_files(mnist: Dataset, tmp_path: Path, mark: str):
    """Unzipped IDX files are read under both customary names."""
    for name, array in FILES.items():
        (tmp_path / name.replace("-idx", f"{mark}idx")).write_bytes(idx.dump(array(mnist)))
    loaded = load(tmp_path)
    assert np.array_equal(loaded.train.images, mnist.train.images)
    assert np.array_equal(loaded.test.labels, mnist.test.labels)


def test_npz(mnist: Dataset, npz: Path):
    """mnist.npz gives the same images in the same order as the IDX files, from a folder or from the cache."""
    for loaded in (load(npz.parent), load(cache=npz.parent)):
        assert np.array_equal(loaded.train.labels, mnist.train.labels)
        assert np.array_equal(loaded.test.images, mnist.test.images)


def test_one_altered_pixel_is_refused(mnist: Dataset, npz: Path):
    """A file with a single changed pixel is refused by name."""
    images = mnist.test.images.copy()
    images[5000, 14, 14] ^= 1
    write_npz(npz, mnist, x_test=images)
    with pytest.raises(DataError, match=r"mnist\.npz is not MNIST's"):
        load_test(npz.parent)


@pytest.mark.parametrize("is_altered", [True, False], ids=["altered", "unreadable"])
def test_the_remedy_fits_the_place(request, tmp_path: Path, is_altered: bool):
    """Removing a spoilt file is advised only if a download would follow: not for a named folder, nor offline."""
    (tmp_path / "mnist.npz").write_bytes(b"spoilt")
    if is_altered:
        write_npz(tmp_path / "mnist.npz", request.getfixturevalue("mnist"), x_test=np.zeros((10_000, 28, 28), np.uint8))
    with pytest.raises(DataError, match=r"Put the original file there, or name another folder that holds MNIST\.$"):
        load_test(tmp_path, cache=tmp_path, download=True)
    with pytest.raises(DataError, match=r"Put the original file there, or name a folder that holds MNIST\.$"):
        load_test(cache=tmp_path)
    with pytest.raises(DataError, match=r"Remove it, so that digitmill downloads MNIST into the cache again\.$"):
        load_test(cache=tmp_path, download=True)


def test_test_images_alone(mnist: Dataset, mnist_folder: Path, tmp_path: Path):
    """If the files of the training images are spoilt, `load_test` still works, and `load` refuses them."""
    for path in mnist_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes() if path.name.startswith("t10k") else b"spoilt")
    assert np.array_equal(load_test(tmp_path).images, mnist.test.images)
    with pytest.raises(DataError, match="train-images"):
        load(tmp_path)


def test_a_named_folder_must_hold_mnist(npz: Path, tmp_path_factory):
    """A named folder without MNIST is refused by name, even if the cache holds MNIST."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataError, match=f"{folder} does not hold MNIST"):
        load(folder, cache=npz.parent, download=True)


def test_nothing_is_downloaded_unasked(tmp_path):
    """Without a folder and with an empty cache, the message says what to name."""
    with pytest.raises(DataError, match="Name a folder"):
        load(cache=tmp_path)


def test_download_fills_the_cache(mnist: Dataset, server: tuple[Path, str], tmp_path: Path, monkeypatch):
    """The first load downloads MNIST into the cache. The second one works without the server. Nothing else is kept."""
    folder, url = server
    content = write_npz(folder / "mnist.npz", mnist).read_bytes()
    monkeypatch.setattr(source, "URL", f"{url}/mnist.npz")
    monkeypatch.setattr(source, "NPZ_BYTES", len(content))
    monkeypatch.setattr(source, "NPZ_SHA256", hashlib.sha256(content).hexdigest())
    cache = tmp_path / "not" / "there" / "yet"
    assert np.array_equal(load_test(cache=cache, download=True).images, mnist.test.images)
    (folder / "mnist.npz").unlink()
    assert np.array_equal(load_test(cache=cache, download=True).images, mnist.test.images)
    assert [path.name for path in cache.iterdir()] == ["mnist.npz"]


def test_a_wrong_download_is_not_kept(server: tuple[Path, str], tmp_path: Path, monkeypatch):
    """A download that is not MNIST is refused, and the cache stays empty."""
    folder, url = server
    (folder / "mnist.npz").write_bytes(b"a login page")
    monkeypatch.setattr(source, "URL", f"{url}/mnist.npz")
    with pytest.raises(DataError, match="checksum"):
        load(cache=tmp_path, download=True)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_in_the_cache(server: tuple[Path, str], tmp_path: Path, monkeypatch):
    """If the cache cannot keep the download, the message names the cache, and no temporary file stays there."""
    folder, url = server
    (folder / "mnist.npz").write_bytes(b"MNIST")
    monkeypatch.setattr(source, "URL", f"{url}/mnist.npz")
    monkeypatch.setattr(source, "NPZ_SHA256", hashlib.sha256(b"MNIST").hexdigest())
    (tmp_path / "mnist.npz").mkdir()  # even root cannot replace a folder with a file
    with pytest.raises(DataError, match=f"Cannot keep MNIST in {tmp_path}"):
        load(cache=tmp_path, download=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.npz"]


def test_an_unreachable_server_is_named(server: tuple[Path, str], tmp_path: Path, monkeypatch):
    """If the download fails, the message names the address and the remedy."""
    _, url = server
    monkeypatch.setattr(source, "URL", f"{url}/absent.npz")
    with pytest.raises(DataError, match=rf"{url}/absent\.npz.*404.*name the folder"):
        load(cache=tmp_path, download=True)


class SpeaksAnotherLanguage(http.server.BaseHTTPRequestHandler):
    """Answers what is not HTTP."""

    def do_GET(self):
        """Answer."""
        self.wfile.write(b"220 mail.example.org ESMTP\r\n")


def test_a_server_that_does_not_speak_http_is_named(tmp_path: Path, monkeypatch):
    """The message names the address and the remedy, as for any other server that cannot be used."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), SpeaksAnotherLanguage) as running:
        threading.Thread(target=running.serve_forever).start()
        url = f"http://127.0.0.1:{running.server_port}/mnist.npz"
        monkeypatch.setattr(source, "URL", url)
        try:
            with pytest.raises(DataError, match=rf"(?s)Cannot download MNIST from {url} .*name the folder"):
                load(cache=tmp_path, download=True)
        finally:
            running.shutdown()
