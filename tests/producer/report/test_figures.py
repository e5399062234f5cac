"""The figures of a report are true: every image is counted, and an independent count finds the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics

from model.errors import Failure, FailureCode
from producer.jobs.results import NONE, JobInfo, Results, TimelinePoint
from producer.report.series import throughput
from tests.producer.report.invented import first, run_of, unlabelled, with_failures

EMPTY = Results([], np.zeros(0, np.int8), np.zeros(0, np.int8), np.zeros(0, np.float32), None, [], {})
BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on it.")


def test_the_figures_equal_an_independent_count(write, results):
    """scikit-learn, to which a failed image is an eleventh class, finds the same."""
    _, _, report = write(results)
    labels, digits = results.labels, results.digits
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        labels, digits, labels=range(10), zero_division=0
    )
    assert report["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(labels, digits))
    assert report["confusion"] == sklearn.metrics.confusion_matrix(labels, digits, labels=range(10)).tolist()
    assert [row["digit"] for row in report["per_class"]] == list(range(10))
    for name, values in {"precision": precision, "recall": recall, "f1": f1, "support": support}.items():
        assert [row[name] for row in report["per_class"]] == pytest.approx(values.tolist())


def test_every_image_is_counted_and_failed_ones_are_in_the_denominator(write, results):
    """360 labelled images of which 3 failed: the accuracy is of 360, that of the classified of 357."""
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
    assert report == json.loads(json.dumps(summary.as_json()))


def test_the_circumstances_stand_in_the_report(write, results):
    """Job, source, state, start in UTC, speed, versions and workers."""
    _, _, report = write(results, run=run_of(results, state="done with errors"))
    assert report["format"] == 1
    assert (report["job"], report["source"], report["state"]) == ("20250101-abcd", "/data/scans", "done with errors")
    assert report["started"] == "2025-01-01T00:00:00.500Z"
    assert (report["seconds"], report["images_per_second"]) == (2.0, 180.0)
    assert report["model_versions"] == {results.models[0]: 357}
    assert report["workers"] == {"worker@host:1": 180, "worker@host:2": 180}


def test_without_labels_accuracy_is_unknown_and_not_zero(write, results):
    """Nothing is judged; everything else is counted as ever."""
    _, _, report = write(unlabelled(results))
    unknown = ("accuracy", "correct", "accuracy_denominator", "accuracy_interval", "per_class", "confusion", "ece")
    assert {name: report[name] for name in unknown} == dict.fromkeys(unknown)
    assert (report["labelled"], report["classified"], report["failed"]) == (0, 357, 3)
    assert 0 < report["mean_confidence"] < 1


def test_images_without_a_label_are_left_out_of_what_is_judged(write, results):
    """Of a job with 100 labels these 100 are judged, and all 360 counted."""
    labels = results.labels.copy()
    labels[100:] = NONE
    _, _, report = write(replace(results, labels=labels))
    assert (report["labelled"], report["accuracy_denominator"], report["images"]) == (100, 100, 360)
    assert report["correct"] == int((results.labels == results.digits)[:100].sum())


@pytest.mark.parametrize(("labelled", "accuracy"), [(True, 0), (False, None)])
def test_when_all_failed_accuracy_is_zero_or_unknown(write, results, labelled, accuracy):
    """Known digits and no prediction is an accuracy of 0; unknown digits leave it unknown."""
    job = with_failures(first(results, 4), dict.fromkeys(range(4), BLANK))
    _, _, report = write(job if labelled else unlabelled(job))
    assert (report["classified"], report["failed"], report["failures"]) == (0, 4, {"blank": 4})
    assert report["accuracy"] == accuracy
    assert report["accuracy_of_classified"] is None
    assert report["model_versions"] == {}


def test_an_empty_job_invents_no_figure(write):
    """No images, no time: nothing is divided by zero."""
    _, _, report = write(EMPTY, run=JobInfo("j", "/data/none", "done", 0.0, 0.0, [], {}), min_confidence=0.5)
    assert (report["images"], report["accuracy"], report["images_per_second"], report["review"]) == (0, None, None, 0)


def test_several_model_versions_are_each_counted(write, results):
    """A job that followed the live model says how many images each version classified; failed ones count for none."""
    _, _, report = write(replace(results, models=["old"] * 100 + ["new"] * 260))
    assert report["model_versions"] == {"new": 260, "old": 97}


def test_what_is_below_the_threshold_is_counted_and_listed(write, results, tmp_path):
    """The figure is the number of rows in review.csv; without a threshold there is neither, nor an old list."""
    _, _, report = write(results, min_confidence=0.9)
    assert report["review"] == int((results.confidences < 0.9).sum()) > 0
    assert report["min_confidence"] == 0.9
    review = tmp_path / "report" / "review.csv"
    assert len(review.read_text(encoding="utf-8").splitlines()) == 1 + report["review"]
    _, _, report = write(results)
    assert report["review"] is None
    assert not review.exists()


def test_what_is_not_for_review_is_judged_by_itself(write, results):
    """How far the rest can be trusted: its accuracy, as an independent count finds it, and of how many."""
    _, _, report = write(results, min_confidence=0.9)
    certain = results.confidences >= 0.9  # a failed image has none
    assert report["accuracy_of_certain_denominator"] == certain.sum() == report["classified"] - report["review"]
    assert report["accuracy_of_certain"] == pytest.approx((results.labels == results.digits)[certain].mean())
    _, _, report = write(unlabelled(results), min_confidence=0.9)
    assert (report["accuracy_of_certain"], report["accuracy_of_certain_denominator"]) == (None, None)


def test_the_throughput_adds_up_to_all_images():
    """Rates times durations give the images of the job, also where the clock was set back or the job resumed."""
    timeline = [
        TimelinePoint(1, 10),
        TimelinePoint(2, 500),
        TimelinePoint(1.5, 400),
        *(TimelinePoint(60 + i, 600 + i) for i in range(40)),
    ]
    course = throughput(timeline, 120.0)
    assert (course.rates >= 0).all()
    assert (course.rates * np.diff(course.edges)).sum() == pytest.approx(639)
    assert course.edges[-1] == 120
