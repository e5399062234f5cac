"""The figures of a report are true: they count every image, and an independent count agrees."""

import json
import statistics
from dataclasses import replace

import numpy as np
import pytest

from model.errors import Failure, FailureCode
from producer.jobs.results import NONE, JobInfo, Results, TimelinePoint
from producer.report.charts.series import throughput
from tests.producer.report.invented import first, info_of, unlabelled, with_failures

EMPTY = Results([], np.zeros(0, np.int8), np.zeros(0, np.int8), np.zeros(0, np.float32), None, [], {})
BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on it.")


def test_the_figures_equal_an_independent_count(write, results):
    """Counting image by image gives the same accuracy, confusion matrix, precision, recall and F1."""
    _, _, report = write(results)
    images = list(zip(results.labels.tolist(), results.digits.tolist(), strict=True))
    assert report["accuracy"] == pytest.approx(statistics.mean(true == found for true, found in images))
    assert report["confusion"] == [[images.count((true, found)) for found in range(10)] for true in range(10)]
    assert [row["digit"] for row in report["per_class"]] == list(range(10))
    for row in report["per_class"]:
        precision = statistics.mean(true == row["digit"] for true, found in images if found == row["digit"])
        recall = statistics.mean(found == row["digit"] for true, found in images if true == row["digit"])
        assert (row["precision"], row["recall"]) == pytest.approx((precision, recall))
        assert row["f1"] == pytest.approx(statistics.harmonic_mean([precision, recall]))
        assert row["support"] == [true for true, _ in images].count(row["digit"])


def test_every_image_is_counted_and_failed_ones_are_in_the_denominator(write, results):
    """Of 360 labelled images 3 failed. The accuracy counts all 360; the accuracy of the classified counts 357."""
    summary, _, report = write(results)
    assert (report["images"], report["classified"], report["failed"]) == (360, 357, 3)
    assert report["failures"] == {"blank": 2, "broken": 1}
    correct = int((results.labels == results.digits).sum())
    assert report["correct"] == correct
    assert (report["accuracy"], report["accuracy_denominator"]) == (correct / 360, 360)
    assert (report["accuracy_of_classified"], report["accuracy_of_classified_denominator"]) == (correct / 357, 357)
    low, high = report["accuracy_interval"]
    assert low < report["accuracy"] < high
    assert sum(map(sum, report["confusion"])) + report["failed"] == report["images"]
    files = report.pop("files")
    assert files.keys() == {"errors.csv", "predictions.csv", "report.html", "report.json"}
    assert report == json.loads(json.dumps(summary.as_json()))


def test_the_circumstances_stand_in_the_report(write, results):
    """report.json has job, source, state, start in UTC, speed, versions and workers."""
    _, _, report = write(results, info=info_of(results, state="done with errors"))
    assert report["format"] == 2
    assert (report["job"], report["source"], report["state"]) == ("20250101-abcd", "/data/scans", "done with errors")
    assert report["started"] == "2025-01-01T00:00:00.500Z"
    assert (report["seconds"], report["images_per_second"]) == (2.0, 180.0)
    assert report["models"] == {results.models[0]: 357}
    assert report["workers"] == {"worker@host:1": 180, "worker@host:2": 180}


def test_without_labels_accuracy_is_unknown_and_not_zero(write, results):
    """Figures that need labels are null. All others are counted."""
    _, _, report = write(unlabelled(results))
    unknown = (
        "accuracy",
        "correct",
        "accuracy_denominator",
        "accuracy_interval",
        "per_class",
        "confusion",
        "calibration_error",
    )
    assert {name: report[name] for name in unknown} == dict.fromkeys(unknown)
    assert (report["labelled"], report["classified"], report["failed"]) == (0, 357, 3)
    assert 0 < report["mean_confidence"] < 1


def test_images_without_a_label_are_left_out_of_what_is_judged(write, results):
    """In a job of 360 images with 100 labels, 100 images are judged and 360 are counted."""
    labels = results.labels.copy()
    labels[100:] = NONE
    _, _, report = write(replace(results, labels=labels))
    assert (report["labelled"], report["accuracy_denominator"], report["images"]) == (100, 100, 360)
    assert report["correct"] == int((results.labels == results.digits)[:100].sum())


@pytest.mark.parametrize(("labelled", "accuracy"), [(True, 0), (False, None)])
def test_when_all_failed_accuracy_is_zero_or_unknown(write, results, labelled, accuracy):
    """With labels but no predictions the accuracy is 0. Without labels it is unknown."""
    job = with_failures(first(results, 4), dict.fromkeys(range(4), BLANK))
    _, _, report = write(job if labelled else unlabelled(job))
    assert (report["classified"], report["failed"], report["failures"]) == (0, 4, {"blank": 4})
    assert report["accuracy"] == accuracy
    assert report["accuracy_of_classified"] is None
    assert report["models"] == {}


def test_an_empty_job_invents_no_figure(write):
    """Without images and without time, rates and shares are null, and nothing is divided by zero."""
    _, _, report = write(EMPTY, info=JobInfo("j", "/data/none", "done", 0.0, 0.0, [], {}), min_confidence=0.5)
    assert (report["images"], report["accuracy"], report["images_per_second"], report["review"]) == (0, None, None, 0)


def test_several_model_versions_are_each_counted(write, results):
    """The report counts the images that each version classified. Failed images count for no version."""
    _, _, report = write(replace(results, models=["old"] * 100 + ["new"] * 260))
    assert report["models"] == {"new": 260, "old": 97}


def test_what_is_below_the_threshold_is_counted_and_listed(write, results, tmp_path):
    """`review` is the number of rows in review.csv. Without a threshold it is null, and the old file is deleted."""
    _, _, report = write(results, min_confidence=0.9)
    assert report["review"] == int((results.confidences < 0.9).sum()) > 0
    assert report["min_confidence"] == 0.9
    review = tmp_path / "report" / "review.csv"
    assert len(review.read_text(encoding="utf-8").splitlines()) == 1 + report["review"]
    _, _, report = write(results)
    assert report["review"] is None
    assert not review.exists()


def test_what_is_not_for_review_is_judged_by_itself(write, results):
    """Images that need no review have an accuracy of their own, and an independent count agrees with it."""
    _, _, report = write(results, min_confidence=0.9)
    certain = results.confidences >= 0.9  # a failed image has no confidence
    assert report["accuracy_of_certain_denominator"] == certain.sum() == report["classified"] - report["review"]
    assert report["accuracy_of_certain"] == pytest.approx((results.labels == results.digits)[certain].mean())
    _, _, report = write(unlabelled(results), min_confidence=0.9)
    assert (report["accuracy_of_certain"], report["accuracy_of_certain_denominator"]) == (None, None)


def test_the_throughput_adds_up_to_all_images():
    """Rates times durations give the number of images, even if the clock was set back or the job was resumed."""
    timeline = [
        TimelinePoint(1, 10),
        TimelinePoint(2, 500),
        TimelinePoint(1.5, 400),
        *(TimelinePoint(60 + i, 600 + i) for i in range(40)),
    ]
    course = throughput(timeline, 120.0)
    assert course
    assert (course.rates >= 0).all()
    assert (course.rates * np.diff(course.edges)).sum() == pytest.approx(639)
    assert course.edges[-1] == 120
