"""Versions of the model, as the commands of `models` and `status` print them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from producer.public.body import Body, Damaged, Document, Share, Time, time_of

if TYPE_CHECKING:
    from worker.contract import drift
    from worker.contract.registry import LiveChange, ServiceCounts


class ListedModel(Body, kw_only=True, frozen=True):
    """A version in the list of versions. What its card says is null if the card cannot be read.

    Attributes:
        model: Name of the version.
        aliases: Its aliases: `live`, `previous`, `candidate`, `best`, `baseline`.
        published: Time of its publication, or of its training for the baseline.
        test_accuracy: Accuracy on MNIST's test images.
        validation_accuracy: Accuracy on the images held out of training.
        validation_images: Number of these images.
        data: Name of the data that it was trained on.
        training_images: Number of images that it was trained on.
        parent: Version that was live when it was trained, or null.
        workers: Names of the workers that serve it.
        problem: Why its card cannot be read, or null.
        out_of_service: Why no worker may classify with it, or null.
    """

    model: str
    aliases: list[str]
    published: Time
    test_accuracy: Share | None
    validation_accuracy: Share | None
    validation_images: int | None
    data: str | None
    training_images: int | None
    parent: str | None
    workers: list[str]
    problem: str | None
    out_of_service: str | None


class PastAccuracy(Body, kw_only=True, frozen=True):
    """The accuracy of a version that was judged on the same images as the live one.

    Attributes:
        model: Name of the version.
        published: Time of its publication.
        validation_accuracy: Accuracy on these images.
    """

    model: str
    published: Time
    validation_accuracy: Share


class Change(Body, kw_only=True, frozen=True):
    """A change of the live version.

    Attributes:
        at: Time of the change.
        action: `promote` or `rollback`.
        model: Version that is live from then on.
        previous: Version that was live until then.
        who: User and host, worker or training that made the change.
        reason: Why.
    """

    at: Time
    action: str
    model: str
    previous: str
    who: str
    reason: str


class Models(Document, kw_only=True, frozen=True):
    """What `models list` prints.

    Attributes:
        models: All versions, newest first.
        over_time: Accuracies of those that can be compared with the live one, oldest first.
        history: Changes of the live version, newest first.
        damaged: Records that cannot be read.
    """

    models: list[ListedModel]
    over_time: list[PastAccuracy]
    history: list[Change]
    damaged: list[Damaged]


class Day(Body, kw_only=True, frozen=True):
    """The answers of one day of UTC.

    Attributes:
        day: The day, such as `2026-11-26`.
        images: Number of classified images.
        review: Number of images for review.
        mean_confidence: Mean confidence.
        digits: Number of images of each digit, 0 to 9.
    """

    day: str
    images: int
    review: int
    mean_confidence: Share
    digits: list[int]


class Difference(Body, kw_only=True, frozen=True):
    """How a measure of the last day differs from that of the days before.

    Attributes:
        measure: What is measured, in words.
        before: Its value in the days before.
        last: Its value on the last day.
        points: Difference in percentage points.
    """

    measure: str
    before: Share
    last: Share
    points: float


class Drift(Body, kw_only=True, frozen=True):
    """How the answers of the last day differ from those of the days before.

    Attributes:
        day: Last day.
        images: Number of its images.
        days_before: Number of days that it is compared with.
        differences: What differs.
    """

    day: str
    images: int
    days_before: int
    differences: list[Difference]


class ShownModel(Document, kw_only=True, frozen=True):
    """What `models show` prints.

    Attributes:
        model: Name of the version.
        aliases: Its aliases.
        card: Its card, as the file `card.json` has it.
        gate: Decision of the gate, as the file `gate.json` has it, or null.
        history: Changes of the live version that concern this one, newest first.
        days: Its answers day by day, oldest first.
        drift: How those of the last day differ from the ones before, or null.
        damaged: Records that cannot be read.
    """

    model: str
    aliases: list[str]
    card: dict[str, Any]
    gate: dict[str, Any] | None
    history: list[Change]
    days: list[Day]
    drift: Drift | None
    damaged: list[Damaged]


class Figure(Body, kw_only=True, frozen=True):
    """A figure of two versions.

    Attributes:
        figure: Name of the figure.
        a: Value of the first version.
        b: Value of the second version.
        more_is_better: Whether more is better.
    """

    figure: str
    a: float
    b: float
    more_is_better: bool


class InService(Body, kw_only=True, frozen=True):
    """What a version has answered in service.

    Attributes:
        images: Number of classified images.
        failed: Number of images that it failed on.
        review: Number of images for review.
        mean_confidence: Mean confidence, or null without images.
        compared: Number of images that the previous version classified as well.
        disagreed: Number of those with another digit, of which the previous version was sure.
        compared_review: Number of those for review by this version.
        compared_review_previous: Number of those for review by the previous version.
    """

    images: int
    failed: int
    review: int
    mean_confidence: Share | None
    compared: int
    disagreed: int
    compared_review: int
    compared_review_previous: int


class ModelComparison(Document, kw_only=True, frozen=True):
    """What `models compare` prints.

    Attributes:
        models: Names of both versions, A and B.
        figures: Figures of their cards.
        in_service: What each of them has answered in service.
        gate: Decision of the gate that compared them, as the file `gate.json` has it, or null.
    """

    models: list[str]
    figures: list[Figure]
    in_service: list[InService]
    gate: dict[str, Any] | None


class NowLive(Document, kw_only=True, frozen=True):
    """What `models promote` and `models rollback` print.

    Attributes:
        live: Version that is live now.
        previous: Version that was live before, or null.
        candidate: Version that was published last and is not live, or null.
        best: Best version that ever was live, or null.
        workers: Number of workers that are ready.
        serving: Number of those that serve the live version already.
    """

    live: str
    previous: str | None
    candidate: str | None
    best: str | None
    workers: int
    serving: int


class Pushed(Document, kw_only=True, frozen=True):
    """What `models push` prints.

    Attributes:
        model: Name of the version.
        aliases: Its aliases.
    """

    model: str
    aliases: list[str]


class Pulled(Document, kw_only=True, frozen=True):
    """What `models pull` prints.

    Attributes:
        model: Name of the version.
        folder: Folder that has it now.
        files: Names of its files.
    """

    model: str
    folder: str
    files: list[str]


class Exported(Document, kw_only=True, frozen=True):
    """What `models export` prints.

    Attributes:
        file: The file.
        models: Names of the versions in it, the oldest first.
    """

    file: str
    models: list[str]


class ImportedModels(Document, kw_only=True, frozen=True):
    """What `models import` prints.

    Attributes:
        models: Names of the versions that it has published.
        known: Names of the versions of the file that were here already.
        aliases: What the aliases meant where the file was made.
    """

    models: list[str]
    known: list[str]
    aliases: dict[str, str]


class TrainingReport(Document, kw_only=True, frozen=True):
    """What `models report` prints.

    Attributes:
        model: Name of the version.
        report: Page that was written.
        pngs: PNG files that were written beside it; none without Matplotlib.
    """

    model: str
    report: str
    pngs: list[str]


class Deleted(Document, kw_only=True, frozen=True):
    """What `models delete` prints.

    Attributes:
        deleted: Names of the versions.
    """

    deleted: list[str]


def changes(history: "Sequence[LiveChange]") -> list[Change]:
    """Return changes of the live version."""
    return [
        Change(
            at=time_of(each.at),
            action=each.action,
            model=each.version,
            previous=each.before,
            who=each.who,
            reason=each.reason,
        )
        for each in history
    ]


def in_service(counts: "ServiceCounts") -> InService:
    """Return what a version has answered in service."""
    return InService(
        images=counts.images,
        failed=counts.errors,
        review=counts.review,
        mean_confidence=counts.confidence / 1000 / counts.images if counts.images else None,
        compared=counts.shadowed,
        disagreed=counts.disagreed,
        compared_review=counts.review_here,
        compared_review_previous=counts.review_before,
    )


def drift_of(found: "drift.Drift | None") -> Drift | None:
    """Return what differs on the last day, or None if nothing does."""
    if found is None:
        return None
    return Drift(
        day=found.day.isoformat(),
        images=found.images,
        days_before=found.days,
        differences=[
            Difference(measure=each.measure, before=each.before, last=each.last, points=each.points)
            for each in found.differences
        ],
    )


def days_of(days: "Mapping[date, drift.DayCounts]") -> list[Day]:
    """Return the answers of each day, the oldest first."""
    return [
        Day(
            day=day.isoformat(),
            images=counts.images,
            review=counts.review,
            mean_confidence=counts.confidence / 1000 / counts.images,
            digits=list(counts.digits),
        )
        for day, counts in sorted(days.items())
    ]
