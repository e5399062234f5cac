"""The names in a label file find their images however people and programs write them, or the user is told at once."""

import unicodedata
from pathlib import Path

import pytest

from model.errors import Failure, UsageError
from producer.sources import Source, open_source
from producer.sources.labelling.matching import match
from worker.contract.wire import Label


@pytest.fixture
def submit(tmp_path):
    """Return a function that opens a folder of images with a label file. The file's rows are its names and labels."""

    def open_labelled(images: list[str], rows: str | bytes, **options: object) -> Source:
        for name in images:
            path = tmp_path / "scans" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        table = tmp_path / "truth.csv"
        table.write_bytes(rows.encode() if isinstance(rows, str) else rows)
        return open_source(tmp_path / "scans", labels=str(table), **options)  # type: ignore[arg-type]

    return open_labelled


def labels(source: Source) -> dict[str, Label | None]:
    """Return the label of every image."""
    return {image.name: image.label for image in source}


WAYS = {
    "another case": ["IMG_{}.PNG", "in another case"],
    "no extension": ["img_{}", "without the extension"],
    "another extension": ["img_{}.jpeg", "without the extension"],
    "an extension in another case": ["IMG_{}.HEIC", "without the extension"],
    "a Windows path": [r"C:\Users\Ann\My scans\img_{}.png", "by the end of the path"],
    "a Windows path here": [r".\img_{}.png", "by another way to write the path"],
    "a path from the root": ["/home/ann/scans/img_{}.png", "by the end of the path"],
    "a leading folder": ["scans/img_{}.png", "by the end of the path"],
    "a leading dot": ["./img_{}.png", "by another way to write the path"],
    "spaces around": ["  img_{}.png ", "by another way to write the path"],
    "an address": ["file:///home/ann/my%20scans/img_{}.png", "by the end of the path"],
    "quotes": ["'img_{}.png'", "by another way to write the path"],
    "lost zeros": ["img_{:d}.png", "without leading zeros"],
}


@pytest.mark.parametrize("way", WAYS)
def test_names_are_found_however_they_are_written(submit, way):
    """Every image has its label, no row is added, and one line says by which rule."""
    form, rule = WAYS[way]
    images = [f"img_{number:02}.png" for number in range(10)]
    rows = "".join(f"{form.format(number if ':d' in form else f'{number:02}')},{number}\n" for number in range(10))
    source = submit(images, f"name,label\n{rows}")
    assert labels(source) == {name: number for number, name in enumerate(images)}
    [note] = source.notes
    assert f"10 of 10 names in {str(Path(source.root).parent / 'truth.csv')!r} match an image (" in note
    assert f"10 {rule}" in note


def test_base_names_are_found_in_any_folder(submit):
    """This holds while each is there once."""
    assert labels(submit(["3/a.png", "x/5/b.png"], "a.png,3\nb.png,5\n")) == {"3/a.png": 3, "x/5/b.png": 5}


def test_a_better_name_keeps_its_image(submit):
    """A name that only resembles that of an image does not take the image from the right name."""
    source = submit(["3/a.png", "b.png"], "3/a.png,3\na.png,7\nb.png,1\n")
    assert labels(source) == {"3/a.png": 3, "b.png": 1, "a.png": 7}
    assert isinstance(list(source)[-1].content, Failure)


def test_accents_spaces_and_encodings_are_found(submit):
    """Accents are composed in one of two ways, macOS has narrow spaces, and Excel on Windows has an encoding."""
    decomposed, narrow = unicodedata.normalize("NFD", "größe.png"), "Scan 9.41\u202fAM.png"
    rows = "name,label\ngröße.png,1\nscan 9.41 am.png,2\n".encode() + "name-ü.png,3\n".encode("cp1252")
    assert labels(submit([decomposed, narrow, "name-ü.png"], rows)) == {decomposed: 1, narrow: 2, "name-ü.png": 3}


@pytest.mark.parametrize(
    ("images", "rows", "spellings"),
    [
        (["img_1.png", "Img_1.png"], "IMG_1.PNG,3\n", ["'IMG_1.PNG'", "'img_1.png'", "'Img_1.png'"]),
        (["3/a.png", "5/a.png"], "a.png,3\n", ["'a.png'", "'3/a.png'", "'5/a.png'"]),
        (["a.png", "a.jpg"], "a,3\n", ["'a'", "'a.png'", "'a.jpg'"]),
        (["test/a.png", "b.png"], "train/a.png,3\nb.png,1\n", ["'train/a.png'", "'test/a.png'"]),
        (["3/a.png", "b.png"], "x/3/a.png,3\ny/3/a.png,4\nb.png,1\n", ["'x/3/a.png'", "'3/a.png'"]),
    ],
    ids=["case", "folder", "extension", "another folder", "two names for one image"],
)
def test_a_name_that_nobody_can_match_is_refused_with_both_spellings(submit, images, rows, spellings):
    """The refusal comes before any job exists, and names the line."""
    with pytest.raises(UsageError, match="do not tell which image they mean: on line 1 the label file says") as caught:
        submit(images, rows)
    assert all(spelling in str(caught.value) for spelling in spellings)


def test_a_label_file_of_other_names_is_refused_with_both_spellings(submit):
    """Otherwise the accuracy would be 0 % because of names."""
    images = [f"scan-{number}.png" for number in range(6)]
    with pytest.raises(
        UsageError, match=r"Only 0 of 6 names in .*truth\.csv' match one of the 6 images: the label"
    ) as caught:
        submit(images, "".join(f"page{number}.png,{number}\n" for number in range(6)))
    assert "the label file says 'page0.png', and there is 'scan-" in str(caught.value)
    with pytest.raises(UsageError, match="Only 2 of 6 names"):
        submit(images, "".join(f"{'scan-' if number < 2 else 'page'}{number}.png,{number}\n" for number in range(6)))


def test_the_label_file_of_a_larger_set_serves_a_part_of_it(submit):
    """If each image has a label, the other names are left out, and the note says how many."""
    source = submit(["1.png", "2.png"], "".join(f"{number}.png,{number % 10}\n" for number in range(100)))
    assert labels(source) == {"1.png": 1, "2.png": 2}
    assert "2 of 100 names" in source.notes[0]
    assert "The other 98 are not in" in source.notes[0]


def test_a_document_of_several_pages_needs_a_label_for_each():
    """The label of a whole document is refused, and the pages are named."""
    pages = ["scan.tif#page=1", "scan.tif#page=2"]
    assert match({"scan.tif": 3}, pages, "").clashes == {"scan.tif": tuple(pages)}
    assert match({"SCAN.TIF#page=2": 3}, pages, "").images == {"SCAN.TIF#page=2": "scan.tif#page=2"}


TABLES = {
    "Excel, semicolons": "sep=;\r\nName;Label\r\na.png;3\r\nb.png;5\r\n".encode("utf-8-sig"),
    "Excel, commas": b"sep=,\r\nname,label\r\na.png,3\r\nb.png,5\r\n",
    "Excel, quoted": b'"sep=;"\r\na.png;3\r\nb.png;5\r\n',
    "Excel, Unicode text": "File name\tLabel\r\na.png\t3\r\nb.png\t5\r\n".encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + "name,label\na.png,3\nb.png,5\n".encode("utf-16-be"),
    "pandas, floats": b"image_name,class\na.png,3.0\nb.png,5.0\n",
    "decimal commas": b"name;label\na.png;3,0\nb.png;5,00\n",
    "bars": b"name|label\na.png|3\nb.png|5\n",
    "spaces": b"a.png 3\nb.png 5\n",
    "words": b"name,label\na.png,three\nb.png,FIVE\n",
    "what it is": b"name,label\na.png,digit 3\nb.png,digit_5\n",
    "quotes": b'name,label\na.png,\'3\'\nb.png,"""5"""\n',
}


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_read_as_programs_write_them(submit, table):
    """Separators, encodings, titles and forms of labels differ."""
    assert labels(submit(["a.png", "b.png"], TABLES[table])) == {"a.png": 3, "b.png": 5}


@pytest.mark.parametrize("nothing", ["", "nan", "NA", "#N/A", "None", "null"])
def test_a_missing_value_is_no_label(submit, nothing):
    """pandas, R, Excel, Python and SQL write it in their own ways."""
    assert labels(submit(["a.png", "b.png"], f"name,label\na.png,3\nb.png,{nothing}\n")) == {"a.png": 3, "b.png": None}
