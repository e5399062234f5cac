"""The page needs no other file, says what is known and what is not, and is safe whatever the names of the files."""

import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model.cards.card import Robustness, Score, Scores, Seeded, Size, ThresholdEffect
from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from producer.jobs.results import NONE, JobInfo
from producer.pictures import Picture
from producer.report.cards.script import page_script
from producer.report.page import MAX_FAILURES
from producer.report.rendering import source_hash
from producer.report.selection import MAX_LEAST_CERTAIN, MAX_MISTAKES
from tests.producer.report.invented import first, info_of, invented, unlabelled, with_failures

BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on it.")


def test_the_top_states_accuracy_interval_and_denominator(write, results):
    """The top of the page says how many images the accuracy counts, and how many failed."""
    summary, page, _ = write(results)
    assert f"{100 * summary.accuracy:.2f} % right" in page.words
    assert f"{summary.correct} of 360 labelled images are classified correctly" in page.words
    low, high = summary.accuracy_interval
    assert f"{100 * low:.2f} % to {100 * high:.2f} % (Wilson)" in page.words
    assert "3 of them failed and count as wrong. Of the 357 that could be classified" in page.words


def test_each_row_of_the_confusion_matrix_adds_up(write, results):
    """A row has the true digit, ten counts, the failed images and the sum. The sums add up to all images."""
    _, page, report = write(results)
    rows = [[int(cell) for cell in row] for row in page.rows if len(row) == 13 and row[0] != "true"]
    assert [row[0] for row in rows] == list(range(10))
    assert [row[1:11] for row in rows] == report["confusion"]
    assert all(sum(row[1:12]) == row[12] for row in rows)
    assert sum(row[12] for row in rows) == 360


def test_every_failed_image_is_named_with_its_reason(write, results):
    """A row has name, label and sentence. The most frequent cause comes first, with the number of its images."""
    _, page, _ = write(results)
    rows = [row for row in page.rows if len(row) == 3 and row[0] != "image"]
    assert rows == [
        [results.names[index], str(results.labels[index]), results.failures[index].sentence] for index in (5, 18, 17)
    ]
    assert "blank: 2 images" in page.words
    assert "broken: 1 image" in page.words


def test_the_page_needs_nothing_but_itself(write, results):
    """All addresses are embedded pictures. A policy forbids all but its own style sheet and script, by their hashes."""
    _, page, _ = write(results)
    assert not {"link", "iframe", "object", "embed", "base", "form", "audio", "video", "a"} & set(page.tags)
    addresses = page.values("src", "href", "srcset", "xlink:href", "action", "data", "poster")
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert "color-scheme" in page.style
    for fetching in ("@import", "url(", "http"):
        assert fetching not in page.style
    script = page_script()
    assert script in page.script
    for sending in ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "import(", "eval(", "innerHTML"):
        assert sending not in script
    policy = f"default-src 'none'; img-src data:; style-src {source_hash(page.style)}; script-src {source_hash(script)}"
    assert policy in page.values("content")


def test_a_hostile_name_is_shown_and_does_nothing(write, results, hostile):
    """A name made of markup and template code appears on the page as text."""
    _, page, _ = write(results)
    assert hostile in page.text
    assert "onerror" not in dict(page.attributes)


def test_what_cannot_be_seen_in_a_name_is_escaped(write, results):
    """A name that ends in .exe cannot use a mark that turns the direction of writing to look like a .png."""
    names = ["\u202egnp.exe\n\udce9", *results.names[1:]]
    _, page, _ = write(replace(results, names=names))
    assert r"\u202egnp.exe\n\udce9" in page.text
    assert "\u202e" not in page.text


def test_mistakes_are_drawn_as_the_network_saw_them(write, results, images):
    """The first picture of the page shows the most confident mistake, pixel for pixel."""
    _, page, _ = write(results)
    wrong = [index for index in range(360) if results.digits[index] not in (NONE, results.labels[index])]
    worst = max(wrong, key=lambda index: results.confidences[index])
    content = b64decode(page.values("src")[0].removeprefix("data:image/png;base64,"))
    with Image.open(BytesIO(content)) as drawn:
        np.testing.assert_array_equal(np.asarray(drawn), images.images[worst])
    assert page.values("alt")[0] == f"a {results.labels[worst]}, read as {results.digits[worst]}"


def test_few_pictures_are_asked_for_however_many_the_mistakes(write, images):
    """Without its script, the page shows 200 of 2,001 mistakes. Each page asks for its images in one call."""
    calls = []

    def read_pictures(indices):
        calls.append(list(indices))
        return {index: Picture(images.images[index % 360]) for index in indices}

    _, page, _ = write(invented([0] * 2001, [1] * 2001, np.linspace(0.2, 0.9, 2001)), read_pictures=read_pictures)
    assert "These are 200 of 2,001" in page.words
    write(invented([0] * 20, [1] * 20, [0.5] * 20), read_pictures=read_pictures)  # each is a mistake, and uncertain
    first, second, few = calls
    assert first[: MAX_MISTAKES + MAX_LEAST_CERTAIN] == [*range(2000, 1800, -1), *range(40)]
    assert sorted(first) == list(range(2001))  # the least certain image is also on the second page
    assert second == [0]
    assert sorted(few) == list(range(20))


def test_few_failures_are_listed_however_many_there_are(write):
    """Of 500 failed images the page lists the first 200 and says where the others are."""
    job = with_failures(invented([0] * 600, [0] * 600, [0.9] * 600), dict.fromkeys(range(500), BLANK))
    _, page, _ = write(job, read_pictures=lambda _: {})
    assert len([row for row in page.rows if BLANK.sentence in row]) == MAX_FAILURES
    assert "blank: 500 images" in page.words
    assert "197 more of 497" in page.words


def test_an_image_whose_source_is_gone_is_still_listed(write, results):
    """The page says that it is not available, and gives its name, its label and its digit."""
    _, page, _ = write(results, read_pictures=lambda _: {})
    assert "img" not in page.tags
    assert "image not available" in page.words
    assert f"{results.labels[0]} → {results.digits[0]}" in page.words
    assert "box 0/0.png" in page.words


def test_without_labels_the_page_speaks_of_counts(write, results):
    """Sections that need labels are absent. The least certain images are there."""
    _, page, _ = write(unlabelled(results))
    assert "357 images classified" in page.words
    assert "so it is not known how many are right" in page.words
    for section in ("Confusion matrix", "Mistakes", "Expected calibration error", "Accuracy by confidence"):
        assert section not in page.words
    assert "Least certain" in page.words


def test_images_without_a_label_are_said_to_be_left_out(write, results):
    """In a job of 360 images with 100 labels, the page says that 260 images are not judged."""
    labels = results.labels.copy()
    labels[100:] = NONE
    _, page, _ = write(replace(results, labels=labels))
    assert "260 images without a label are left out of these figures" in page.words


def test_when_all_failed_the_page_says_so(write, results):
    """With labels the accuracy is 0 %. Without labels the heading says that no image could be classified."""
    job = with_failures(first(results, 4), dict.fromkeys(range(4), BLANK))
    _, page, _ = write(job)
    assert "0 % right" in page.words
    assert "All of them failed and count as wrong." in page.words
    _, page, _ = write(unlabelled(job))
    assert "No image could be classified" in page.words


@pytest.mark.parametrize("labelled", [True, False])
def test_what_a_person_should_look_at_is_drawn_and_explained(write, results, labelled):
    """Five images to review are all drawn. Of many, the 40 least certain are drawn. Each one is marked."""
    job = results if labelled else unlabelled(results)
    few = float(np.sort(results.confidences)[5])  # failed images are NaN, which NumPy sorts last
    for threshold, drawn in ((few, 5), (0.99, 40)):
        summary, page, _ = write(job, min_confidence=threshold)
        assert f"{summary.review} images have a confidence below" in page.words
        tiles = page.values("class").count("doubted") - 1  # the figure at the top is marked too
        wrong = int(((results.digits != results.labels) & (results.confidences < threshold)).sum())
        assert tiles == drawn + labelled * wrong
        assert ("labelled images that were classified, " in page.words) == labelled
        assert not re.search(r"[a-z]\.[A-Z]", page.words), "a blank is missing between two sentences"


def test_images_of_several_digits_are_drawn_and_listed_for_review(write, results):
    """Each has a picture of its digits side by side, and counts as for review and as failed."""
    several = Failure(FailureCode.SEVERAL_DIGITS, "The image shows 3 digits. Cut it up.")
    job = with_failures(unlabelled(results), {2: several, 9: several})
    summary, page, report = write(
        job,
        min_confidence=1e-6,
        read_pictures=lambda indices: {
            index: Picture(np.zeros((28, 84 if index in (2, 9) else 28), np.uint8)) for index in indices
        },
    )
    assert (report["review"], report["failures"], summary.unsure) == (2, {"several_digits": 2}, 0)
    assert "2 images show several digits" in page.words
    assert "review.csv lists them as well" in page.words
    assert page.values("alt").count(several.sentence) == 2
    assert "so no other image needs review" in page.words
    _, page, _ = write(job)
    assert "2 images show several digits" in page.words
    assert "review" not in page.words


def test_a_doubted_image_is_drawn_first_with_the_reason(write, results):
    """It is for review although its confidence is high, and nothing else is."""
    doubt = Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")
    job = replace(unlabelled(results), doubts={7: doubt})
    summary, page, report = write(job, min_confidence=1e-6)
    assert (report["review"], report["review_reasons"], summary.unsure) == (1, {"crossed_out": 1}, 0)
    assert "1 image was crossed out. A person should look at it." in page.words
    assert "looks crossed out" in page.words
    assert "have a confidence below" not in page.words
    _, page, report = write(job)
    assert (report["review"], report["review_reasons"]) == (None, {})
    assert "crossed out" not in page.words


def test_a_job_without_images_to_review_says_so(write, results):
    """The page still shows the least certain images. Without a threshold it does not mention review."""
    _, page, _ = write(results, min_confidence=1e-6)
    assert "No confidence is below" in page.words
    _, page, _ = write(results)
    assert "review" not in page.words


def test_an_empty_job_is_said_to_be_empty(write, results):
    """The page says that the job held no images, and it has no table."""
    _, page, _ = write(first(results, 0), info=JobInfo("j", "/data/none", "done", 0.0, 0.0, [], {}))
    assert "The job held no images" in page.words
    assert page.rows == []


def test_a_job_without_mistakes_says_so(write, perfect):
    """The accuracy is 100 %, and its interval begins below 99 %."""
    summary, page, _ = write(perfect)
    assert "100 % right" in page.words
    assert summary.accuracy_interval.low < 0.99
    assert "None. All labelled images that could be classified are right." in page.words


def test_one_mistake_in_very_many_is_not_rounded_to_perfection(write):
    """With one mistake in 200,000 images the page says 99.999 %, not 100.00 %."""
    digits = np.zeros(200_000, np.int8)
    digits[0] = 1
    _, page, _ = write(invented(np.zeros(200_000), digits, np.full(200_000, 0.99)), read_pictures=lambda _: {})
    assert "99.999 % right" in page.words
    assert "100.00" not in page.words


@pytest.mark.parametrize(("state", "said"), [("cancelled", "ended as cancelled"), ("running", "was still running")])
def test_the_page_says_when_a_job_is_not_done(write, results, state, said):
    """A reader must not take the figures of a part for those of the whole job."""
    _, page, _ = write(results, info=info_of(results, state=state))
    assert said in page.words
    _, page, _ = write(results)
    assert said not in page.words


def test_no_text_is_a_missing_number(write, results, card):
    """NaN, None and infinity appear nowhere on the page, whatever is unknown."""
    for job in (results, unlabelled(results), first(results, 1), first(results, 0)):
        for known in (card, None):
            _, page, _ = write(job, card=known, min_confidence=0.9)
            words = set(page.text.replace("(", " ").replace(")", " ").split())
            assert not words & {"nan", "NaN", "None", "inf", "-inf"}
            assert not any("nan" in value for value in page.values("x", "y", "height", "points", "cx", "cy", "r"))


def test_the_models_card_is_on_the_page(write, results, card):
    """The page has its version, its accuracy on the test set and the number of training images."""
    _, page, _ = write(results)
    assert card.version in page.words
    assert f"{card.data.train:,} images ({card.data.name})" in page.words
    assert f"of {card.test.int8.total:,} images" in page.words


def test_the_limits_that_a_card_names_are_on_the_page(write, results, card):
    """These are accuracy on corrupted images, images that are not digits, other seeds, size, and forbidden uses."""

    def score(correct):
        return Score.of(correct, 100)

    described = replace(
        card,
        robustness=Robustness(0, {}, {"jpeg": score(98), "stray_line": score(86)}),
        doubts=[ThresholdEffect(at, score(passed), score(2), None) for at, passed in ((0.5, 6), (0.8, 1))],
        seeds=[Seeded(seed, Scores(score(90), score(right))) for seed, right in ((1, 94), (2, 97))],
        size=Size(225034, 235048),
        not_for=["Letters & <b>signs</b>."],
    )
    _, page, _ = write(results, card=described)
    assert (
        "92.00 % on average over 2 kinds of corruption, lowest 86.00 % (stray line), 100 images of each kind"
        in page.words
    )
    assert "6.00 % at a confidence of 50 % or more, 1.00 % at a confidence of 80 % or more, of 100 images" in page.words
    assert "Mean test accuracy over 2 seeds: 95.50 %" in page.words
    assert "225,034 parameters, 235,048 bytes" in page.words
    assert "must not be used for Letters & <b>signs</b>." in page.words


def test_the_page_leaves_out_what_an_old_card_does_not_say(write, results, card):
    """Fields that the card lacks have no line on the page. Neither has a card without any corruptions."""
    old = replace(card, doubts=[], seeds=[], size=None, not_for=[], robustness=None)
    for known in (old, replace(old, robustness=Robustness(0, {}, {}))):
        _, page, _ = write(results, card=known)
        assert card.version in page.words
        for limit in ("corrupt", "taken for a digit", "seeds", "parameters", "must not"):
            assert limit not in page.words


def test_without_a_card_the_page_names_the_version(write, results):
    """It says that the card is not available. The rest of the report is complete."""
    _, page, _ = write(results, card=None)
    assert "Its card is not available" in page.words
    assert results.models[0] in page.words


def test_several_versions_are_named(write, results):
    """If the live model changed during the job, the page says how many images each version classified."""
    _, page, _ = write(replace(results, models=["old"] * 100 + ["new"] * 260), card=None)
    assert "new classified 260 images, old classified 97 images" in page.words
