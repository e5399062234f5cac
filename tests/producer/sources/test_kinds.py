"""Each file of a source is an image, an error row that says what to do, or counted by its kind in one line."""

import os
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import Failure, FailureCode
from producer.sources import Source, open_source
from producer.sources.kinds import describe_left_out
from tests.model.images.drawings import drawing, encoded

PNG = encoded(drawing())


def write(folder: Path, **files: bytes) -> Path:
    """Write files."""
    return write_all(folder, files)


def write_all(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files of any names."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sentences(source: Source) -> dict[str, str]:
    """Return the sentence of each failure."""
    return {image.name: image.content.sentence for image in source if isinstance(image.content, Failure)}


@pytest.fixture(params=["folder", "zip"])
def submit(request, tmp_path):
    """Return a function that opens files as a folder, or as an archive."""

    def open_files(files: dict[str, bytes]) -> Source:
        folder = write_all(tmp_path / "scans", files)
        if request.param == "folder":
            return open_source(folder)
        with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return open_source(tmp_path / "scans.zip")

    return open_files


@pytest.mark.parametrize(
    "name",
    ["a.jfif", "a.jpe", "a.JPG", "a.Tif", "a.TIFF", "a.heic", "a.HEIF", "a.avif", "a.apng", "a.dib", "A.WEBP"],
)
def test_extensions_of_images_are_known_in_either_case(submit, name):
    """The workers judge the content."""
    assert list(submit({name: b"x"}).names) == [name]


def test_an_image_with_another_extension_or_none_is_an_image(submit):
    """Its first bytes tell what it is, in every format."""
    picture = Image.fromarray(drawing())
    kinds = {"PNG": "scan", "JPEG": "scan.jpg_large", "GIF": "a.gif.txt", "TIFF": "IMG 1.scan", "WEBP": "photo.pdf"}
    files = {name: encoded(picture.convert("RGB"), kind) for kind, name in kinds.items()}
    files |= {"b.dat": encoded(picture, "BMP"), "c.part": encoded(picture, "AVIF")}
    source = submit({**files, "notes": b"a text"})
    assert {image.name: image.content for image in source} == files
    assert source.left_out == {"text file": 1}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("form.pdf", b"%PDF-1.7", "a PDF document. Export its pages as PNG or TIFF."),
        ("form", b"%PDF-1.7", "a PDF document. Export its pages as PNG or TIFF."),
        ("7.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a vector drawing, such as SVG. Export it as PNG."),
        ("drawing", b"<?xml version='1.0'?>\n<svg/>", "a vector drawing, such as SVG. Export it as PNG."),
        ("scans.docx", b"PK\3\4", "an Office document. Save the pictures in it as PNG."),
        ("7.psd", b"8BPS", "a document of an image editor. Export it as PNG."),
        ("IMG_1.NEF", b"MM\0*\0\0\0\x08", "a camera's RAW file. Develop it, and save it as JPEG."),
        ("IMG_1.CR2", b"II*\0\x10\0\0\0CR\2\0", "a camera's RAW file. Develop it, and save it as JPEG."),
        ("IMG_1.dng", b"II*\0\x08\0\0\0", "a camera's RAW file. Develop it, and save it as JPEG."),
        ("7.jp2", b"\0\0\0\x0cjP  ", "an image in a format that is not read here. Convert it to PNG."),
        ("7.jxl", b"\xff\x0a", "an image in a format that is not read here. Convert it to PNG."),
        ("favicon.ico", b"\0\0\1\0", "an image in a format that is not read here. Convert it to PNG."),
    ],
)
def test_a_file_that_may_show_digits_is_a_row_with_the_remedy(submit, name, content, words):
    """Nobody overlooks it, and it is not sent."""
    source = submit({"a.png": PNG, name: content})
    assert source.left_out == {}
    assert sentences(source)[name].endswith(f"but {words}")
    [failure] = [image.content for image in source if isinstance(image.content, Failure)]
    assert failure.code is FailureCode.NOT_AN_IMAGE


def test_all_other_files_are_counted_by_kind_in_one_line(submit):
    """The line names what lies there, so that a user sees what is missing."""
    files = {
        "a.png": PNG,
        "truth.csv": b"a.png,7",
        "notes.txt": b"text",
        "b/read me": b"text",
        ".DS_Store": b"\0",
        "b/.DS_Store": b"\0",
        "Thumbs.db": b"",
        "desktop.ini": b"",
        "__MACOSX/b/._a.png": b"",
        "__MACOSX/._a.png": b"",
        ".git/HEAD": b"",
        ".hidden.png": PNG,
        "more.zip": b"PK\3\4",
        "train-images-idx3-ubyte": b"\0\0\x08\3",
        "digits.npz": b"PK\3\4",
        "IMG_1.MOV": b"",
        "model.xyz": b"\0\1",
        "empty": b"",
        "code.py": b"",
    }
    source = submit(files)
    assert list(source.names) == ["a.png"]
    assert describe_left_out(source.left_out) == (
        "left out: 2 .DS_Store files, 2 array files, 2 text files, 1 .xyz file, 1 Thumbs.db, 1 __MACOSX, 1 archive, "
        "1 desktop.ini, 1 empty file, 1 hidden file, 1 hidden folder, 1 program, 1 table, 1 video. Submit archives and "
        "array files by themselves."
    )
    assert describe_left_out({}) == ""


def test_pipes_sockets_and_links_to_nowhere_are_counted(tmp_path):
    """None of them blocks. With the name of an image, they are failures."""
    write(tmp_path, a=PNG)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nothing here").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "socket"))
    source = open_source(tmp_path)
    assert list(source.names) == ["a"]
    assert source.left_out == {"pipe": 1, "socket": 1, "broken link": 2}


def test_a_report_in_a_folder_is_left_out_and_counted(tmp_path):
    """Its plots are not digits."""
    files = {f"report/{name}": b"" for name in ("report.json", "report.html", "predictions.csv", "plot.png")}
    source = open_source(write_all(tmp_path, {**files, "a.png": PNG}))
    assert (list(source.names), source.left_out) == (["a.png"], {"report of digitmill": 1})


def test_an_encrypted_member_without_extension_is_not_left_out(tmp_path):
    """Nobody can tell whether it is an image."""
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", PNG)
        archive.writestr("scan", PNG)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in sentences(open_source(path))["scan"]


def test_a_folder_of_arrays_says_what_to_do(tmp_path):
    """Arrays are sources of their own."""
    np.save(tmp_path / "digits.npy", np.zeros((1, 28, 28), np.uint8))
    write_all(tmp_path, {"a.png": PNG})
    assert "Submit archives and array files by themselves." in describe_left_out(open_source(tmp_path).left_out)
