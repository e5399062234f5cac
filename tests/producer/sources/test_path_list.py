"""Images that a CSV file names by their paths: files, and members of archives and arrays, in any folder."""

import os
import tarfile
import zipfile

import numpy as np
import pytest

from model.errors import Failure, FailureCode, UsageError
from producer.jobs.results import Results
from producer.report.selection import select
from producer.report.tables.tables import write_review
from producer.sources import open_path_list, open_source


@pytest.fixture
def table(tmp_path):
    """Write a CSV file with the columns path and label, and open it."""

    def write(rows, name="mine.csv"):
        path = tmp_path / name
        path.write_text("path,label\n" + "".join(f"{place},{label}\n" for place, label in rows))
        return open_path_list(path)

    return write


def read(source):
    """Return content or failure code, and label, of each image by name."""
    return {
        image.name: (image.content.code if isinstance(image.content, Failure) else image.content, image.label)
        for image in source
    }


def test_files_are_found_beside_the_table_and_in_the_current_folder(tmp_path, table, monkeypatch):
    """Absolute paths may lead anywhere. Of two files the one beside the table counts."""
    for name, content in (("a.png", b"a"), ("here/b.png", b"b"), ("here/a.png", b"other"), ("far/c.png", b"c")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path / "here")
    far = str(tmp_path / "far" / "c.png")
    assert read(table([("a.png", 1), ("b.png", 2), (far, 3)])) == {
        "a.png": (b"a", 1),
        "b.png": (b"b", 2),
        far: (b"c", 3),
    }


def test_an_image_that_does_not_exist_is_a_row_with_the_reason(tmp_path, table):
    """The path may be that of a file, of a member of an archive, or of a member of a damaged archive."""
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("3/a.png", b"a")
    (tmp_path / "torn.zip").write_bytes((tmp_path / "in.zip").read_bytes()[:40])
    rows = [("gone.png", 1), ("in.zip/3/b.png", 2), ("torn.zip/3/a.png", 3), ("x" * 300, 4), ("in.zip/3/a.png", 5)]
    found = read(table(rows))
    assert found["in.zip/3/a.png"] == (b"a", 5)
    assert [found[name][0] for name, _ in rows[:4]] == [
        FailureCode.MISSING,
        FailureCode.MISSING,
        FailureCode.UNREADABLE,
        FailureCode.MISSING,
    ]


def test_archives_are_read_in_their_own_order(tmp_path, table):
    """In another order, a compressed archive would be read from its beginning for each image."""
    (tmp_path / "loose.png").write_bytes(b"loose")
    with tarfile.open(tmp_path / "in.tar.gz", "w:gz") as archive:
        for name in "cab":
            (tmp_path / name).write_bytes(name.encode())
            archive.add(tmp_path / name, f"{name}.png")
    np.save(tmp_path / "three.npy", np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28))
    names = ["in.tar.gz/a.png", "three.npy/00002", "in.tar.gz/b.png", "loose.png", "in.tar.gz/c.png", "three.npy/00000"]
    source = table([(name, 1) for name in names])
    expected = ["loose.png", *(f"in.tar.gz/{name}.png" for name in "cab"), "three.npy/00000", "three.npy/00002"]
    assert [image.name for image in source] == expected
    content = read(source)
    assert content["in.tar.gz/b.png"][0] == b"b"
    assert content["three.npy/00002"][0][0, 0] == 2 * 784 % 256


def test_rows_without_a_label_are_skipped_and_not_read(table):
    """The paths in these rows need not exist. A table without any label is refused."""
    source = table([("gone.png", ""), ("gone too.png", 4)])
    assert source.notes == ("Rows without a label are skipped: 1 of 2.",)
    assert list(read(source)) == ["gone too.png"]
    with pytest.raises(UsageError, match="No row of"):
        table([("gone.png", "")])


@pytest.mark.parametrize("name", [b"7.png", b"=1+2.png", b"a,b;c.png", b"caf\xe9.png", b"\xc3\xa9 \xe2\x98\x83.png"])
def test_a_review_sheet_leads_back_to_every_image(tmp_path, name):
    """The column `path` finds the image, whatever bytes its name has."""
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / os.fsdecode(name)).write_bytes(b"content")
    source = open_source(tmp_path / "scans")
    [image] = source
    results = Results(
        [image.name], np.array([-1], np.int8), np.array([3], np.int8), np.array([0.4], np.float32), None, ["v"], {}
    )
    write_review(tmp_path / "review.csv", results, select(results, 0.8), source.root)
    text = (tmp_path / "review.csv").read_text()
    (tmp_path / "review.csv").write_text(text.replace('"",3,', "7,3,"))
    assert [(back.content, back.label) for back in open_path_list(tmp_path / "review.csv")] == [(b"content", 7)]


def test_names_count_where_a_sheet_has_no_path(tmp_path):
    """The column `path` of the sheet for MNIST's images is empty."""
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "review.csv").write_text("name,label,digit,path\na.png,7,3,\n")
    assert read(open_path_list(tmp_path / "review.csv")) == {"a.png": (b"a", 7)}
