"""Zip and tar archives as sources: whole, hostile and damaged ones."""

import functools
import gzip
import importlib
import io
import os
import stat
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.errors import Failure, FailureCode, UsageError
from model.images.limits import MAX_BYTES
from producer.sources import Source, SourceImage, open_source, tars

FORMATS = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"]
_MODES = {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}


def pack(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write an archive of the format that the path's extension names."""
    return pack_several(path, list(members.items()))


def pack_several(path: Path, members: list[tuple[str, bytes]]) -> Path:
    """Write an archive in which a name may occur several times."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return path
    mode = next((mode for ending, mode in _MODES.items() if path.name.endswith(ending[-2:])), "w")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # typeshed wants a literal
        for name, content in members:
            add(archive, name, content)
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **attributes: object) -> None:
    """Add a member to a tar archive, with any header."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    for attribute, value in attributes.items():
        setattr(header, attribute, value)
    archive.addfile(header, io.BytesIO(content))


def failures(source: Source) -> dict[str, FailureCode]:
    """Return the code of every row that failed."""
    return {image.name: image.content.code for image in source if isinstance(image.content, Failure)}


def sentences(source: Source) -> str:
    """Return the sentence of every failure."""
    return "\n".join(image.content.sentence for image in source if isinstance(image.content, Failure))


def readable(source: Source) -> dict[str, bytes]:
    """Return the content of every row that did not fail."""
    return {image.name: image.content for image in source if isinstance(image.content, bytes)}


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    """Path of an archive of each format."""
    return tmp_path / f"scans{request.param}"


def test_an_archive_gives_every_image_once_with_its_label(path):
    """The order is that of the archive, the bytes are those that were packed, and every iteration gives the same."""
    members = {"scans/7/b.png": b"seven", "scans/3/a.JPG": os.urandom(100_000), "scans/0/empty.png": b""}
    clutter = {"scans/.hidden.png": b"", "__MACOSX/scans/7/._b.png": b"", "scans/Thumbs.db": b""}
    source = open_source(pack(path, {**clutter, **members, "scans/readme.txt": b"no image"}))
    expected = [SourceImage(name, int(name.split("/")[1]), content) for name, content in members.items()]
    assert list(source) == expected
    assert list(source) == expected
    assert (source.total, source.description) == (3, str(path))
    assert source.left_out == {"hidden file": 1, "__MACOSX": 1, "Thumbs.db": 1, "text file": 1}
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_members_are_read_again_by_name(path):
    """They can be read in any order, in one pass or one by one. Unknown names give nothing."""
    members = {f"{number}.png": str(number).encode() for number in range(50)}
    source = open_source(pack(path, members))
    assert source.read_many(["30.png", "7.png", "no.png"]) == {"7.png": b"7", "30.png": b"30"}
    assert [source.read(name) for name in ["30.png", "7.png", "no.png"]] == [b"30", b"7", None]


def test_paths_that_leave_the_archive_are_failures(path):
    """Absolute paths fail too. Paths that only look odd are read under their plain names."""
    unsafe = ["/abs.png", "../up.png", "a/../../up.png", "C:/drive.png", "3/../5/inside.png"]
    odd = {"./dot.png": "dot.png", "a//b.png": "a/b.png", "..a/b...png": None, "a..b.png": "a..b.png"}
    members = {**dict.fromkeys(unsafe, b"x"), **dict.fromkeys(odd, b"y"), "../up.txt": b""}
    source = open_source(pack(path, members))
    assert failures(source) == dict.fromkeys(unsafe, FailureCode.UNSAFE_PATH)
    assert list(readable(source)) == [name for name in odd.values() if name]
    assert source.left_out == {"text file": 1, "hidden folder": 1}


def test_unsafe_paths_do_not_take_the_labels_from_the_others(path):
    """Only readable images decide whether all images lie in folders named by digits."""
    source = open_source(pack(path, {"../x.png": b"", "3/a.png": b"three"}))
    assert {image.name: image.label for image in source} == {"3/a.png": 3, "../x.png": None}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_several_members_with_one_name_the_last_counts(path):
    """This is the member that unpacking would leave."""
    source = open_source(pack_several(path, [("a.png", b"old"), ("b.png", b"b"), ("./a.png", b"new")]))
    assert list(source) == [SourceImage("b.png", None, b"b"), SourceImage("a.png", None, b"new")]


def test_folders_are_not_images(path):
    """This holds even if the name of a folder looks like that of an image."""
    if path.suffix == ".zip":
        pack(path, {"x.png/": b"", "x.png/y.png": b"y"})
    else:
        with tarfile.open(path, "w") as archive:
            add(archive, "x.png", type=tarfile.DIRTYPE)
            add(archive, "x.png/y.png", b"y")
    assert readable(open_source(path)) == {"x.png/y.png": b"y"}


def test_an_archive_without_images_is_one_clear_error(path):
    """The message has the number of files of each other kind."""
    with pytest.raises(UsageError, match=r"No images were found in .*left out: 1 text file"):
        open_source(pack(path, {"a.txt": b"text"}))


def test_a_member_above_the_limit_is_a_failure(path):
    """Its neighbours are read, and the whole member is never in memory."""
    pack(path, {"a.png": b"a", "bomb.png": bytes(MAX_BYTES + 1), "z.png": b"z"})
    tracemalloc.start()
    source = open_source(path)
    assert readable(source) == {"a.png": b"a", "z.png": b"z"}
    assert failures(source) == {"bomb.png": FailureCode.TOO_LARGE}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024  # xz alone keeps a window of 8 MiB


def test_a_file_that_is_not_an_archive_is_one_clear_error(path):
    """An empty file, a text, zeros and the start of an archive each raise one UsageError."""
    start = pack(path, {"a.png": os.urandom(2000)}).read_bytes()[:20]
    for content in (b"", b"text", b"\0" * 100, start):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"cannot be read|no images"):
            open_source(path)


def test_an_archive_that_vanishes_after_listing_is_a_failure_for_each_image(path):
    """Every image still has its row, with the code `unreadable`."""
    source = open_source(pack(path, {"a.png": b"a", "b.png": b"b"}))
    path.unlink()
    assert failures(source) == dict.fromkeys(["a.png", "b.png"], FailureCode.UNREADABLE)
    assert source.read("a.png") is None


def test_an_archive_that_shrinks_after_listing_is_a_failure_where_it_ends(path):
    """Every image still has its row: some are read, and the rest are failures."""
    members = {f"{number}.png": os.urandom(3000) for number in range(20)}
    source = open_source(pack(path, members))
    os.truncate(path, path.stat().st_size // 2)
    assert {*readable(source), *failures(source)} == set(members)
    assert failures(source)


@pytest.mark.parametrize("path", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz"], indirect=True)
def test_a_tar_cut_off_anywhere_says_so(path):
    """The images before the cut are read. No cut looks like a shorter archive, not even one between two members."""
    members = {f"{number}.png": bytes([number]) * 700 for number in range(4)}
    whole = pack(path, members).read_bytes()
    # An uncompressed tar is whole once its end mark has begun: four members of a header and two blocks each.
    end = 4 * 3 * 512 + 512 if path.suffix == ".tar" else len(whole)
    for cut in range(1, end, max(1, end // 300)):
        path.write_bytes(whole[:cut])
        try:
            source = open_source(path)
        except UsageError:
            continue
        assert FailureCode.UNREADABLE in failures(source).values(), cut
        assert readable(source).items() <= members.items()
        assert source.total == len(list(source))


def test_a_tar_cut_between_two_members_names_itself_as_failed(tmp_path):
    """A row with the name of the archive stands for the images that are lost."""
    path = pack(tmp_path / "scans.tar", {"3/a.png": b"a", "3/b.png": b"b"})
    os.truncate(path, 1024)
    source = open_source(path)
    assert [(image.name, image.label) for image in source] == [("3/a.png", 3), ("scans.tar", None)]
    assert failures(source) == {"scans.tar": FailureCode.UNREADABLE}


def test_a_wrong_gzip_checksum_is_a_failure(tmp_path):
    """Only gzip has a checksum of the contents, because a tar archive has none."""
    path = pack(tmp_path / "scans.tar.gz", {"a.png": b"a"})
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the CRC
    path.write_bytes(content)
    assert failures(open_source(path)) == {"scans.tar.gz": FailureCode.UNREADABLE}


def test_links_and_devices_in_a_tar_are_failures_if_they_are_named_like_images(tmp_path):
    """No link is followed, and none of them is left out."""
    path = tmp_path / "scans.tar"
    with tarfile.open(path, "w") as archive:
        add(archive, "a.png", b"a")
        add(archive, "soft.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "hard.png", type=tarfile.LNKTYPE, linkname="a.png")
        add(archive, "device.png", type=tarfile.CHRTYPE, devmajor=1, devminor=5)
        add(archive, "pipe.png", type=tarfile.FIFOTYPE)
        add(archive, "soft.txt", type=tarfile.SYMTYPE, linkname="a.png")
    source = open_source(path)
    assert readable(source) == {"a.png": b"a"}
    assert failures(source) == dict.fromkeys(["soft.png", "hard.png", "device.png", "pipe.png"], FailureCode.UNREADABLE)
    assert sentences(source).count("it is a link") == 2


def test_long_and_foreign_names_in_a_tar_are_kept(tmp_path):
    """Every dialect of tar keeps them, including bytes that are not UTF-8."""
    names = ["d" * 90 + "/" + "e" * 200 + ".png", "größe/3.png", "caf\udce9.png"]
    for dialect in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / f"{dialect}.tar"
        with tarfile.open(path, "w", format=dialect, encoding="utf-8") as archive:
            for name in names:
                add(archive, name, b"content")
        assert readable(open_source(path)) == dict.fromkeys(names, b"content")


def test_a_sparse_member_is_a_failure(tmp_path):
    """Its bytes are not in one piece. Its neighbour is read."""
    path = tmp_path / "scans.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        sparse = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000", "GNU.sparse.name": "sparse.png"}
        add(archive, "sparse.png", b"x", pax_headers=sparse)
        add(archive, "z.png", b"z")
    source = open_source(path)
    assert failures(source) == {"sparse.png": FailureCode.UNREADABLE}
    assert readable(source) == {"z.png": b"z"}


def hostile_header(**attributes: object) -> bytes:
    """Return a header of a tar member that no tar program writes."""
    header = tarfile.TarInfo("b.png")
    for attribute, value in attributes.items():
        setattr(header, attribute, value)
    return header.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "rest",
    [
        hostile_header(size=-1024),
        hostile_header(size=2**62),
        hostile_header(type=tarfile.XHDTYPE, size=-1024),
        hostile_header(type=tarfile.XHDTYPE, size=2**40),
        hostile_header(type=tarfile.GNUTYPE_LONGNAME, size=2**33),
        hostile_header(type=tarfile.XHDTYPE, size=20) + b"16 size=-100000\n".ljust(512, b"\0") + hostile_header(),
        hostile_header(type=tarfile.GNUTYPE_SPARSE),
        hostile_header(type=tarfile.XHDTYPE) * 3000,
        b"garbage" * 1000,
    ],
    ids=[
        "negative size",
        "huge size",
        "negative extended header",
        "huge extended header",
        "huge long name",
        "negative size by extended header",
        "broken sparse map",
        "nested extended headers",
        "garbage",
    ],
)
def test_hostile_tar_headers_end_the_reading_with_a_failure(tmp_path, rest):
    """No header hangs the reader, fills the memory or raises an error. The member before it is read."""
    path = pack(tmp_path / "scans.tar", {"a.png": b"a"})
    path.write_bytes(path.read_bytes()[:1024] + rest)
    tracemalloc.start()
    source = open_source(path)
    assert readable(source) == {"a.png": b"a"}
    assert failures(source)["scans.tar"] is FailureCode.UNREADABLE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_a_tar_that_expands_too_far_is_not_read_to_its_end(tmp_path, monkeypatch):
    """The limit, lowered here from 16 GiB, holds for members and for bytes after the last member."""
    monkeypatch.setattr(tars, "_MAX_EXPANDED_BYTES", 1024 * 1024)
    zeros = bytes(8 * 1024 * 1024)
    member = pack(tmp_path / "member.tar.gz", {"a.png": b"a", "bomb.png": zeros})
    tail = pack(tmp_path / "tail.tar", {"a.png": b"a"})
    (tmp_path / "tail.tar.gz").write_bytes(gzip.compress(tail.read_bytes() + zeros))
    for path in (member, tmp_path / "tail.tar.gz"):
        source = open_source(path)
        assert readable(source) == {"a.png": b"a"}
        assert failures(source) == {path.name: FailureCode.UNREADABLE}


def test_zstd_is_read_or_the_message_names_a_remedy(tmp_path):
    """Python 3.14 is the first version that can read zstd."""
    path = tmp_path / "scans.tar.zst"
    tar = pack(tmp_path / "scans.tar", {"a.png": b"a"}).read_bytes()
    # One frame of one raw block (RFC 8878): magic, descriptor with a 4-byte content size, size, block header, content.
    frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(tar))
    path.write_bytes(frame + (len(tar) << 3 | 1).to_bytes(3, "little") + tar)
    try:
        importlib.import_module("compression.zstd")
    except ImportError:
        with pytest.raises(UsageError, match=r"zstd.*3\.14.*\.tar\.gz"):
            open_source(path)
    else:
        assert readable(open_source(path)) == {"a.png": b"a"}


def test_encrypted_members_of_a_zip_are_failures(tmp_path):
    """The failure names the remedy, and the neighbour is read."""
    path = pack(tmp_path / "scans.zip", {"a.png": b"a", "z.png": b"z"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # flags in the first member's own header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(content)
    source = open_source(path)
    assert readable(source) == {"z.png": b"z"}
    assert failures(source) == {"a.png": FailureCode.UNREADABLE}
    assert "unpack the archive with its password" in sentences(source)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_members_that_cannot_be_unpacked_within_bounds_are_failures(tmp_path, method):
    """One block of bzip2 may hold gigabytes, and `zipfile` unpacks it whole."""
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", bytes(1000), method)
        archive.writestr("z.png", b"z")
    source = open_source(path)
    assert readable(source) == {"z.png": b"z"}
    assert failures(source) == {"a.png": FailureCode.UNREADABLE}


def test_links_in_a_zip_are_failures(tmp_path):
    """The archive stores the target of a link, which is not an image."""
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert failures(open_source(path)) == {"link.png": FailureCode.UNREADABLE}


def test_backslashes_in_a_zip_separate_folders(tmp_path):
    """Old Windows programs write them. A path of backslashes must not lead out of the archive either."""
    path = pack(tmp_path / "scans.zip", {"scans\\3\\a.png": b"a", "..\\up.png": b"x"})
    source = open_source(path)
    assert {image.name: image.label for image in source} == {"scans/3/a.png": 3, "../up.png": None}
    assert failures(source) == {"../up.png": FailureCode.UNSAFE_PATH}


def test_a_zip_member_that_unpacks_to_more_than_it_declares_is_a_failure(tmp_path):
    """A bomb that declares a false size is not unpacked, and its neighbour is read."""
    path = pack(tmp_path / "scans.zip", {"bomb.png": bytes(3 * MAX_BYTES), "z.png": b"z"})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    path.write_bytes(content)
    tracemalloc.start()
    source = open_source(path)
    assert readable(source) == {"z.png": b"z"}
    assert failures(source) == {"bomb.png": FailureCode.UNREADABLE}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_a_damaged_zip_member_is_a_failure_and_its_neighbours_are_read(tmp_path):
    """The checksum of the member reveals the damage."""
    path = pack(tmp_path / "scans.zip", {"a.png": b"a" * 50, "b.png": os.urandom(500), "c.png": b"c"})
    content = bytearray(path.read_bytes())
    content[content.index(b"b.png") + 100] ^= 0xFF
    path.write_bytes(content)
    source = open_source(path)
    assert list(readable(source)) == ["a.png", "c.png"]
    assert failures(source) == {"b.png": FailureCode.UNREADABLE}


_MEMBERS = {f"{number}/{'n' * number}.png": bytes([number]) * (200 * number) for number in range(6)}


@functools.cache
def whole() -> dict[str, bytes]:
    """Return a whole archive of each format, as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        return {ending: pack(Path(folder) / f"a{ending}", _MEMBERS).read_bytes() for ending in FORMATS}


@settings(max_examples=150, deadline=None)
@given(
    ending=st.sampled_from([".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=12)), max_size=4),
    cut=st.floats(0, 1),
)
@example(ending=".zip", changes=[(0.59375, bytes(5))], cut=1.0)  # a member without a name
def test_any_damage_ends_in_rows_or_one_usage_error(ending, changes, cut):
    """There is no other error, no hang and no duplicate row. Content that has a checksum is never wrong."""
    content = bytearray(whole()[ending])
    for where, what in changes:
        start = int(where * len(content))
        content[start : start + len(what)] = what
    content = content[: int(cut * len(content))] if cut < 0.5 else content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        path.write_bytes(content)
        try:
            source = open_source(path)
        except UsageError:
            return
        rows = list(source)
        assert len({row.name for row in rows}) == len(rows) == source.total
        assert list(source) == rows
        if ending == ".zip" or (ending != ".tar" and not failures(source)):
            assert set(readable(source).values()) <= set(_MEMBERS.values())


def _zip_with_name(path: Path, raw: bytes, *, system: int, unicode: str = "") -> Path:
    """Write a zip whose one member has a name in any bytes, without the flag of UTF-8."""
    member = zipfile.ZipInfo("x" * len(raw))
    member.create_system = system
    if unicode:
        field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + unicode.encode()
        member.extra = struct.pack("<HH", 0x7075, len(field)) + field
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"content")
    path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))
    return path


@pytest.mark.parametrize(
    ("raw", "system", "unicode", "expected"),
    [
        ("3/größe ☃.png".encode(), 3, "", "3/größe ☃.png"),
        ("3/größe ☃.png".encode(), 0, "", "3/größe ☃.png"),
        ("3/größe.png".encode("cp437"), 0, "", "3/größe.png"),
        ("3/größe.png".encode("cp850"), 0, "3/größe.png", "3/größe.png"),
        ("3/数字.png".encode("shift_jis"), 0, "3/数字.png", "3/数字.png"),
        ("3/größe.png".encode("latin-1"), 3, "", "3/gr\udcf6\udcdfe.png"),
        (b"3/plain.png", 0, "", "3/plain.png"),
    ],
    ids=["macOS", "UTF-8 from DOS", "code page 437", "code page 850", "Shift JIS", "Latin-1 on Linux", "ASCII"],
)
def test_names_in_a_zip_are_read_in_the_encoding_of_its_program(tmp_path, raw, system, unicode, expected):
    """The archive does not have the flag that its names are UTF-8. The member is read under its name."""
    source = open_source(_zip_with_name(tmp_path / "scans.zip", raw, system=system, unicode=unicode))
    assert list(source) == [SourceImage(expected, 3, b"content")]
