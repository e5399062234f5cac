"""Two jobs on the same images: which images are the same, which job reads more, and what the page shows."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import Failure, FailureCode, UsageError
from model.metrics import Interval
from producer.cli.display.comparison import public_comparison
from producer.jobs.results import NONE, FinishedJob, Results
from producer.public.body import to_text
from producer.report.comparison.matching import compare
from producer.report.comparison.page import MAX_PICTURED, pictured, render, write_comparison
from tests.producer.report.invented import Page, info_of
from tests.support.json_schemas import check

# label, then what A and B read; NONE: no label, or no answer
IMAGES = [*[(1, 1, 1)] * 90, *[(2, 7, 2)] * 6, (3, 3, 8), (4, 9, 7), (NONE, 5, 6), (NONE, 5, 5)]


def finished(labels, digits, *, names=None, confidence=0.9):
    """Return a finished job."""
    count = len(labels)
    failures = {row: Failure(FailureCode.BLANK, "It is blank.") for row in range(count) if digits[row] == NONE}
    confidences = np.where(np.array(digits) == NONE, np.nan, confidence).astype(np.float32)
    results = Results(
        names or [f"{row}.png" for row in range(count)],
        np.array(labels, np.int8),
        np.array(digits, np.int8),
        confidences,
        None,
        ["m"] * count,
        failures,
    )
    return FinishedJob(results, info_of(results), None)


@pytest.fixture
def compared():
    """Two jobs, A without the first image, and B in the other order with one image more."""
    labels, a, b = zip(*IMAGES, strict=True)
    names = [f"{row}.png" for row in range(len(IMAGES))]
    one = finished(labels[1:], a[1:], names=names[1:])
    other = finished([NONE, *labels[::-1]], [0, *b[::-1]], names=["new.png", *names[::-1]], confidence=0.7)
    return compare(one, other, 0.8, 0.8)


@pytest.mark.parametrize(
    ("a", "b", "moved"),
    [
        (["1/a.png", "2/a.png"], ["2/a.png", "1/a.png"], None),
        (["1/a.png", "2/a.png"], ["test/2/a.png", "test/1/a.png"], ("", "test/")),
        (["old/1/a.png", "old/2/b.png", "c.png"], ["new/2/b.png", "new/1/a.png"], ("old/", "new/")),
        (["scans.zip/a.png", "more.zip/b.png"], ["a.png"], ("scans.zip/", "")),
        (["old/1a/x.png", "old/2b/x.png"], ["2b/x.png", "1a/x.png", "9a/x.png"], ("old/", "")),
    ],
)
def test_images_of_a_moved_folder_are_matched_by_the_ends_of_their_names(a, b, moved):
    """What stands before the ends is named, so that nobody need guess what was compared."""
    one, other = ([int(name.rpartition(".")[0][-1] == "b") for name in names] for names in (a, b))
    compared = compare(finished(one, one, names=a), finished(other, other, names=b), None, None)
    assert compared.moved == moved
    assert len(compared) == min(len(a), len(b))
    for image in range(len(compared)):
        pair = [side.results.names[int(side.rows[image])] for side in (compared.a, compared.b)]
        assert pair[0].removeprefix((moved or ("", ""))[0]) == pair[1].removeprefix((moved or ("", ""))[1])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["1/a.png", "2/a.png"], ["x/a.png", "y/a.png"]),
        (["a.png"], ["b.png"]),
        (["x/a.png", "y/b.png"], ["v/a.png", "w/b.png"]),
    ],
)
def test_names_that_may_mean_several_images_are_refused(a, b):
    """The message has the spellings of both jobs."""
    one, other = (finished([1] * len(names), [1] * len(names), names=names) for names in (a, b))
    with pytest.raises(UsageError) as refused:
        compare(one, other, None, None)
    assert repr(a[0]) in str(refused.value)
    assert repr(b[0]) in str(refused.value)


def test_files_of_one_name_do_not_take_much_longer_to_match():
    """A folder for each scan, and `page.png` in each: no name may be compared with all others."""

    def seconds(form):
        names = [form.format(row) for row in range(5000)]
        a, b = (finished([1] * 5000, [1] * 5000, names=[place + name for name in names]) for place in ("old/", "new/"))
        began = time.process_time()
        assert compare(a, b, None, None).moved == ("old/", "new/")
        return time.process_time() - began

    assert seconds("{0:05d}/page.png") < 10 * seconds("{0:05d}/{0:05d}.png")


def test_images_are_matched_by_name_and_counted(compared):
    """Those that only one job has are left out of every figure. McNemar's test sees 6 against 1."""
    assert (len(compared), compared.a.alone, compared.b.alone) == (99, 0, 2)
    assert (int(compared.labelled.sum()), compared.correct) == (97, (90, 95))
    assert (len(compared.won), len(compared.lost), len(compared.otherwise)) == (6, 1, 2)
    assert compared.p_value == pytest.approx(2 * (1 + 7) / 2**7)
    assert compared.interval.low < 5 / 97 < compared.interval.high
    assert (len(compared.to_review), len(compared.from_review), compared.contradictory) == (99, 0, 0)
    assert compared.pairs()[0] == (7, 2, 6)


def test_two_equal_jobs_do_not_differ(compared):
    """Nothing changed, and any difference may be chance."""
    same = compare(compared.a.finished, compared.a.finished, 0.8, 0.8)
    assert (same.p_value, same.correct, len(same.won), same.pairs()) == (1.0, (90, 90), 0, [])
    assert Interval(*same.interval).low <= 0 <= same.interval.high
    assert "Nothing: both answer every image in the same way." in Page(render(same, {})).words


def test_names_that_come_twice_are_matched_in_their_order():
    """A job of two folders may have two images of one name."""
    a = finished([1, 2], [1, 2], names=["x.png", "x.png"])
    b = finished([1, 2], [1, 7], names=["x.png", "x.png"])
    assert compare(a, b, None, None).lost.tolist() == [1]


def test_labels_that_contradict_count_for_neither():
    """One job's labels are not better than the other's. A label that only one job has counts for both."""
    compared = compare(finished([1, 2, NONE], [1, 2, 3]), finished([1, 3, 3], [1, 2, 3]), None, None)
    assert (compared.labels, compared.contradictory, compared.correct) == ([1, None, 3], 1, (2, 2))


def test_jobs_without_a_common_image_are_refused():
    """There is nothing to compare."""
    with pytest.raises(UsageError, match="Compare two jobs on the same images"):
        compare(finished([1], [1], names=["a"]), finished([1], [1], names=["b"]), None, None)


def test_an_image_that_only_one_job_answers_has_changed():
    """The failure is an answer like others: both failed is the same."""
    failing = compare(finished([1, 1], [1, NONE]), finished([1, 1], [NONE, NONE]), None, None)
    assert (failing.lost.tolist(), failing.same.tolist(), failing.correct) == ([0], [False, True], (1, 0))
    assert "no answer" in Page(render(failing, {})).text


def test_the_page_shows_pictures_of_what_changed_and_runs_no_script(compared, images):
    """Each image once, at most so many of each kind; those that cannot be read again are named."""
    shown = pictured(compared)
    page = Page(html := render(compared, dict.fromkeys(shown[:5], images.images[0])))
    assert len(shown) == MAX_PICTURED - 1
    assert "+5.15 points" in page.words
    assert "p = 0.12" in page.words.replace("\N{NO-BREAK SPACE}", " ")
    assert "script" not in page.tags
    assert "default-src 'none'" in html
    assert html.count("data:image/png") > 5
    assert "image not available" in page.text


def test_without_labels_the_page_says_how_often_both_agree(compared):
    """And it names no accuracy."""
    a, b = (
        replace(side.finished, results=replace(side.results, labels=np.full(len(side.results), NONE, np.int8)))
        for side in (compared.a, compared.b)
    )
    unlabelled = compare(a, b, None, None)
    page = Page(render(unlabelled, {}))
    assert "90.91 % the same" in page.words.replace("\N{NO-BREAK SPACE}", " ")
    assert "points" not in page.words
    assert public_comparison(unlabelled, Path("x")).difference is None


def test_programs_get_every_changed_image(compared, tmp_path):
    """By its name and the kind of its change; the text fits the schema."""
    body = json.loads(to_text(public_comparison(compared, tmp_path / "page.html")))
    check("compare", body)
    assert (body["won"], body["lost"], body["difference"]) == (6, 1, 5 / 97)
    assert len(body["changed"]) == 99
    assert [each["name"] for each in body["changed"] if each["change"] == "lost"] == ["96.png"]


def test_the_page_replaces_only_itself(compared, tmp_path):
    """The user's own file stays."""
    path = tmp_path / "new" / "page.html"
    for _ in range(2):
        write_comparison(path, compared, {})
    (tmp_path / "mine.html").write_text("<html>", encoding="utf-8")
    with pytest.raises(UsageError, match="`digitmill compare`, which replaces nothing else"):
        write_comparison(tmp_path / "mine.html", compared, {})
