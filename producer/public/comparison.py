"""Two jobs on the same images, as `compare` prints them."""

from producer.public.answers import Reason
from producer.public.body import Body, Document, Share


class ComparedJob(Body, kw_only=True, frozen=True):
    """One of two jobs. All its figures are about the images that both have.

    Attributes:
        job: Name of the job.
        source: What was submitted, in words.
        models: Versions that classified the images, the most frequent one first.
        correct: Number of labelled images that it reads, or null without labels.
        accuracy: Share of the labelled images that it reads, or null without labels.
        review: Number of images for review.
        failed: Number of images without an answer.
        alone: Number of images that the other job does not have.
        before: What comes before the end of each name that both jobs share, or null if the names are the same.
    """

    job: str
    source: str
    models: list[str]
    correct: int | None
    accuracy: Share | None
    review: int
    failed: int
    alone: int
    before: str | None


class ComparedAnswer(Body, kw_only=True, frozen=True):
    """What a job says about an image.

    Attributes:
        answer: Digit, or number if the job reads numbers; null if the image failed.
        confidence: Its probability, or null if the image failed.
        review: Whether the image is for review.
        error: Why the image has no answer, or null.
    """

    answer: int | str | None
    confidence: Share | None
    review: bool
    error: Reason | None


class ComparedImage(Body, kw_only=True, frozen=True):
    """An image that the two jobs do not answer alike, or that only one of them lists for review.

    Attributes:
        name: Name of the image.
        label: True digit or number, or null.
        change: `won` if only B reads it, `lost` if only A reads it, `other` if they differ otherwise, and `none` if
            only the review changes.
        a: What A says.
        b: What B says.
    """

    name: str
    label: int | str | None
    change: str
    a: ComparedAnswer
    b: ComparedAnswer


class JobComparison(Document, kw_only=True, frozen=True):
    """What `compare` prints.

    Attributes:
        a: First job.
        b: Second job.
        images: Number of images that both have.
        agreed: Number of those that both answer in the same way.
        labelled: Number of those with a label that no job contradicts.
        contradictory: Number of those with different labels in both jobs.
        won: Number of labelled images that only B reads.
        lost: Number of labelled images that only A reads.
        difference: Accuracy of B minus that of A, or null without labels.
        difference_interval: Its 95 % interval, low and high, or null without labels.
        p_value: Probability of a difference as large as this, in either direction, if both are equally good; or null
            without labels. It is that of McNemar's exact test.
        to_review: Number of images that are for review in B only.
        from_review: Number of images that are for review in A only.
        changed: All images that are answered differently, or that only one job lists for review.
        report: Page that was written.
    """

    a: ComparedJob
    b: ComparedJob
    images: int
    agreed: int
    labelled: int
    contradictory: int
    won: int
    lost: int
    difference: float | None
    difference_interval: tuple[float, float] | None
    p_value: Share | None
    to_review: int
    from_review: int
    changed: list[ComparedImage]
    report: str
