"""Labels of sources come from names of folders, from CSV files, or from nowhere."""

import csv
import io
import os
import tarfile
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Failure, FailureCode, UsageError
from producer.jobs.results import Results
from producer.report.tables.tables import write_predictions
from producer.sources import Source, open_source
from worker.contract.validation.bounds import MAX_DIGITS
from worker.contract.wire import Label


def write(folder: Path, *names: str) -> Path:
    """Write files of one byte."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def labels(source: Source) -> dict[str, Label | None]:
    """Return the label of every row."""
    return {image.name: image.label for image in source}


def missing(source: Source) -> list[str]:
    """Return the names that only the label file has."""
    return [
        image.name
        for image in source
        if isinstance(image.content, Failure) and image.content.code is FailureCode.MISSING
    ]


@pytest.fixture
def scans(tmp_path):
    """Return a folder of three images."""
    return write(tmp_path / "scans", "3/a.png", "3/b.png", "loose.png")


@pytest.fixture
def truth(tmp_path):
    """Return a function that writes a label file and returns its path."""

    def write_truth(text: str | bytes) -> str:
        path = tmp_path / "truth.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write_truth


def test_folders_named_by_a_digit_are_labels_if_all_images_lie_in_one(tmp_path):
    """The label is the name of the innermost folder, at any depth."""
    write(tmp_path, "3/a.png", "writer/5/b.png", "9/7/c.png", "0/d.png")
    assert labels(open_source(tmp_path)) == {"0/d.png": 0, "3/a.png": 3, "9/7/c.png": 7, "writer/5/b.png": 5}


@pytest.mark.parametrize("stray", ["loose.png", "10/a.png", "3/sub/a.png", "three/a.png", "٣/a.png", " 3/a.png"])
def test_one_image_elsewhere_and_no_folder_is_a_label(tmp_path, stray):
    """The names of the other folders may then mean something else. A note tells the user which image it was."""
    source = open_source(write(tmp_path, "3/a.png", "5/a.png", stray))
    assert set(labels(source).values()) == {None}
    assert source.notes == (f"No labels: 2 of 3 images lie in folders named 0 to 9, but {stray!r} does not.",)
    assert labels(open_source(tmp_path, exclude=[stray])) == {"3/a.png": 3, "5/a.png": 5}


def test_images_in_no_digit_folder_need_no_note(tmp_path):
    """Nothing suggests that the images should have labels."""
    assert open_source(write(tmp_path, "a.png", "b/c.png")).notes == ()


def test_the_submitted_folder_is_not_a_label(tmp_path):
    """The name of that folder is not part of the name of an image."""
    assert labels(open_source(write(tmp_path, "7/a.png") / "7")) == {"a.png": None}


def test_labels_from_folders_can_be_required(tmp_path):
    """The message names the first image that lies in another folder."""
    write(tmp_path, "3/a.png", "b/c.png", "d.png")
    with pytest.raises(UsageError, match=r"'b/c.png' does not lie in a folder named 0 to 9"):
        open_source(tmp_path, labels="folder")
    assert labels(open_source(tmp_path, labels="folder", include=["3"])) == {"3/a.png": 3}


def test_no_labels_are_taken_where_none_are_wanted(tmp_path):
    """`labels="none"` gives no label, even to images in folders named by digits."""
    assert labels(open_source(write(tmp_path, "3/a.png"), labels="none")) == {"3/a.png": None}


@pytest.mark.parametrize(
    "text",
    [
        "name,label\n3/a.png,5\nloose.png,0\n",
        "\ufeffname,label\n3/a.png,5\nloose.png,0\n",
        "3/a.png,5\nloose.png,0",
        "3/a.png, 5 \r\n\r\nloose.png,0\r\n",
        "3/a.png,5\rloose.png,0\r",
        "FILE ; Label\n3/a.png;5\nloose.png;0\n",
        "filename\ttrue\n3/a.png\t5\nloose.png\t0\n",
        "writer,digit,path\nx,5,3/a.png\ny,0,loose.png\n",
        'name,label\n"3/a.png","5"\n3/a.png,5\nloose.png,0\n',
        "name,label,digit,confidence\n3/a.png,5,3,0.9\nloose.png,0,8,0.5\n3/b.png,,7,0.4\n",
        "image,label\n./3/a.png,5\n3\\\\..\\\\loose.png,0\n",
        "name,label\nscans/3/a.png,5\nscans/loose.png,0\n",
    ],
    ids=[
        "header",
        "byte order mark",
        "no header",
        "spaces and empty lines",
        "old Mac",
        "semicolons",
        "tabs",
        "other columns",
        "quotes and agreeing duplicates",
        "the report's own",
        "other ways to write a path",
        "the source's path before",
    ],
)
def test_label_files_are_read_as_people_write_them(scans, truth, text, monkeypatch):
    """Images that the file does not name have no label."""
    monkeypatch.chdir(scans.parent)
    source = open_source("scans", labels=truth(text))
    assert labels(source) == {"3/a.png": 5, "3/b.png": None, "loose.png": 0}
    assert missing(source) == []


def test_absent_files_that_a_label_file_names_are_rows(scans, truth):
    """Each has one row after the images, with its label, in the order of the label file."""
    text = "name,label\nz.png,1\nloose.png,2\n3/gone.png,3\n3/a.png,1\nnote.txt,\n3/b.png,\n"
    source = open_source(write(scans, "note.txt"), labels=truth(text))
    assert list(labels(source).items())[3:] == [("z.png", 1), ("3/gone.png", 3), ("note.txt", None)]
    assert missing(source) == ["z.png", "3/gone.png", "note.txt"]
    assert source.total == 6
    assert source.notes[0].endswith(
        "(3 as written). The other 3 are not there: see the error `missing`. 1 image has no label."
    )


def test_a_name_that_is_not_there_is_shown_beside_an_image_that_no_name_means(scans, truth):
    """It may be a slip of the pen."""
    source = open_source(scans, labels=truth("3/a.png,1\nloose.png,2\n3/bb.png,3\n"))
    assert missing(source) == ["3/bb.png"]
    assert "the label file says '3/bb.png', and there is '3/b.png'. 1 image has no label." in source.notes[0]
    assert source.read("z.png") is None


def test_files_that_are_not_wanted_are_not_missing(scans, truth):
    """The globs apply to files that exist and to files that only the label file names."""
    path = truth("3/a.png,3\n3/gone.png,3\nloose.png,1\nlost.png,1\n")
    assert labels(open_source(scans, labels=path, exclude=["3"])) == {"loose.png": 1, "lost.png": 1}


def test_an_unsafe_member_that_a_label_file_names_is_not_missing(tmp_path, truth):
    """The archive has the member, so its failure is the unsafe path."""
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.writestr("../a.png", b"")
    source = open_source(tmp_path / "scans.zip", labels=truth("../a.png,3"))
    assert labels(source) == {"../a.png": 3}
    assert missing(source) == []


def test_accents_are_found_however_they_are_composed(tmp_path, truth):
    """Some systems store `ö` as `o` and a mark, others as one character. Both forms find the image."""
    name = unicodedata.normalize("NFD", "größe.png")
    source = open_source(write(tmp_path / "scans", name), labels=truth("name,label\ngröße.png,3\n"))
    assert labels(source) == {name: 3}


def test_names_that_are_not_utf8_are_found_by_their_bytes(tmp_path, truth):
    """A label file may have the bytes themselves."""
    name = os.fsdecode(b"caf\xe9.png")
    source = open_source(write(tmp_path / "scans", name), labels=truth(b"name,label\ncaf\xe9.png,3\n"))
    assert labels(source) == {name: 3}


def test_the_reports_table_is_a_label_file(tmp_path):
    """This includes names that the table must write differently: formulas, and bytes that are not UTF-8."""
    odd = ["=1+1.png", "-3.png", "\t.png", "a,b;c.png", 'q"uote.png', "caf\udce9.png", "back\\slash.png", "größe.png"]
    write(tmp_path / "scans", *odd)
    names = sorted(odd)
    count = len(names)
    results = Results(
        names=names,
        labels=np.arange(count, dtype=np.int8),
        digits=np.full(count, 9, np.int8),
        confidences=np.full(count, 0.5, np.float32),
        probabilities=None,
        models=["m"] * count,
        failures={},
    )
    write_predictions(tmp_path / "predictions.csv", results)
    source = open_source(tmp_path / "scans", labels=str(tmp_path / "predictions.csv"))
    assert labels(source) == {name: label for label, name in enumerate(names)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"name,label\n3/a.png,3\ncaf\xe9.png,3\n", "line 3: this is not UTF-8"),
        ("name,label\na.png,1\n".encode("utf-16-le"), "line 1: this is not UTF-8"),
        ("name,label\na.png,1\n".encode("utf-16")[:-1], "this is not UTF-8"),
        ("name,label\n3/a.png,10\n", "line 2: the label '10' of '3/a.png' is not a digit 0 to 9"),
        ("name,label\n3/a.png,3\n\nloose.png,-1\n", "line 4: the label '-1'"),
        ("name,label\nloose.png,sieben\n", "line 2: the label 'sieben'"),
        ("name,label\nloose.png,digit 12\n", "line 2: the label 'digit 12'"),
        ("name,label\nloose.png,03\n", "line 2: the label '03'"),
        ("sep=;\nname;label\nloose.png;x\n", "line 3: the label 'x'"),
        ("name,label\nloose.png,³\n", "line 2: the label '³'"),
        ("name,label\nloose.png,3.5\n", "line 2: the label '3.5'"),
        ("name,label\nloose.png,3\nloose.png,4\n", "line 3: 'loose.png' has another label here than on line 2"),
        ("name,label\nloose.png,3\nloose.png,\n", "line 3: 'loose.png' has another label here than on line 2"),
        ("name,label\n3/a.png,3\n3\\a.png,4\n", "line 3: '3/a.png' has another label here than on line 2"),
        ("name,label\nloose.png\n", "line 2: there are only 1 columns"),
        ("loose.png,x\n", "line 1: this is neither a header"),
        ("a,b,c\n1,2,3\n", "line 1: this is neither a header"),
        ("loose.png\n", "line 1: this is neither a header"),
        ('name,label\n"loose.png,3\n', "line 2: this is not CSV"),
        ("", "names no images"),
        ("name,label\n\n", "names no images"),
    ],
)
def test_faulty_label_files_are_one_clear_error_with_the_line(scans, truth, text, message):
    """The message also has the name of the file."""
    with pytest.raises(UsageError, match=r"truth\.csv") as caught:
        open_source(scans, labels=truth(text))
    assert message in str(caught.value)


def test_a_missing_label_file_is_one_clear_error(scans, tmp_path):
    """The message lists the other values of the option. A folder is not a label file either."""
    for path in (tmp_path / "no.csv", scans, Path("Folder")):
        with pytest.raises(UsageError, match=r"The label file .* does not exist.*`auto`, `folder`, `none`"):
            open_source(scans, labels=str(path))


_name = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: not name.startswith(".")  # which is hidden
)


@given(
    truths=st.dictionaries(_name.map("{}.png".format), st.none() | st.integers(0, 9), min_size=1, max_size=12),
    extra=st.sets(_name.map("{}.jpg".format), max_size=3),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.booleans(),
)
def test_any_labels_survive_the_round_trip_through_a_label_file(truths, extra, delimiter, quoting, mark):
    """Names may have any characters. Each image keeps its label, and no name is missing or appears twice."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)
    writer.writerow(["name", "label"])
    writer.writerows((name, "" if label is None else label) for name, label in truths.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.csv"
        path.write_bytes(text.getvalue().encode("utf-8-sig" if mark else "utf-8"))
        archive = Path(folder) / "scans.tar"
        # In an archive, names may differ in ways that file systems do not tell apart.
        names = [*truths, *extra]
        with tarfile.open(archive, "w") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        assert labels(open_source(archive, labels=str(path))) == {name: truths.get(name) for name in names}


def test_folders_named_by_numbers_are_labels_if_numbers_are_asked_for(tmp_path):
    """042 keeps its zero. A folder of another name means that no image gets a label, as with digits."""
    folder = write(tmp_path / "scans", "042/a.png", "7/b.png", "42/c.png")
    assert labels(open_source(folder, numbers=True)) == {"042/a.png": "042", "42/c.png": "42", "7/b.png": "7"}
    assert labels(open_source(folder)) == dict.fromkeys(["042/a.png", "42/c.png", "7/b.png"])
    write(folder, "4a/d.png")
    source = open_source(folder, numbers=True)
    assert set(labels(source).values()) == {None}
    assert "3 of 4 images lie in folders named by a number" in source.notes[0]
    with pytest.raises(UsageError, match=r"'4a/d.png' does not lie in a folder named by a number"):
        open_source(folder, labels="folder", numbers=True)


def test_labels_in_a_file_are_numbers_if_numbers_are_asked_for(scans, truth):
    """Every row has a string of digits, and zeros at its beginning count, so 42 and 042 contradict each other."""
    given = truth("name,label\n3/a.png,042\nloose.png,5\ngone.png,10\n3/b.png,\n")
    found = {"3/a.png": "042", "3/b.png": None, "loose.png": "5", "gone.png": "10"}
    assert labels(open_source(scans, labels=given, numbers=True)) == found
    headless = truth("3/a.png;12\n3/b.png;007\n")
    assert labels(open_source(scans, labels=headless, numbers=True))["3/b.png"] == "007"
    for cell in ("4.2", "-1", "twelve", "1 2", "\u0664", "1" * (MAX_DIGITS + 1)):
        with pytest.raises(UsageError, match=rf"line 2: the label '{cell}' .* is not a number of 1 to 64 digits"):
            open_source(scans, labels=truth(f"name,label\n3/a.png,{cell}\n"), numbers=True)
    with pytest.raises(UsageError, match="another label here than on line 2"):
        open_source(scans, labels=truth("name,label\n3/a.png,42\n3/a.png,042\n"), numbers=True)


def test_a_number_among_digits_is_refused_with_the_option_that_reads_numbers(scans, truth):
    """Who has such labels may not know that digitmill can read several digits."""
    with pytest.raises(UsageError, match=r"'42' of '3/a.png' is not a digit 0 to 9 .*submit with --several read"):
        open_source(scans, labels=truth("name,label\n3/a.png,42\n"))
