"""Counts of a version's answers, and the limits beyond which it is rolled back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from worker.contract.registry import keys
from worker.contract.validation.reading import count, reading

ENOUGH = 200
"""Number of images before a version is judged. They determine a share to within 7 percentage points at worst."""

CANARY_IMAGES = 2000
"""Number of images that both versions must have answered before the new one has passed and stops being a canary."""

MAX_ERROR_SHARE = 0.01
"""Maximum share of images on which the model itself may fail. A sound model never fails on an image."""

MAX_REVIEW_INCREASE = 0.10
"""Maximum increase of the share of images for review over that of the previous version, on the same images."""

MAX_DISAGREEMENT = 0.25
"""Maximum share of images of which the previous version is sure and to which the new one gives another digit.

Two good models differ on 1 % of MNIST and 10 % of bad scans, and on a third or more of a style that one of them was
just taught. But the other one is seldom sure of such images."""


@dataclass(frozen=True, slots=True)
class ServiceCounts:
    """Counts of what one version has answered since it was promoted.

    Attributes:
        images: Images that it classified.
        errors: Images that it was given and failed on.
        review: Classified images with a confidence below `model.inference.review.REVIEW_BELOW`.
        confidence: Sum of the confidences of the classified images, in thousandths.
        shadowed: Classified images that the previous version has also classified.
        disagreed: Shadowed images of which the previous version is sure, and to which it gave another digit. Workers
            before 0.3 also count those of which it is not sure.
        review_here: Shadowed images that this version leaves for review.
        review_before: Shadowed images that the previous version leaves for review.
    """

    images: int = 0
    errors: int = 0
    review: int = 0
    confidence: int = 0
    shadowed: int = 0
    disagreed: int = 0
    review_here: int = 0
    review_before: int = 0

    @classmethod
    def from_hash(cls, version: str, body: Mapping[bytes, bytes]) -> Self:
        """Return the counts that Redis keeps as a hash.

        Raises:
            WireError: The hash is damaged.
        """
        with reading(
            f"The record of what {version} has answered",
            remedy=f"`redis-cli DEL {keys.service_counts(version)}` clears it.",
        ):
            return cls(**{each.name: count(body.get(each.name.encode())) for each in fields(cls)})

    def __add__(self, other: Self) -> "ServiceCounts":
        return ServiceCounts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def passed(self) -> bool:
        """Whether the version has proven itself and stops being a canary."""
        return self.shadowed >= CANARY_IMAGES

    def fault(self) -> str:
        """Return why this version should not stay live, or "" if it may."""
        asked = self.images + self.errors
        if asked >= ENOUGH and self.errors > MAX_ERROR_SHARE * asked:
            return f"it failed on {self.errors:,} of its first {asked:,} images"
        if self.shadowed < ENOUGH:
            return ""
        if self.review_here - self.review_before > MAX_REVIEW_INCREASE * self.shadowed:
            return (
                f"of {self.shadowed:,} images it leaves {self.review_here:,} for review, "
                f"and the previous version leaves {self.review_before:,}"
            )
        if self.disagreed > MAX_DISAGREEMENT * self.shadowed:
            return (
                f"on {self.disagreed:,} of {self.shadowed:,} images it disagrees with the previous version, which is "
                "sure of these"
            )
        return ""
