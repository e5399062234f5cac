"""The figures of a report: the content of `report.json`, and the source of every figure that is printed."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import cleandoc
from math import isnan
from types import MappingProxyType
from typing import Any, Final, Self, cast, get_type_hints

import numpy as np
from msgspec import UNSET, UnsetType, defstruct

from model import metrics
from model.errors import FailureCode
from model.metrics import ClassScore, DigitScore, Interval
from producer.jobs.results import JobInfo, Results
from producer.public.answers import LOW_CONFIDENCE
from producer.public.body import Digit, Document, Time, time_of
from producer.report.label_doubts import doubt_labels
from producer.report.selection import Selection

FORMAT: Final = 2
"""Format of report.json. A new key keeps the number. Removing a key, or changing its meaning, raises it."""

_KEYS: Final = {"doubts": "review_reasons", "ece": "calibration_error", "model_versions": "models"}
"""Keys of report.json that differ from the names of the attributes."""

_ADDED: Final = """
    files: SHA-256 of each file of the report, by name. Only in the file itself.
    report: Path of `report.html`. Only if a command prints this.
"""
"""Keys that the file and the commands add to those of `Summary`, as its docstring would describe them."""


@dataclass(frozen=True, slots=True)
class DigitRead:
    """How often a digit was read.

    Attributes:
        digit: The digit, 0 to 9.
        images: Number of images, or of digits if the job reads numbers.
        mean_confidence: Their mean confidence, 0 to 1, or None if there are none.
    """

    digit: int
    images: int
    mean_confidence: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A job in figures. Shares are 0 to 1. A figure that needs labels or images is None if the job has none.

    If the job reads numbers, an image is right if all its digits are, and its confidence is that of its least certain
    digit. `digits`, `per_class`, `confusion` and `ece` then count digits, brought side by side by `metrics.align`.

    Attributes:
        job: Identifier of the job.
        source: Description of what was submitted.
        state: State in which the job ended.
        started: Time of the start in UTC, ISO 8601.
        seconds: Time from the first image packed to the last answer kept, in seconds.
        images: Number of all images: `classified` + `failed`.
        classified: Number of images with a prediction.
        failed: Number of images without a prediction.
        failures: Number of failed images by code, most frequent first.
        labelled: Number of images whose true digit is known, failed ones included.
        correct: Number of labelled images predicted right.
        accuracy: `correct` / `accuracy_denominator`.
        accuracy_denominator: Number of labelled images. A failed one counts as wrong.
        accuracy_interval: Wilson's 95 % interval of `accuracy`.
        accuracy_of_classified: `correct` / `accuracy_of_classified_denominator`.
        accuracy_of_classified_denominator: Number of labelled images with a prediction.
        reads_numbers: Whether the job reads all digits of an image.
        digits: Number of true digits of the labelled images, how many of them are right and missing, and how many were
            read that are not there. None unless the job reads numbers.
        per_class: Precision, recall, F1 and support of the digits 0 to 9.
        confusion: Counts, 10 by 10. The row is the true digit, the column the predicted one. Failed images have no
            column, so they are not counted here, and neither are digits without a partner.
        ece: Expected calibration error, over 15 bins.
        mean_confidence: Mean confidence of the classified images.
        min_confidence: Confidence below which an image is listed for review, or None for no review.
        review: Number of images for review: those below `min_confidence`, those that the image path doubts, and those
            that show several digits.
        doubts: Number of images for review by the code of the reason, most frequent first. Here only those that
            the image path doubts; in `report.json` also those of low confidence and those of several digits.
        accuracy_of_certain: Share of the images in `accuracy_of_certain_denominator` that are predicted right.
        accuracy_of_certain_denominator: Number of labelled images that have a prediction and need no review.
        model_versions: Number of images that each version classified, largest first.
        earlier: Number of images whose rows an earlier job wrote into this report (`submit --new`).
        images_per_second: (`images` - `earlier`) / `seconds`.
        command_seconds: Time from the start of the command to the end of its report, in seconds: including listing the
            images, and starting a mill if none ran. None if another command sent the images.
        command_images_per_second: (`images` - `earlier`) / `command_seconds`.
        workers: Number of images that each worker process answered, largest first.
        digits_read: How often each digit 0 to 9 was read, and with which mean confidence.
        without_picture: Number of images to look at that have no picture in the report.
        read_as: How the numbers of an array file were turned into images, in words, if there is something to say.
        label_warning: Why labels or images seem to be wrong as a whole, if most labels contradict the predictions.
        left_out: Number of files and folders of the source that were not read, by kind.
        notes: Sentences about the source, such as how its labels were found.
        notices: Sentences about the writing of the report that the user should see. `report.json` has no notices.
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
    digits: DigitScore | None = None
    reads_numbers: bool = False
    doubts: dict[str, int] = field(default_factory=dict)
    digits_read: list[DigitRead] = field(default_factory=list)
    without_picture: int = 0
    read_as: str | None = None
    label_warning: str | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    earlier: int = 0
    command_seconds: float | None = None
    command_images_per_second: float | None = None
    notices: tuple[str, ...] = ()

    @property
    def several_digits(self) -> int:
        """Number of images that show several digits, which are among the failed ones."""
        return self.failures.get(FailureCode.SEVERAL_DIGITS, 0)

    @property
    def unsure(self) -> int:
        """Number of images for review because of their confidence alone."""
        return 0 if self.review is None else self.review - self.several_digits - self.doubted

    @property
    def doubted(self) -> int:
        """Number of images for review that the image path doubts."""
        return sum(self.doubts.values())

    def with_command(self, seconds: float) -> Self:
        """Return the figures with the time that the whole command took, in seconds."""
        rate = (self.images - self.earlier) / seconds if seconds > 0 else None
        return replace(self, command_seconds=seconds, command_images_per_second=rate)

    def as_json(self) -> dict[str, Any]:
        """Return the content of `report.json`: JSON values without NaN."""
        values: dict[str, Any] = {_KEYS.get(name, name): getattr(self, name) for name in _published()}
        values["review_reasons"] = self._review_reasons()
        if self.digits is not None:
            values["digits"] = asdict(self.digits)
        if self.per_class is not None:
            values["per_class"] = [{"digit": digit, **asdict(score)} for digit, score in enumerate(self.per_class)]
        values["digits_read"] = [asdict(each) for each in self.digits_read]
        return {"format": FORMAT, **values}

    def _review_reasons(self) -> dict[str, int]:
        """Return the number of images for review by the code of the reason, most frequent first."""
        others = {LOW_CONFIDENCE: self.unsure, str(FailureCode.SEVERAL_DIGITS): self.several_digits}
        counts = {**self.doubts, **(others if self.review is not None else {})}
        return _largest_first({code: count for code, count in counts.items() if count})


def report_form() -> type[Document]:
    """Return the form of `report.json`, whose keys are those of `Summary.as_json`."""
    hints = get_type_hints(Summary, include_extras=True)
    hints |= {"started": Time, "per_class": list[ScoredDigit] | None}
    documented = cleandoc(Summary.__doc__ or "") + _ADDED
    for name, key in _KEYS.items():
        documented = re.sub(rf"^    {name}:", f"    {key}:", documented, flags=re.MULTILINE)
    form = defstruct(
        "Report",
        [
            *((_KEYS.get(name, name), hints[name]) for name in _published()),
            ("files", dict[str, str] | UnsetType, UNSET),
            ("report", str | UnsetType, UNSET),
        ],
        bases=(Document,),
        tag=FORMAT,
        namespace={"__doc__": documented},
    )
    return cast("type[Document]", form)


@dataclass(frozen=True, slots=True)
class ScoredDigit(ClassScore):
    """A row of `per_class` in `report.json`."""

    digit: Digit = 0


def _published() -> list[str]:
    """Return the names of the attributes that `report.json` has."""
    return [each.name for each in fields(Summary) if each.name != "notices"]


def summarise(
    results: Results,
    info: JobInfo,
    selection: Selection,
    *,
    left_out: Mapping[str, int] = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> Summary:
    """Return the figures of a job.

    Args:
        results: All images of the job.
        info: Times and workers of the job.
        selection: Images that people should look at.
        left_out: Number of files of the source that were not read, by kind.
        notes: Sentences about the source.
    """
    is_labelled, classified, right = results.labelled, results.classified, results.right
    labelled = int(is_labelled.sum())
    labelled_classified = int((is_labelled & classified).sum())
    correct = int(right.sum())
    review = selection.doubted
    certain = is_labelled & classified & ~review
    aligned = results.aligned
    versions = results.versions.counts()
    versions.subtract(results.models[index] for index in results.failures)
    return Summary(
        job=info.job,
        source=info.source,
        state=info.state,
        started=time_of(info.started),
        seconds=info.seconds,
        images=len(results),
        classified=int(classified.sum()),
        failed=len(results.failures),
        failures=_largest_first(Counter(str(failure.code) for failure in results.failures.values())),
        labelled=labelled,
        correct=correct if labelled else None,
        accuracy=_share(correct, labelled),
        accuracy_denominator=labelled or None,
        accuracy_interval=metrics.wilson(correct, labelled) if labelled else None,
        accuracy_of_classified=_share(correct, labelled_classified),
        accuracy_of_classified_denominator=labelled_classified if labelled else None,
        digits=metrics.score_digits(aligned) if labelled and results.numbers is not None else None,
        per_class=metrics.per_class(aligned.labels, aligned.digits) if labelled else None,
        confusion=metrics.confusion(aligned.labels, aligned.digits).tolist() if labelled else None,
        ece=_known(metrics.expected_calibration_error(*aligned)),
        mean_confidence=float(results.confidences[classified].mean(dtype="float64")) if classified.any() else None,
        min_confidence=selection.min_confidence,
        review=None if selection.min_confidence is None else int(review.sum()),
        accuracy_of_certain=_share(int(right[certain].sum()), int(certain.sum())),
        accuracy_of_certain_denominator=int(certain.sum()) if labelled else None,
        model_versions=_largest_first({version: count for version, count in versions.items() if count}),
        images_per_second=(len(results) - info.earlier) / info.seconds if info.seconds > 0 else None,
        workers=_largest_first(info.workers),
        reads_numbers=results.numbers is not None,
        doubts=_largest_first(Counter(str(doubt.code) for row, doubt in results.doubts.items() if review[row])),
        digits_read=_digits_read(results),
        read_as=info.read_as or None,
        label_warning=doubt_labels(results),
        left_out=_largest_first(dict(left_out)),
        notes=tuple(note for note in notes if note != info.read_as),
        earlier=info.earlier,
    )


def _digits_read(results: Results) -> list[DigitRead]:
    if results.numbers is None:
        digits, confidences = results.digits, results.confidences
    else:
        digits = np.array([int(digit) for number in results.numbers.read for digit in number], np.int8)
        confidences = np.array([share for shares in results.numbers.confidences for share in shares], np.float32)
    found = []
    for digit in range(metrics.CLASSES):
        shares = confidences[digits == digit]
        mean = float(shares.mean(dtype="float64")) if len(shares) else None
        found.append(DigitRead(digit, len(shares), mean))
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _largest_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
