"""Folders and single files as sources, and facts about every source."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Failure, FailureCode, UsageError
from model.images.limits import MAX_BYTES
from producer.sources import (
    Source,
    SourceImage,
    join_sources,
    open_listed,
    open_several,
    open_source,
    read_paths,
)
from producer.sources.reading import read_bounded, read_file

NOBODY = 65534


def write(folder: Path, *names: str) -> Path:
    """Write files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return folder


def names(source: Source) -> list[str]:
    """Return the name of every row."""
    return [image.name for image in source]


def failures(source: Source) -> dict[str, FailureCode]:
    """Return the code of every row that failed."""
    return {image.name: image.content.code for image in source if isinstance(image.content, Failure)}


def readable(source: Source) -> list[str]:
    """Return the name of every row that did not fail."""
    return [image.name for image in source if isinstance(image.content, bytes)]


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Give up root's right to read everything if the tests run as root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may read. Those of pytest are private to their owner."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_gives_every_image_once_sorted_and_as_it_is(tmp_path):
    """The extension makes an image, in either case and at any depth. The bytes are those of the file."""
    images = ["B.PNG", "a/1.jpg", "a/2.jpeg", "a/b/c/3.bmp", "a/x.gif", "b.tif", "c.TIFF", "d.webp"]
    write(tmp_path, *images, "notes.txt", "a/labels.csv", "png", "a/archive.zip")
    source = open_source(tmp_path)
    assert list(source) == [SourceImage(name, None, name.encode()) for name in images]
    assert source.total == len(images) == len(source.names)
    assert source.left_out == {"text file": 2, "table": 1, "archive": 1}
    assert source.description == str(tmp_path)


def test_a_source_can_be_iterated_again(tmp_path):
    """A second iteration gives the same images, even while the first one is not finished."""
    source = open_source(write(tmp_path, *(f"{number}.png" for number in range(20))))
    first = iter(source)
    next(first)
    assert list(source) == list(source)
    assert len(list(first)) == 19


def test_hidden_files_and_clutter_are_left_out_and_counted(tmp_path):
    """Hidden files, and files that operating systems leave behind, are not read. A hidden folder counts as one."""
    write(
        tmp_path, "a.png", ".b.png", "._a.png", ".git/c.png", "__MACOSX/d.png", "Thumbs.db", ".DS_Store", "desktop.ini"
    )
    source = open_source(tmp_path)
    assert names(source) == ["a.png"]
    assert source.left_out == {
        "hidden file": 2,
        "hidden folder": 1,
        "__MACOSX": 1,
        "Thumbs.db": 1,
        ".DS_Store": 1,
        "desktop.ini": 1,
    }


def test_text_and_an_empty_file_named_png_are_sent_to_the_worker(tmp_path):
    """The client decodes nothing, so only the worker can judge them."""
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    assert [image.content for image in open_source(tmp_path)] == [b"", b"no image"]


def test_each_file_that_is_not_regular_is_a_failure_and_never_blocks(tmp_path):
    """The neighbours of a pipe, a socket, a link to nothing and a link to itself are read."""
    write(tmp_path, "a.png", "z.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to("gone.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "socket.png"))
    source = open_source(tmp_path)
    assert readable(source) == ["a.png", "z.png"]
    assert failures(source) == dict.fromkeys(
        ["circle.png", "nowhere.png", "pipe.png", "socket.png"], FailureCode.UNREADABLE
    )


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    """The images in it are read."""
    assert names(open_source(write(tmp_path, "x.png/y.png"))) == ["x.png/y.png"]


def test_a_linked_file_is_an_image_under_the_links_name(tmp_path):
    """A link may lead to a file in any place."""
    write(tmp_path, "elsewhere/a.png")
    scans = write(tmp_path / "scans", "b.png")
    (scans / "a.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert readable(open_source(scans)) == ["a.png", "b.png"]


def test_linked_folders_are_followed_but_no_real_folder_is_read_twice(tmp_path):
    """A folder keeps its own name if it has one, and a circle of links ends."""
    write(tmp_path, "elsewhere/7/seven.png")
    scans = write(tmp_path / "scans", "m/3/three.png")
    (scans / "m" / "circle").symlink_to(scans)
    (scans / "a").symlink_to(scans / "m")
    (scans / "b").symlink_to(tmp_path / "elsewhere")
    (scans / "c").symlink_to(tmp_path / "elsewhere" / "7")
    source = open_source(scans)
    assert {image.name: image.label for image in source} == {"b/7/seven.png": 7, "m/3/three.png": 3}


def test_a_file_without_permission_is_a_failure_of_its_own(open_folder):
    """The failure has the reason, and the neighbours of the file are read."""
    write(open_folder, "a.png", "locked.png", "z.png")
    (open_folder / "locked.png").chmod(0)
    with bound_by_permissions():
        source = open_source(open_folder)
        assert readable(source) == ["a.png", "z.png"]
        assert [image.content for image in source if image.name == "locked.png"] == [
            Failure(FailureCode.UNREADABLE, "It cannot be read: Permission denied.")
        ]


def test_a_folder_without_permission_is_a_row_in_place_of_its_images(open_folder):
    """The row tells the user that some images were not read. Excluding the folder removes the row."""
    write(open_folder, "3/a.png", "locked/3/hidden.png")
    (open_folder / "locked").chmod(0)
    with bound_by_permissions():
        source = open_source(open_folder)
        assert [(image.name, image.label) for image in source] == [("3/a.png", 3), ("locked/", None)]
        assert failures(source) == {"locked/": FailureCode.UNREADABLE}
        assert source.total == 2
        assert names(open_source(open_folder, exclude=["locked"])) == ["3/a.png"]
        assert names(open_source(open_folder, include=["*.png"])) == ["3/a.png", "locked/"]
        with pytest.raises(UsageError, match=r"cannot be read: Permission denied"):
            open_source(open_folder / "locked")
    (open_folder / "locked").chmod(0o700)


def test_a_source_of_a_locked_folder_alone_names_that_folder(open_folder):
    """The source is empty, which is an error. The message names the folder and the reason."""
    write(open_folder, "locked/hidden.png")
    (open_folder / "locked").chmod(0)
    with bound_by_permissions(), pytest.raises(UsageError, match=r"'locked/' may hide .* Permission denied"):
        open_source(open_folder)
    (open_folder / "locked").chmod(0o700)


def test_a_folder_too_deep_for_a_path_is_a_row(tmp_path):
    """The limit of the system does not end the listing: the image beside the folder is read."""
    write(tmp_path, "a.png")
    part = "d" * 200
    parent = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(part, dir_fd=parent)
        child = os.open(part, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = child
    os.close(parent)
    rows = list(open_source(tmp_path))
    assert len(rows) == 2
    assert rows[0].name == "a.png"
    assert isinstance(rows[1].content, Failure)
    assert "File name too long" in rows[1].content.sentence


def test_names_that_are_not_utf8_are_kept(tmp_path):
    """The name keeps its bytes, and finds the image again."""
    raw = b"caf\xe9 \xff.png"
    (tmp_path / os.fsdecode(raw)).write_bytes(b"content")
    source = open_source(tmp_path)
    (image,) = source
    assert os.fsencode(image.name) == raw
    assert source.read(image.name) == b"content"


@pytest.mark.parametrize(("size", "taken"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_files_above_the_limit_are_not_read(tmp_path, size, taken):
    """A file of exactly the limit is read, and one more byte gives a failure."""
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(size)
    (image,) = open_source(tmp_path)
    if taken:
        assert isinstance(image.content, bytes)
        assert len(image.content) == size
    else:
        assert isinstance(image.content, Failure)
        assert image.content.code is FailureCode.TOO_LARGE


@given(declared=st.integers(0, 2 * MAX_BYTES), step=st.integers(100_000, 40_000_000))
def test_an_endless_file_is_read_only_to_the_limit(declared, step):
    """The reader asks for at most one byte more than the limit, whatever size was declared."""
    taken = 0

    def endless(size: int) -> bytes:
        nonlocal taken
        got = min(size, step)
        taken += got
        return bytes(got)

    failure = read_bounded(endless, declared)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.TOO_LARGE
    assert taken <= MAX_BYTES + 1


@given(content=st.binary(max_size=3000), declared=st.integers(0, 5000), step=st.integers(1, 4000))
def test_a_file_with_a_wrong_declared_size_is_read_whole(content, declared, step):
    """No byte is lost if the file has grown or shrunk, or if the reader returns less than asked."""
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        got = content[position : position + min(size, step)]
        position += len(got)
        return bytes(got)

    assert read_bounded(read, declared) == content


def test_a_file_that_vanishes_after_listing_is_a_failure(tmp_path):
    """Reading it again by name returns nothing and raises no error."""
    source = open_source(write(tmp_path, "a.png", "b.png"))
    (tmp_path / "a.png").unlink()
    assert failures(source) == {"a.png": FailureCode.UNREADABLE}
    assert readable(source) == ["b.png"]
    assert source.read("a.png") is None
    assert source.read_many(["a.png", "b.png"]) == {"b.png": b"b.png"}


def test_only_images_of_the_source_are_read_again_by_name(tmp_path):
    """A name that the source does not have reads no file, even if such a file exists."""
    write(tmp_path, "secret.png")
    source = open_source(write(tmp_path / "scans", "3/a.png", "b.txt", "c.png"))
    assert source.read("3/a.png") == b"3/a.png"
    assert source.read_many({"c.png", "3/a.png"}) == {"3/a.png": b"3/a.png", "c.png": b"c.png"}
    strange = ["../secret.png", "b.txt", "3", "", str(tmp_path / "secret.png")]
    assert source.read_many(strange) == {}
    assert [source.read(name) for name in strange] == [None] * len(strange)


@pytest.mark.parametrize("name", ["seven.png", "seven", "seven.txt", ".seven", "IMG 0001.heic"])
def test_a_single_file_of_any_name_is_sent(tmp_path, name):
    """The user named this file, so its extension does not matter."""
    source = open_source(write(tmp_path, name) / name)
    assert list(source) == [SourceImage(name, None, name.encode())]
    assert (source.total, source.left_out) == (1, {})


def test_missing_and_meaningless_paths_are_one_clear_error(tmp_path):
    """Each message has the path and the reason."""
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "others", "a.txt", "b/c.log")
    for name, reason in {
        "missing": "No such file or directory",
        "link": "a link that leads nowhere",
        "circle": "Too many levels of symbolic links",
        "pipe": "neither a folder nor a file",
        "empty": "No images were found in",
        "others": "left out: 2 text files",
    }.items():
        with pytest.raises(UsageError, match=reason) as caught:
            open_source(tmp_path / name)
        assert repr(str(tmp_path / name)) in str(caught.value)
    with pytest.raises(UsageError, match=r"null (byte|character)"):
        open_source("a\0b")


def test_only_wanted_images_are_taken(tmp_path):
    """--include and --exclude select images by name. A selection of no image is an error."""
    write(tmp_path, "3/a.png", "3/b.jpg", "5/a.png", "notes.txt")
    assert names(open_source(tmp_path, include=["*.png"])) == ["3/a.png", "5/a.png"]
    assert names(open_source(tmp_path, include=["*.png"], exclude=["5"])) == ["3/a.png"]
    assert names(open_source(tmp_path, include=["5", "*.jpg"])) == ["3/b.jpg", "5/a.png"]
    with pytest.raises(UsageError, match=r"leave none of the images in .* \(3\)"):
        open_source(tmp_path, include=["*.gif"])


def test_joined_sources_keep_the_paths_that_were_given(tmp_path, monkeypatch):
    """Files of the same name in different folders stay apart, and a file given twice counts once."""
    monkeypatch.chdir(write(tmp_path, "a/x.png", "b/x.png", "x.png", "scans/3/y.png", "b/note.txt"))
    source = join_sources([open_source(path) for path in ["a/x.png", "b", "x.png", "a/x.png", "scans"]])
    expected = {"a/x.png": None, "b/x.png": None, "x.png": None, "scans/3/y.png": 3}
    assert {image.name: image.label for image in source} == expected
    assert list(source.names) == list(expected) == names(source)
    assert (source.total, source.left_out) == (4, {"text file": 1})
    assert source.description == "a/x.png, b, x.png and 2 more"
    again = {name: name.encode() for name in ["b/x.png", "scans/3/y.png"]}
    assert source.read_many([*again, "no.png", "y.png"]) == again
    assert source.read("a/x.png") == b"a/x.png"
    assert source.read("scans") is None


def test_an_image_in_two_joined_sources_counts_once(tmp_path, monkeypatch):
    """Here a file is given together with the folder in which it lies."""
    monkeypatch.chdir(write(tmp_path, "a/x.png", "a/y.png"))
    source = join_sources([open_source("a/y.png"), open_source("a")])
    assert names(source) == list(source.names) == ["a/y.png", "a/x.png"]
    assert source.total == 2


def test_several_paths_have_names_from_their_common_folder_on(tmp_path):
    """So the table of the report leads back to each image. Each path has the labels of its own folders."""
    write(tmp_path, "monday/3/a.png", "monday/5/a.png", "week/tuesday/a.png", "x.png")
    source = open_several([str(tmp_path / name) for name in ["monday", "week/tuesday", "x.png"]])
    expected = {"monday/3/a.png": 3, "monday/5/a.png": 5, "week/tuesday/a.png": None, "x.png": None}
    assert {image.name: image.label for image in source} == expected
    assert list(source.names) == list(expected)
    assert all(Path(source.root + name).is_file() for name in source.names)
    assert source.read("week/tuesday/a.png") == b"week/tuesday/a.png"
    assert set(source.read_many(["monday/3/a.png", "x.png"])) == {"monday/3/a.png", "x.png"}


def test_a_label_file_may_name_images_of_several_paths(tmp_path):
    """A name that none of them has is one row, not one for each path."""
    write(tmp_path, "monday/a.png", "tuesday/b.png")
    truth = tmp_path / "truth.csv"
    truth.write_text("name,label\nmonday/a.png,1\ntuesday/b.png,2\ntuesday/gone.png,3\n")
    paths = [str(tmp_path / name) for name in ["monday", "tuesday"]]
    source = open_several(paths, labels=str(truth))
    assert {image.name: image.label for image in source} == {
        "monday/a.png": 1,
        "tuesday/b.png": 2,
        "tuesday/gone.png": 3,
    }
    assert source.total == 3
    assert failures(source) == {"tuesday/gone.png": FailureCode.MISSING}
    assert names(open_several(paths, labels=str(truth), exclude=["*gone*"])) == ["monday/a.png", "tuesday/b.png"]


def test_each_path_of_several_must_be_there(tmp_path):
    """A typing error must not cost a part of the images in silence."""
    write(tmp_path, "monday/a.png")
    with pytest.raises(UsageError, match=r"Cannot open .*tuesday"):
        open_several([str(tmp_path / name) for name in ["monday", "tuesday"]])


def test_a_list_of_paths_is_read_in_its_order(tmp_path):
    """Relative paths begin in the folder that is given. What is not there, and a folder, is a row with the reason."""
    write(tmp_path, "b.png", "a/7/x.png")
    source = open_listed(["b.png", "a/7/x.png", "gone.png", "a", "b.png"], tmp_path, description="a list")
    assert readable(source) == ["b.png", "a/7/x.png"]
    assert failures(source) == {"gone.png": FailureCode.MISSING, "a": FailureCode.MISSING}
    assert source.root + "b.png" == str(tmp_path / "b.png")
    absolute = open_listed([str(tmp_path / "b.png")], Path("/"), description="a list")
    assert (absolute.root, readable(absolute)) == ("", [str(tmp_path / "b.png")])
    labelled = open_listed(["a/7/x.png"], tmp_path, description="a list")
    assert [image.label for image in labelled] == [7]
    with pytest.raises(UsageError, match="is empty"):
        open_listed([], tmp_path, description="a list")
    with pytest.raises(UsageError, match=r"leave none of the paths \(1\)"):
        open_listed(["b.png"], tmp_path, description="a list", include=["*.jpg"])


@given(st.lists(st.binary(min_size=1, max_size=20).map(lambda path: path.replace(b"\0", b"x")), max_size=20))
def test_a_list_with_nul_gives_every_path_as_it_is(paths):
    """A path may hold line breaks and bytes that are not UTF-8."""
    assert read_paths(BytesIO(b"".join(path + b"\0" for path in paths)), null=True) == [*map(os.fsdecode, paths)]


def test_a_list_with_lines_may_come_from_windows_and_have_gaps():
    """Empty lines are not paths."""
    assert read_paths(BytesIO("a b.png\r\n\n ü.png\nlast".encode()), null=False) == ["a b.png", " ü.png", "last"]


def test_the_client_loads_no_decoder():
    """Sources do not need OpenCV, Pillow, LiteRT, TensorFlow or Click."""
    code = (
        "import sys, producer.sources; "
        "print(*sorted({'cv2', 'PIL', 'click', 'ai_edge_litert', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: not text.startswith(".") and text.lower() not in {"thumbs.db", "desktop.ini", "__macosx"}
)


@given(
    files=st.lists(
        st.tuples(st.integers(0, 9), part, st.sampled_from([".png", ".JPG", ".tif"])),
        min_size=1,
        max_size=15,
        unique_by=lambda file: (file[0], file[1].casefold(), file[2]),
    )
)
def test_any_names_and_labels_come_out_exactly_once_in_order(files):
    """This holds for names of any characters."""
    with tempfile.TemporaryDirectory() as folder:
        expected = [f"{digit}/{stem}{suffix}" for digit, stem, suffix in files]
        source = open_source(write(Path(folder), *expected))
        assert list(source) == [SourceImage(name, int(name[0]), name.encode()) for name in sorted(expected)]
        assert source.read_many(expected) == {name: name.encode() for name in expected}
        assert source.total == len(files)


@pytest.mark.parametrize("path", ["/sys/kernel/mm/transparent_hugepage/enabled", "/proc/self/cmdline", os.devnull])
def test_a_file_of_another_size_than_the_system_says_is_read_to_its_end(path: str) -> None:
    """Some file systems give every file a page or nothing as its size. What is not a file is refused."""
    if not Path(path).exists():
        pytest.skip("this system does not have such a file")
    content = read_file(path)
    assert content == (Path(path).read_bytes() if Path(path).is_file() else content)
    assert isinstance(content, bytes) == Path(path).is_file()
