"""The data of the cards has every image that people should look at, and what a person has to know about it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from producer.jobs.results import Numbers
from producer.pictures import Picture
from producer.report.cards import cards as cards_module
from tests.producer.report.invented import invented, unlabelled, with_failures


@pytest.fixture
def data_of(write, tmp_path):
    """Write a report, and return the data of its first page."""

    def read(results, **options):
        options.setdefault("min_confidence", 0.8)
        write(results, **options)
        return data_on(tmp_path / "report" / "report.html")

    return read


def data_on(page):
    """Return the data of a page."""
    html = page.read_text(encoding="utf-8")
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def test_every_mistake_and_every_image_for_review_has_one_card(data_of, results):
    """Mistakes come first, confident ones too, and then the least certain. Causes say why each is there."""
    doubt = Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")
    several = Failure(FailureCode.SEVERAL_DIGITS, "It shows 2 digits.")
    job = with_failures(replace(results, doubts={7: doubt}), {**results.failures, 9: several})
    data = data_of(job)
    found = data["cards"]
    wrong = set(np.flatnonzero((job.digits >= 0) & (job.digits != job.labels)).tolist())
    unsure = set(np.flatnonzero(job.confidences < 0.8).tolist())
    assert len(found["index"]) == len(set(found["index"]))
    assert set(found["index"]) == wrong | unsure | {7, 9}
    assert set(found["index"][: len(wrong)]) == wrong
    causes = dict(zip(found["index"], found["causes"], strict=True))
    assert all(("mistake" in causes[index]) == (index in wrong) for index in causes)
    assert all(("confidence" in causes[index]) == (index in unsure) for index in causes)
    assert ("crossed_out" in causes[7], causes[9]) == (True, ["several_digits"])
    assert set(data["causes"]) == {cause for each in found["causes"] for cause in each}


def test_without_anything_to_look_at_the_least_certain_images_have_cards(data_of, perfect):
    """These are 40 images, the least certain first."""
    found = data_of(unlabelled(perfect), min_confidence=None)["cards"]
    assert len(found["index"]) == 40
    assert found["confidence"] == sorted(found["confidence"])
    assert found["causes"] == [[]] * 40


def test_what_a_card_says_of_its_image_is_what_the_job_knows(data_of, results, images):
    """It has name, label, reading, confidence, probabilities, the network's input, and the original if there is one."""
    shares = tuple(np.linspace(0, 0.18, 10).tolist())

    def read_pictures(indices):
        return {index: Picture(images.images[index], b"webp" if index else None, shares) for index in indices}

    found = data_of(results, read_pictures=read_pictures)["cards"]
    at = found["index"].index(0)
    assert found["name"][at] == results.names[0]
    assert (found["label"][at], found["read"][at]) == (str(results.labels[0]), str(results.digits[0]))
    assert found["pairs"][at] == [f"{results.labels[0]}:{results.digits[0]}"]
    assert found["confidence"][at] == pytest.approx(float(results.confidences[0]), abs=1e-6)
    assert found["probabilities"][at] == pytest.approx(shares, abs=1e-4)
    assert found["seen"][at].startswith("data:image/png;base64,")
    assert found["original"][at] is None
    assert all(each == "data:image/webp;base64,d2VicA==" for index, each in enumerate(found["original"]) if index != at)


def test_names_cannot_end_the_data_and_are_written_as_in_the_tables(data_of, results, hostile):
    """A name of markup stays data. A byte that is not UTF-8 is escaped, and so is what cannot be seen."""
    names = [hostile, "\u202egnp.exe\udce9", *results.names[2:]]
    job = with_failures(replace(results, names=names), {})
    data = data_of(replace(job, confidences=np.full(360, 0.5, np.float32)))
    found = data["cards"]
    assert found["name"][found["index"].index(0)] == hostile
    at = found["index"].index(1)
    assert found["name"][at] == "\u202egnp.exe\\udce9"
    assert data["visible"][str(at)] == "\\u202egnp.exe\\udce9"


def test_numbers_have_the_pairs_of_their_digits(data_of):
    """A number that lost a digit has a pair without a read digit. Numbers cannot be corrected."""
    job = invented([-1, -1], [-1, -1], [0.5, 0.5])
    data = data_of(replace(job, numbers=Numbers.of(["123", "45"], ["13", "46"], [[0.5, 0.9], [0.9, 0.5]])))
    assert data["cards"]["pairs"] == [["1:1", "2:", "3:3"], ["4:4", "5:6"]]
    assert data["cards"]["read"] == ["13", "46"]
    assert data["teachable"] is False


def test_cards_beyond_the_first_page_are_on_linked_pages_that_the_next_report_replaces(
    write, results, tmp_path, monkeypatch
):
    """Each page links to all others. Together they have each card once. A report with fewer cards removes pages."""
    monkeypatch.setattr(cards_module, "PER_PAGE", 100)
    unsure = with_failures(replace(results, confidences=np.full(360, 0.5, np.float32)), {})
    write(unsure, min_confidence=0.8)
    folder = tmp_path / "report"
    pages = ["report.html", *(f"review-{number}.html" for number in (2, 3, 4))]
    found = [data_on(folder / page) for page in pages]
    assert [each["page"] for each in found] == [1, 2, 3, 4]
    assert [len(each["cards"]["index"]) for each in found] == [100, 100, 100, 57]
    assert len({index for each in found for index in each["cards"]["index"]}) == 357
    for here in pages:
        html = (folder / here).read_text(encoding="utf-8")
        assert all(f'<a href="{page}">' in html for page in pages if page != here)
    write(results, min_confidence=0.8)
    assert not list(folder.glob("review-*.html"))


def test_pictures_that_were_not_read_in_time_are_counted_and_a_notice_says_how_to_get_them(write, data_of, results):
    """The cards are there without them."""
    summary, _, report = write(results, read_pictures=dict.fromkeys, min_confidence=0.8)
    assert summary.without_picture == report["without_picture"] > 0
    assert f"digitmill review {summary.job}" in summary.notices[0]
    assert data_of(results, read_pictures=dict.fromkeys)["late"] == summary.without_picture
