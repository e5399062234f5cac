"""Each page of a TIFF is an image of its own, in folders, archives and tables, with a name that leads back to it."""

import struct
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import Failure, FailureCode
from model.images.decoding.decode import decode
from model.images.limits import MAX_BYTES
from producer.sources import Source, open_each, open_path_list, open_source, pages, zips
from tests.model.images.drawings import drawing, encoded

PAGES = [Image.fromarray(drawing(60, 48)).rotate(90 * turn) for turn in range(3)]
DOCUMENT = encoded(PAGES[0], "TIFF", save_all=True, append_images=PAGES[1:])
FILES = {"3/a.png": encoded(PAGES[0]), "3/scan.TIF": DOCUMENT, "5/one.tiff": encoded(PAGES[0], "TIFF")}
NAMES = ["3/a.png", "3/scan.TIF#page=1", "3/scan.TIF#page=2", "3/scan.TIF#page=3", "5/one.tiff"]


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz"])
def path(request, tmp_path):
    """Path of a folder, or of an archive, of these files."""
    packed = tmp_path / f"scans.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in FILES.items():
                archive.writestr(name, content)
        return packed
    if request.param != "folder":
        with tarfile.open(packed, "w:gz" if request.param == "tar.gz" else "w") as tar:
            for name, content in FILES.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, BytesIO(content))
        return packed
    for name, content in FILES.items():
        (packed / name).parent.mkdir(parents=True, exist_ok=True)
        (packed / name).write_bytes(content)
    return packed


def pictures(source: Source) -> dict[str, bytes]:
    """Return the content of every row that did not fail."""
    return {image.name: image.content for image in source if isinstance(image.content, bytes)}


def test_each_page_is_a_row_with_the_label_of_its_folder(path):
    """Each travels as a file of one page. A TIFF of one page keeps its name and its bytes."""
    source = open_source(path)
    assert list(source.names) == NAMES
    assert [image.label for image in source] == [3, 3, 3, 3, 5]
    found = pictures(source)
    for page, name in zip(PAGES, NAMES[1:4], strict=True):
        assert np.array_equal(decode(found[name]), np.asarray(page))
        assert len(found[name]) < len(DOCUMENT) / 2
    assert found["5/one.tiff"] == FILES["5/one.tiff"]
    assert source.read_many([NAMES[2], NAMES[0]]) == {name: found[name] for name in (NAMES[0], NAMES[2])}
    assert source.read(NAMES[3]) == found[NAMES[3]]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.TIF"], [], NAMES[1:4]),
        (["scan.TIF#page=2"], [], NAMES[2:3]),
        ([], ["scan.TIF"], [NAMES[0], NAMES[4]]),
        ([], ["*#page=1"], [NAMES[0], *NAMES[2:]]),
    ],
)
def test_globs_choose_documents_and_pages(path, include, exclude, expected):
    """The name of a document stands for its pages."""
    assert list(open_source(path, include=include, exclude=exclude).names) == expected


def test_a_document_that_is_named_alone_gives_its_pages(path, tmp_path):
    """The names are paths, as `classify` prints them."""
    single = tmp_path / "letter.tif"
    single.write_bytes(DOCUMENT)
    source = open_each([str(single)])
    assert list(source.names) == [f"{single}#page={number}" for number in (1, 2, 3)]
    assert list(pictures(source).values()) == list(pictures(open_source(path)).values())[1:4]


def test_a_table_leads_back_to_a_page(path, tmp_path):
    """`teach --csv` reads the paths of pages, as a report writes them."""
    table = tmp_path / "review.csv"
    table.write_text(f"path,label\n{path}/3/scan.TIF#page=2,4\n{path}/3/scan.TIF#page=9,4\n", encoding="utf-8")
    found, missing = open_path_list(table)
    assert (found.content, found.label) == (pictures(open_source(path))[NAMES[2]], 4)
    assert isinstance(missing.content, Failure)
    assert missing.content.code is FailureCode.MISSING


def test_a_document_is_opened_once_for_all_its_pages(tmp_path, monkeypatch):
    """A packed document is unpacked once for the list of its pages, and once for the pages."""
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scan.tif", DOCUMENT)
    opened = []
    read = zips._MemberReader.document

    def count_and_read(self, place):
        opened.append(place)
        return read(self, place)

    monkeypatch.setattr(zips._MemberReader, "document", count_and_read)
    source = open_source(path)
    assert len(pictures(source)) == 3
    assert len(opened) == 2


def test_a_damaged_document_gives_its_sound_pages_and_one_failure(tmp_path):
    """The failure says that pages are lost."""
    whole = encoded(PAGES[0], "TIFF", save_all=True, append_images=PAGES * 3)
    (tmp_path / "scan.tif").write_bytes(whole[: len(whole) // 2])
    *sound, last = open_source(tmp_path)
    assert len(sound) >= 3
    assert all(isinstance(image.content, bytes) for image in sound)
    assert isinstance(last.content, Failure)
    assert last.name == f"scan.tif#page={len(sound) + 1}"
    assert "the job has none of the pages from here on" in last.content.sentence


@pytest.mark.parametrize("packed", [False, True])
def test_a_document_may_be_larger_than_an_image(tmp_path, packed):
    """The limit of bytes is that of a page."""
    page = Image.new("L", (4096, 3072))
    path = tmp_path / "scan.tif"
    path.write_bytes(encoded(page, "TIFF", save_all=True, append_images=[page] * 2))
    assert path.stat().st_size > MAX_BYTES
    if packed:
        path = tmp_path / "scans.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(tmp_path / "scan.tif", "scan.tif")
    assert len(pictures(open_source(path))) == 3


def test_a_page_and_a_file_of_its_name_are_both_read(tmp_path):
    """The page gets a name of its own."""
    (tmp_path / "scan.tif").write_bytes(DOCUMENT)
    (tmp_path / "scan.tif#page=2").write_bytes(FILES["3/a.png"])
    names = ["scan.tif#page=1", "scan.tif##page=2", "scan.tif#page=3", "scan.tif#page=2"]
    assert list(open_source(tmp_path).names) == names


def test_other_content_named_tiff_is_sent_as_it_is(tmp_path):
    """A worker says what it is."""
    for name, content in {
        "a.tif": b"",
        "b.tif": b"text",
        "c.tif": b"II*\0" + struct.pack("<I", 99),
        "d.tif": FILES["3/a.png"],
    }.items():
        Path(tmp_path / name).write_bytes(content)
    assert list(open_source(tmp_path).names) == ["a.tif", "b.tif", "c.tif", "d.tif"]


def test_files_that_are_no_tiffs_are_not_opened_for_listing(tmp_path, monkeypatch):
    """A folder of other images costs nothing more."""
    monkeypatch.setattr(pages, "list_pages", pytest.fail)
    (tmp_path / "a.png").write_bytes(FILES["3/a.png"])
    assert list(open_source(tmp_path).names) == ["a.png"]
