"""A table of corrections, as the page of a report saves it, has the pictures that a person looked at."""

import re

import numpy as np
import pytest

from model.errors import Failure, UsageError
from producer.report.rendering import data_uri
from producer.sources import open_path_list

TITLES = '"name","label","digit","verdict","path","picture"\n'


@pytest.fixture
def save(tmp_path, digits):
    """Save a table of corrections: for each row an index of a picture or a text, a label, and a path."""

    def write(*rows, name="corrections.csv"):
        lines = [TITLES]
        for picture, label, path in rows:
            text = picture if isinstance(picture, str) else data_uri(digits.images[picture])
            verdict = "corrected" if label != "" else "not a digit"
            lines.append(f'"a",{label},3,"{verdict}","{path}","{text}"\n')
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
        return tmp_path / name

    return write


def read(*tables):
    """Return label and content of each image by name."""
    return {image.name: (image.label, image.content) for image in open_path_list(*tables)}


def test_the_picture_counts_wherever_the_image_is_now(save, digits, tmp_path):
    """The path need not lead anywhere. If it does, the picture that the person looked at counts all the same."""
    (tmp_path / "there.png").write_bytes(b"another image")
    found = read(save((4, 7, "/gone/scan.png"), (5, 2, "there.png"), (6, 0, "job 261125-1/test/00042")))
    assert [(name, label) for name, (label, _) in found.items()] == [
        ("/gone/scan.png", 7),
        ("there.png", 2),
        ("job 261125-1/test/00042", 0),
    ]
    for index, (_, content) in zip((4, 5, 6), found.values(), strict=True):
        np.testing.assert_array_equal(content, digits.images[index])


def test_images_that_are_not_digits_are_left_out_and_counted(save):
    """A note says how many. If no image is a digit, there is nothing to teach."""
    table = save((0, 1, "a.png"), (1, "", "b.png"), (2, "", "c.png"))
    source = open_path_list(table)
    assert [image.name for image in source] == ["a.png"]
    assert source.notes == ("Rows without a label are skipped: 2 of 3. 2 of them are not digits.",)
    with pytest.raises(UsageError, match="No row of"):
        open_path_list(save((1, "", "b.png")))


def test_several_tables_are_one_and_must_not_contradict_each_other(save):
    """The same correction in two files counts once. Another label is refused, with both files."""
    first = save((0, 1, "a.png"), (1, 2, "b.png"))
    second = save((1, 2, "b.png"), (2, 3, "c.png"), name="corrections-2.csv")
    assert {name: label for name, (label, _) in read(first, second).items()} == {"a.png": 1, "b.png": 2, "c.png": 3}
    other = save((1, 9, "b.png"), name="other.csv")
    with pytest.raises(
        UsageError, match=rf"'b.png' has the label 2 in .*{re.escape('corrections.csv')}.* 9 in .*other.csv"
    ):
        open_path_list(first, other)


def test_a_digit_in_one_table_must_not_be_none_in_another(save):
    """In either order. Neither person silently wins."""
    digit, other = save((0, 1, "a.png")), save((0, "", "a.png"), name="other.csv")
    with pytest.raises(UsageError, match=r"'a.png' has the label 1 in .*, and is not a digit in .*other.csv"):
        open_path_list(digit, other)
    with pytest.raises(UsageError, match=r"'a.png' is not a digit in .*, and has the label 1 in"):
        open_path_list(other, digit)


@pytest.mark.parametrize(
    "picture",
    [
        "",
        "data:image/png;base64,!!",
        "data:image/png;base64,QUJD",
        "data:image/png;base64," + "A" * 5000,
        data_uri(np.zeros((28, 56), np.uint8)),
        "http://example.com/a.png",
    ],
)
def test_without_a_valid_picture_the_path_counts(save, tmp_path, picture):
    """The picture may be damaged, of another size, or an address, which nobody opens."""
    (tmp_path / "a.png").write_bytes(b"its content")
    found = read(save((picture, 7, "a.png"), (picture, 8, "gone.png")))
    assert found["a.png"] == (7, b"its content")
    assert isinstance(found["gone.png"][1], Failure)
