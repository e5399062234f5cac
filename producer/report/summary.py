"""The figures of a report: what stands in `report.json`, and what a caller prints."""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import isnan
from typing import Any, Final

from model import metrics
from model.metrics import ClassScore, Interval
from producer.jobs.results import NONE, JobInfo, Results
from producer.report.selection import doubted

FORMAT: Final = 1
"""Of report.json. Keys may be added; a key that changes its meaning or goes needs a new number."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A job in figures. Shares are 0 to 1; what cannot be known, for want of labels or images, is None.

    Attributes:
        job: its id.
        source: what was submitted, in words.
        state: how it ended.
        started: ISO 8601, UTC.
        seconds: from the first image packed to the last answer kept.
        images: all of them. `classified` + `failed`.
        classified: images with a prediction.
        failed: images without one.
        failures: how many failed, by code, most frequent first.
        labelled: images whose true digit is known, failed ones included.
        correct: labelled images predicted right.
        accuracy: `correct` / `accuracy_denominator`.
        accuracy_denominator: every labelled image: one that failed counts as wrong.
        accuracy_interval: Wilson's 95 % interval of `accuracy`.
        accuracy_of_classified: `correct` / `accuracy_of_classified_denominator`.
        accuracy_of_classified_denominator: the labelled images that have a prediction.
        per_class: precision, recall, F1 and support of the digits 0 to 9.
        confusion: 10 by 10; row: true digit, column: predicted. Failed images have no column, hence are not in it.
        ece: expected calibration error, 15 bins.
        mean_confidence: over the classified images.
        min_confidence: below it an image is to be reviewed; None if none is.
        review: how many are to be reviewed.
        accuracy_of_certain: the share right of `accuracy_of_certain_denominator`.
        accuracy_of_certain_denominator: the labelled images that have a prediction and are not to be reviewed.
        model_versions: how many images each version classified, most first.
        images_per_second: `images` / `seconds`.
        workers: images answered per worker process, most first.
        notices: what the caller should tell the user about the writing of the report; not part of `report.json`.
    """

    job: str
    source: str
    state: str
    started: str
    seconds: float
    images: int
    classified: int
    failed: int
    failures: dict[str, int]
    labelled: int
    correct: int | None
    accuracy: float | None
    accuracy_denominator: int | None
    accuracy_interval: Interval | None
    accuracy_of_classified: float | None
    accuracy_of_classified_denominator: int | None
    per_class: list[ClassScore] | None
    confusion: list[list[int]] | None
    ece: float | None
    mean_confidence: float | None
    min_confidence: float | None
    review: int | None
    accuracy_of_certain: float | None
    accuracy_of_certain_denominator: int | None
    model_versions: dict[str, int]
    images_per_second: float | None
    workers: dict[str, int]
    notices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the content of `report.json`: plain values, without NaN."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        del values["notices"]
        if self.per_class is not None:
            values["per_class"] = [{"digit": digit, **score._asdict()} for digit, score in enumerate(self.per_class)]
        return {"format": FORMAT, **values}


def summarise(results: Results, run: JobInfo, *, min_confidence: float | None = None) -> Summary:
    """Count and judge every image of a job; `min_confidence`, 0 to 1, is where review begins."""
    labels, digits, confidences = results.labels, results.digits, results.confidences
    classified = digits != NONE
    labelled = int((labels != NONE).sum())
    labelled_classified = int(((labels != NONE) & classified).sum())
    correct = int(((labels == digits) & classified).sum())
    review = doubted(results, min_confidence)
    certain = (labels != NONE) & classified & ~review
    versions = Counter(version for version, answered in zip(results.models, classified, strict=True) if answered)
    return Summary(
        job=run.job,
        source=run.source,
        state=run.state,
        started=datetime.fromtimestamp(run.started, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        seconds=run.seconds,
        images=len(results),
        classified=int(classified.sum()),
        failed=len(results.failures),
        failures=_most_first(Counter(str(failure.code) for failure in results.failures.values())),
        labelled=labelled,
        correct=correct if labelled else None,
        accuracy=_known(metrics.accuracy(labels, digits)),
        accuracy_denominator=labelled or None,
        accuracy_interval=metrics.wilson(correct, labelled) if labelled else None,
        accuracy_of_classified=correct / labelled_classified if labelled_classified else None,
        accuracy_of_classified_denominator=labelled_classified if labelled else None,
        per_class=metrics.per_class(labels, digits) if labelled else None,
        confusion=metrics.confusion(labels, digits).tolist() if labelled else None,
        ece=_known(metrics.expected_calibration_error(labels, digits, confidences)),
        mean_confidence=float(confidences[classified].mean(dtype="float64")) if classified.any() else None,
        min_confidence=min_confidence,
        review=None if min_confidence is None else int(review.sum()),
        accuracy_of_certain=_known(metrics.accuracy(labels[certain], digits[certain])),
        accuracy_of_certain_denominator=int(certain.sum()) if labelled else None,
        model_versions=_most_first(versions),
        images_per_second=len(results) / run.seconds if run.seconds > 0 else None,
        workers=_most_first(run.workers),
    )


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
