"""`digitmill compare` on two jobs of a real mill."""

import shutil

import pytest

from tests.support.command import CommandLine


@pytest.fixture(scope="module")
def digitmill(mill, tmp_path_factory):
    """Run commands beside the mill of the tests, in a folder of their own."""
    return CommandLine(tmp_path_factory.mktemp("comparing"), mill.stack.url)


@pytest.fixture(scope="module")
def submit(digitmill, digits, png):
    """Write a folder with some digits, from one on, submit it, and return the job."""

    def run(folder, begin=0, *options):
        for index in range(8):
            path = digitmill.folder / folder / str(digits.labels[index]) / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(digits.images[begin + index]))
        return digitmill("submit", folder, *options, "--json", "-q").json["job"]

    return run


def test_two_jobs_on_one_folder_are_compared(digitmill, submit):
    """In the terminal, for programs and as a page, with as many right as the labels say, and without doubts."""
    one, other = submit("scans"), submit("scans", 0, "--model", "baseline")
    printed = digitmill("compare", one, other)
    assert "images    8 in both\nA         8 of 8 labelled images right (100.00 %)" in printed.output
    assert "the same  8 of 8 answers (100.00 %)" in printed.output
    assert printed.errors == ""
    said = digitmill("compare", one, other, "--json", "--out", "changes.html").json
    assert (said["images"], said["agreed"], said["won"], said["a"]["job"]) == (8, 8, 0, one)
    assert (said["a"]["before"], said["report"]) == (None, "changes.html")
    assert one in (digitmill.folder / "changes.html").read_text(encoding="utf-8")


def test_images_that_moved_are_the_same_and_others_of_the_same_names_are_doubted(digitmill, submit):
    """A user reads how images were matched, and whether their content is known to differ."""
    one, folder = submit("first"), digitmill.folder
    shutil.copytree(folder / "first", folder / "second")
    moved = digitmill("compare", one, submit("second"))
    assert "they are matched by their names" in " ".join(moved.errors.split())
    assert "not the same content" not in moved.errors
    shutil.copytree(folder / "first", folder / "deep" / "inside")
    deep = digitmill("submit", "deep", "--labels", "none", "--json", "-q").json["job"]
    turned = digitmill("compare", one, deep, "--json")
    assert "'inside/' in B" in turned.errors
    assert (turned.json["a"]["before"], turned.json["b"]["before"], turned.json["images"]) == ("", "inside/", 8)
    others = digitmill("compare", one, submit("third", 8))
    assert "not the same content" in others.errors


def test_jobs_on_different_images_are_refused(digitmill, submit):
    """With a name of each, so that the user sees why."""
    (digitmill.folder / "other").mkdir()
    shutil.copy(next((digitmill.folder / "scans").rglob("*.png")), digitmill.folder / "other" / "alone.png")
    other = digitmill("submit", "other", "--json", "-q").json["job"]
    refused = " ".join(digitmill("compare", submit("scans"), other, code=2).errors.split())
    assert "'alone.png', …" in refused
    assert ".png', …) has the name of an image of job" in refused
