"""CSV files of pixels, as Kaggle and many copies of MNIST have them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from model.errors import UsageError
from model.images.decoding.decode import decode
from producer.sources import Source, open_source
from producer.sources.arrays.formats import tables


def assert_holds(source: Source, images: np.ndarray, labels: list[int | None]) -> None:
    """Check the images and the labels of a source."""
    rows = list(source)
    assert [row.label for row in rows] == labels
    np.testing.assert_array_equal(np.stack([np.asarray(row.content) for row in rows]), images)


def write(path: Path, titles: list[str], rows: np.ndarray, delimiter: str = ",", end: str = "\n") -> Path:
    """Write a table."""
    lines = [delimiter.join(titles)] if titles else []
    lines += [delimiter.join(map(str, row)) for row in rows.tolist()]
    content = (end.join(lines) + end).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


PIXELS = [f"pixel{index}" for index in range(784)]
BY_PLACE = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]


@pytest.mark.parametrize("name", ["train.csv", "TRAIN.CSV", "train.csv.gz"])
@pytest.mark.parametrize(
    ("titles", "last"),
    [(["label", *PIXELS], False), (["label", *BY_PLACE], False), ([*PIXELS, "class"], True), ([], False)],
)
def test_a_table_of_pixels_gives_labelled_images(tmp_path, some, name, titles, last):
    """The label is the first column or the last. There may be a header; Kaggle's and OpenML's are known."""
    pixels, label = some.images.reshape(-1, 784), some.labels[:, None]
    table = np.hstack([pixels, label] if last else [label, pixels])
    source = open_source(write(tmp_path / name, titles, table))
    assert_holds(source, some.images, some.labels.tolist())


def test_labels_in_the_last_column_are_found_without_a_header(tmp_path, some):
    """MNIST's first and last pixels are always 0, and its labels are not."""
    table = np.hstack([some.images.reshape(-1, 784), some.labels[:, None]])
    assert_holds(open_source(write(tmp_path / "a.csv", [], table)), some.images, some.labels.tolist())
    inverted = np.hstack([255 - some.images.reshape(-1, 784), some.labels[:, None]])
    assert_holds(open_source(write(tmp_path / "b.csv", [], inverted)), some.images, some.labels.tolist())
    no_digits = np.hstack([some.images.reshape(-1, 784) + 20, np.full((40, 1), 77)])
    with pytest.raises(UsageError, match="has 785 columns"):
        open_source(write(tmp_path / "c.csv", [], no_digits))


@pytest.mark.parametrize("titles", [PIXELS, []])
def test_a_table_without_labels_gives_images(tmp_path, some, titles):
    """Kaggle's test.csv has a header of 784 pixels, and no labels."""
    source = open_source(write(tmp_path / "test.csv", titles, some.images.reshape(-1, 784)))
    assert_holds(source, some.images, [None] * 40)


@pytest.mark.parametrize(("delimiter", "end"), [(";", "\r\n"), ("\t", "\n"), (" ", "\n"), (",", "\r\n"), (", ", "\n")])
def test_other_delimiters_line_ends_and_blank_lines_are_read(tmp_path, some, delimiter, end):
    """A byte order mark and empty lines do not disturb."""
    table = np.hstack([some.labels[:, None], some.images.reshape(-1, 784)])
    path = write(tmp_path / "a.csv", ["label", *PIXELS], table, delimiter, end)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + end.encode() * 3)
    assert_holds(open_source(path), some.images, some.labels.tolist())


def test_excels_line_of_the_separator_is_skipped(tmp_path, some):
    """Excel writes `sep=;` before the header, and other programs copy it."""
    path = write(tmp_path / "a.csv", PIXELS, some.images.reshape(-1, 784), ";", "\r\n")
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_bytes())
    assert_holds(open_source(path), some.images, [None] * 40)


@pytest.mark.parametrize("header", [False, True])
def test_tables_of_8_by_8_pixels_are_read(tmp_path, header):
    """The tables of scikit-learn's digits and of UCI's optdigits have 64 pixels, 0 to 16, and then the label."""
    table = np.random.default_rng(0).integers(0, 17, (20, 65))
    table[:, 0], table[:, 64] = 0, np.arange(20) % 10
    titles = [*(f"pixel_{row}_{column}" for row in range(8) for column in range(8)), "target"]
    source = open_source(write(tmp_path / "a.csv", titles if header else [], table))
    assert [row.label for row in source] == [index % 10 for index in range(20)]
    content = source.read("00003")
    assert isinstance(content, bytes)
    np.testing.assert_array_equal(decode(content), np.rint(table[3, :64] * 255 / 16).reshape(8, 8))


@pytest.mark.parametrize("title", ["", "Unnamed: 0", "id", None])
def test_a_column_of_row_numbers_is_left_out(tmp_path, some, title):
    """Both pandas and R write such a column. That of R has no title."""
    table = np.hstack([np.arange(40)[:, None], some.labels[:, None], some.images.reshape(-1, 784)])
    titles = ["label", *PIXELS] if title is None else [title, "label", *PIXELS]
    assert_holds(open_source(write(tmp_path / "a.csv", titles, table)), some.images, some.labels.tolist())


def test_the_form_of_a_table_is_recognised(tmp_path, some):
    """Fractions are stretched, and inverted pixels are inverted, as in any array."""
    fractions = write(tmp_path / "a.csv", [], some.images.reshape(-1, 784) / 255)
    assert_holds(open_source(fractions), some.images, [None] * 40)
    fractions.write_bytes(b"\xef\xbb\xbf" + fractions.read_bytes())
    assert_holds(open_source(fractions), some.images, [None] * 40)
    inverted = np.hstack([some.labels[:, None], 255 - some.images.reshape(-1, 784)])
    source = open_source(write(tmp_path / "b.csv", ["label", *PIXELS], inverted))
    assert_holds(source, some.images, some.labels.tolist())
    assert "inverted" in source.notes[0]
    quoted = "\n".join(",".join(f'"{value}"' for value in row) for row in inverted.tolist())
    (tmp_path / "c.csv").write_text(quoted)
    assert_holds(open_source(tmp_path / "c.csv"), some.images, some.labels.tolist())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 columns|1 columns"),
        (b"name,label\na.png,3\n", r"has 2 columns \(name, label\).*--labels"),
        (b"label," + b",".join(b"%d" % i for i in range(99)) + b"\n" + b"1," * 99 + b"1\n", "has 100 columns"),
        ((",".join(["1"] * 785) + "\n" + ",".join(["1"] * 700) + "\n").encode(), "cannot be read"),
        ((",".join(["1"] * 785) + "\n" + ",".join(["x"] * 785) + "\n").encode(), "cannot be read.*'x'"),
        ((",".join(["1"] * 787) + "\n").encode(), "has 787 columns"),
        (",".join(PIXELS).encode() + b"\n", "is not a table of images"),
        ((",".join([*PIXELS, "label"]) + "\n" + ",".join(["1"] * 784)).encode(), "785 titles, and its rows have 784"),
        (b"\xff\xfe" + "label,pixel0\n1,2\n".encode("utf-16-le"), "not a table"),
        (b"1," * 600_000, "more than 65,536 characters"),
        (b"\x1f\x8b rubbish", "cannot be read"),
        (bytes(range(256)) * 100, "not a table|cannot be read"),
    ],
)
def test_other_tables_are_one_clear_error(tmp_path, content, words):
    """A label file given as images, damaged rows, other sizes and rubbish end in one sentence with a remedy."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        open_source(path)


def test_a_table_that_would_fill_the_memory_is_one_clear_error(tmp_path, some, monkeypatch):
    """The limit, lowered here from 2 GiB, holds while the rows are read, also from a compressed file."""
    monkeypatch.setattr(tables, "MAX_BYTES", 20_000)
    path = write(tmp_path / "a.csv.gz", [], some.images.reshape(-1, 784))
    with pytest.raises(UsageError, match="unpacks to more than"):
        open_source(path)
