"""Globs of --include and --exclude, and the names of images."""

import pytest

from producer.sources.naming import Selection, is_image


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("*.png", ["a.png", "3/a.png", "x/y/a.png", "a.png/b.jpg"], ["a.PNG", "a.jpg"]),
        ("rejected", ["rejected/a.png", "x/rejected/y/a.png"], ["rejected.png", "x/rejected2/a.png"]),
        ("rejected/", ["rejected/a.png", "x/rejected/y/a.png"], ["rejected.png"]),
        ("[0-4]", ["3/a.png", "x/0/a.png"], ["5/a.png", "34/a.png"]),
        ("[!0-4]", ["5/a.png"], ["3/aa.png"]),
        ("IMG_00??.jpg", ["IMG_0012.jpg", "x/IMG_0012.jpg"], ["IMG_012.jpg", "IMG_00/2.jpg"]),
        ("3/*.png", ["3/a.png"], ["x/3/a.png", "3/x/a.png", "3/a.jpg"]),
        ("/3/*.png", ["3/a.png"], ["x/3/a.png"]),
        ("**/3/*.png", ["3/a.png", "x/3/a.png", "x/y/3/a.png"], ["3/x/a.png"]),
        ("raw/**", ["raw/a.png", "raw/x/y/a.png"], ["x/raw/a.png"]),
        ("raw/x/", ["raw/x/a.png", "raw/x/y/a.png"], ["x/raw/x/a.png", "raw/a.png"]),
        ("a/**/b/**/*.png", ["a/b/c.png", "a/x/y/b/z/c.png"], ["b/a/c.png", "a/c.png"]),
        ("**", ["a.png", "x/y.png"], []),
        ("a\nb.png", ["a\nb.png"], ["a", "b.png"]),
    ],
)
def test_globs_choose_by_parts_of_the_name(glob, matching, others):
    """`*` stays within one part, and `**` crosses parts. A glob without a slash matches any part."""
    chosen, left_out = Selection(include=[glob]), Selection(exclude=[glob])
    assert [name for name in matching + others if chosen.takes(name)] == matching
    assert [name for name in matching + others if left_out.takes(name)] == others


def test_exclude_goes_before_include():
    """An image that matches both an include and an exclude is left out."""
    selection = Selection(include=["*.png", "*.jpg"], exclude=["3", "draft*"])
    names = ["a.png", "b.jpg", "c.gif", "3/d.png", "draft1.png"]
    assert [name for name in names if selection.takes(name)] == ["a.png", "b.jpg"]


def test_without_globs_everything_is_taken():
    """A selection without globs takes any name."""
    assert Selection().takes("a/b")


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.b.Jpeg", "a.bmp", "a.gif", "a.tif", "a.tiff", "a.webp"])
def test_the_extension_makes_a_file_an_image(name):
    """Upper and lower case are the same."""
    assert is_image(name)


@pytest.mark.parametrize("name", ["png", "a.png.txt", "a.png~", "a.", "", "a.svg", "apng"])
def test_other_files_are_not_images(name):
    """Only the extension counts. Ending with the same letters is not enough."""
    assert not is_image(name)
