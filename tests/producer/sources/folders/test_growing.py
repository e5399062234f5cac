"""Facts about a folder whose images are read while it is listed: the same images, once each, in a kept order."""

import struct
from pathlib import Path

import pytest
from PIL import Image

from model.errors import Failure, FailureCode
from producer.jobs.kept.listed import ListedImages, read_end
from producer.sources import GrowingFolder, ListedImage, open_growing, open_source
from producer.sources.folders import growing


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten images make a run."""
    monkeypatch.setattr(growing, "RUN", 10)


def write(folder: Path, *names: str) -> None:
    """Write files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of many files, folders, links, documents and what is left out."""
    place = tmp_path / "scans"
    write(place, *(f"{index:02d}.png" for index in range(25)), *(f"deep/er/{index}.png" for index in range(15)))
    write(place, ".hidden.png", "notes.txt", "drawing.svg", "report/report.json", "report/report.html")
    write(place, "report/predictions.csv", "report/plot.png")
    page = Image.new("L", (28, 28))
    page.save(place / "pages.tif", save_all=True, append_images=[page, page])
    (place / "again").symlink_to(place / "deep")
    write(tmp_path, "elsewhere/linked.png")
    (place / "link").symlink_to(tmp_path / "elsewhere")
    return place


def open_it(folder: Path, **options: object) -> GrowingFolder:
    """Open a folder that has no labels."""
    source = open_growing(folder, **options)  # type: ignore[arg-type]
    assert isinstance(source, GrowingFolder)
    return source


@pytest.mark.parametrize("chosen", [{}, {"include": ["*.png"], "exclude": ["deep"]}], ids=["all", "some"])
def test_it_has_the_images_of_the_whole_folder(folder: Path, few_at_once, chosen) -> None:  # noqa: ARG001
    """Each once, with the same content, whatever the order is; and what is left out is counted."""
    source, whole = open_it(folder, **chosen), open_source(folder, **chosen)
    assert not source.is_listed
    assert source.total < whole.total
    for _ in range(2):
        found = list(source)
        assert {image.name: image.content for image in found} == {image.name: image.content for image in whole}
        assert len(found) == whole.total == source.total
        assert source.is_listed
        assert source.left_out == whole.left_out
    assert list(source.names) == list(whole.names)
    assert list(source.only(["03.png"]).names) == ["03.png"]


def test_a_folder_of_few_images_is_as_if_it_was_listed_first(folder: Path) -> None:
    """Its order is that of the names."""
    source, whole = open_it(folder), open_source(folder)
    assert source.is_listed
    assert (source.total, source.left_out, source.notes) == (whole.total, whole.left_out, whole.notes)
    assert [image.name for image in source] == list(whole.names)


def test_images_in_folders_of_digits_are_listed_first(tmp_path: Path, few_at_once) -> None:  # noqa: ARG001
    """They may have labels. One image elsewhere means that none has, and the note counts all when all are listed."""
    write(tmp_path, *(f"{index}/{index}.png" for index in range(10)))
    assert open_growing(tmp_path) is None
    write(tmp_path, "other/x.png", *(f"other/{index}.png" for index in range(20)))
    assert isinstance(open_growing(tmp_path, labels="none"), GrowingFolder)
    assert open_growing(tmp_path, labels="folder") is None
    source = open_it(tmp_path, exclude=["[0-8]", "[0-8].png"])
    assert source.notes == ()
    assert len(list(source)) == 13 == source.total
    assert "".join(source.notes).startswith("No labels: 1 of 13 images lie in folders named 0 to 9, but 'other/")


def test_what_is_not_a_folder_of_images_is_opened_as_before(tmp_path: Path) -> None:
    """The other way says why there are none."""
    write(tmp_path, "notes.txt", "one.png")
    assert open_growing(tmp_path / "one.png") is None
    assert open_growing(tmp_path / "missing") is None
    assert open_growing(tmp_path / ("long" * 100)) is None
    assert open_growing(tmp_path, exclude=["*.png"]) is None


def test_an_image_is_found_by_its_name_without_a_list(folder: Path, tmp_path: Path) -> None:
    """A name that leads out of the folder, to a hidden file or to an image that was not wanted finds nothing."""
    source = open_it(folder, exclude=["0?.png"])
    assert source.read("deep/er/3.png") == b"deep/er/3.png"
    pages = source.read_many(["pages.tif#page=2", "pages.tif#page=3", "pages.tif#page=4", "pages.tif"])
    assert list(pages)[:2] == ["pages.tif#page=2", "pages.tif#page=3"]
    assert "pages.tif#page=4" not in pages
    for name in (
        "../elsewhere/linked.png",
        str(tmp_path / "elsewhere/linked.png"),
        ".hidden.png",
        "03.png",
        "",
        "a\0b",
    ):
        assert source.read(name) is None


def test_the_page_after_a_thumbnail_is_found_by_its_name(tmp_path: Path) -> None:
    """What people are shown is what was classified."""
    path, page = tmp_path / "scan.tif", Image.new("L", (28, 28), 200)
    thumbnail = {254: 1}
    Image.new("L", (7, 7)).save(path, tiffinfo=thumbnail, save_all=True, append_images=[page])
    before, tag, after = path.read_bytes().rpartition(struct.pack("<HHII", 254, 4, 1, 1))
    path.write_bytes(before + tag[:-4] + bytes(4) + after)
    [image] = open_it(tmp_path)
    assert image.content != path.read_bytes()
    assert open_it(tmp_path).read("scan.tif") == image.content


def test_the_list_of_few_images_is_complete_at_once(folder: Path, tmp_path: Path) -> None:
    """The folder then has the number of images that the job was made with, whatever comes later."""
    with ListedImages(tmp_path / "jobs" / "job.list") as record:
        source = open_it(folder)
        total = source.total
        source.record_in(record)
        next(iter(source))
        assert (record.is_complete, record.rows) == (True, total)


@pytest.mark.parametrize("stop", [0, 1, 12, 43])
def test_the_recorded_order_counts(folder: Path, tmp_path: Path, few_at_once, stop: int) -> None:  # noqa: ARG001
    """After an interruption anywhere, the first images are the same. What came since follows. No image comes twice."""
    with ListedImages(tmp_path / "jobs" / "job.list") as record:
        source = open_it(folder)
        source.record_in(record)
        before = [image.name for image, _ in zip(source.listed(), range(stop), strict=False)]
        recorded, complete = (
            [image.name for at in range(record.pieces()) for image in record.piece(at)],
            source.is_listed,
        )
    assert before == recorded[:stop]
    for name in recorded[:3]:
        (folder / name).unlink(missing_ok=True)
    write(folder, *(f"new/{index}.png" for index in range(30)))
    with ListedImages(tmp_path / "jobs" / "job.list") as record:
        source = open_it(folder)
        source.record_in(record)
        after = list(source)
        names = [image.name for image in after]
        assert names[: len(recorded)] == recorded
        assert len(set(names)) == len(names) == source.total
        assert (f"new/{7}.png" in names) is not complete
        assert all(isinstance(image.content, Failure) for image in after[: len(recorded[:3])])
        assert source.is_listed
        assert [image.name for image in source] == names


def test_any_name_and_failure_can_be_recorded(tmp_path: Path) -> None:
    """Also names that are not UTF-8."""
    failure = Failure(FailureCode.NOT_AN_IMAGE, "It is a drawing.")
    images = [
        ListedImage("a"),
        ListedImage("\udce9\n"),
        ListedImage("p#page=2", "p", 7),
        ListedImage("b", failure=failure),
    ]
    with ListedImages(tmp_path / "jobs" / "job.list") as record:
        record.add(images)
        assert read_end(record.path) is None
        record.finish({"text file": 3})
        assert read_end(record.path) == (4, {"text file": 3}), "also while a client has it open"
    with ListedImages(tmp_path / "jobs" / "job.list") as record:
        assert list(record.piece(0)) == images
        assert (record.rows, record.left_out, record.is_complete) == (4, {"text file": 3}, True)
