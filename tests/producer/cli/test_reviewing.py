"""`digitmill review` opens the page of a job with all pictures, and writes it if it is not there."""

import json
import re
import shutil

import numpy as np
import pytest

from tests.support.command import CommandLine


@pytest.fixture(scope="module")
def digitmill(mill, tmp_path_factory):
    """Run commands beside the mill of the tests, in a folder of their own."""
    return CommandLine(tmp_path_factory.mktemp("reviewing"), mill.stack.url)


@pytest.fixture(scope="module")
def scans(digitmill, digits, png):
    """Submit 30 images, of which 6 have a wrong label. Return the job."""
    for index in range(30):
        label = int(digits.labels[index]) if index >= 6 else (int(digits.labels[index]) + 1) % 10
        place = digitmill.folder / "scans" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{index}.png").write_bytes(png(255 - np.kron(digits.images[index], np.ones((4, 4), np.uint8))))
    return digitmill("submit", "scans", "--json").json["job"]


def cards_of(path):
    """Return the cards on a page."""
    html = path.read_text(encoding="utf-8")
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)["cards"]


def test_the_report_of_submit_has_originals_and_the_probabilities_that_the_workers_say(digitmill, scans):
    """The job did not ask for probabilities, so the running mill is asked for those of the cards."""
    cards = cards_of(digitmill.folder / "reports" / scans / "report.html")
    assert len(cards["index"]) >= 6
    assert all(each.startswith("data:image/webp;base64,") for each in cards["original"])
    for shares, read, confidence in zip(cards["probabilities"], cards["read"], cards["confidence"], strict=True):
        assert sum(shares) == pytest.approx(1, abs=0.01)
        assert shares[int(read)] == pytest.approx(confidence, abs=0.02)


def test_review_writes_the_page_if_it_is_not_there_and_keeps_one_that_is(digitmill, scans):
    """It prints the path. A second review changes nothing."""
    page = digitmill.folder / "elsewhere" / "report.html"
    printed = digitmill("review", scans, "--no-open", "--out", "elsewhere")
    assert printed.output == f"{page}\n"
    assert len(cards_of(page)["index"]) >= 6
    written = page.stat().st_mtime_ns
    said = digitmill("review", "last", "--json", "--out", "elsewhere").json
    assert said == {"format": 1, "job": scans, "report": str(page)}
    assert page.stat().st_mtime_ns == written


def test_a_page_with_pictures_stays_when_the_images_are_gone(digitmill, scans, tmp_path):
    """Without a page, one without pictures is written, and a notice says so."""
    folder = digitmill.folder / "reports" / scans
    before = (folder / "report.html").read_bytes()
    shutil.move(digitmill.folder / "scans", tmp_path / "scans")
    try:
        assert digitmill("review", scans, "--no-open").errors == ""
        printed = digitmill("review", scans, "--no-open", "--out", "bare")
        assert "some pictures are missing" in printed.errors
        assert cards_of(digitmill.folder / "bare" / "report.html")["seen"] == [None] * len(
            cards_of(folder / "report.html")["seen"]
        )
        assert (folder / "report.html").read_bytes() == before
    finally:
        shutil.move(tmp_path / "scans", digitmill.folder / "scans")
    digitmill("review", scans, "--no-open", "--out", "bare")
    assert None not in cards_of(digitmill.folder / "bare" / "report.html")["seen"]


@pytest.mark.usefixtures("scans")
def test_without_labels_what_was_read_comes_first(digitmill):
    """The terminal shows how often each digit was read, and with which confidence, and report.json has it."""
    printed = digitmill("submit", "scans", "--labels", "none")
    lines = [re.split(r"\s{2,}", line) for line in printed.output.splitlines()]
    header = next(number for number, line in enumerate(lines) if line[0] == "read as")
    assert header < next(number for number, line in enumerate(lines) if line[0] == "review")
    counts, confidences = lines[header + 1 : header + 3]
    assert (counts[0], sum(map(int, counts[1:]))) == ("images", 30)
    assert confidences[0] == "confidence"
    last = digitmill("report", "last", "--out", "unlabelled", "--json").json
    assert [each["images"] for each in last["digits_read"]] == [*map(int, counts[1:])]
    page = (digitmill.folder / "unlabelled" / "report.html").read_text(encoding="utf-8")
    assert page.index("What was read") < page.index("Look and correct")
