"""How a version does in service, and when that is bad enough to take it out of service."""

from dataclasses import dataclass, fields
from typing import Self

ENOUGH = 200
"""Images before anything is said of a version: of 200, a share is known to within 7 points at worst."""

CANARY_IMAGES = 2000
"""Images that the version before has answered too, after which a new one has passed: it is watched no longer."""

MAX_ERROR_SHARE = 0.01
"""Share of images on which classifying itself failed. The networks are alike, so any at all is a fault."""

MAX_REVIEW_INCREASE = 0.10
"""By how much the share for review may be above that of the version before, on the same images."""

MAX_DISAGREEMENT = 0.25
"""Share of images on which both name different digits. Two good models differ on 1 % of MNIST and 10 % of bad scans."""


@dataclass(frozen=True, slots=True)
class ServiceCounts:
    """Counts of what one version has answered since it was promoted.

    Attributes:
        images: classified.
        errors: that it was given and failed on.
        review: of the classified, those of a confidence below `model.inference.review.REVIEW_BELOW`.
        confidence: sum over the classified, in thousandths.
        shadowed: of the classified, those that the version before was shown too.
        disagreed: of those, the ones to which it gave another digit.
        review_here: of those, the ones for review by this version.
        review_before: likewise by the version before.
    """

    images: int = 0
    errors: int = 0
    review: int = 0
    confidence: int = 0
    shadowed: int = 0
    disagreed: int = 0
    review_here: int = 0
    review_before: int = 0

    def __add__(self, other: Self) -> "ServiceCounts":
        return ServiceCounts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def passed(self) -> bool:
        """Whether it need not be watched any longer."""
        return self.shadowed >= CANARY_IMAGES

    def fault(self) -> str:
        """Return why this version should not stay live, or ""."""
        asked = self.images + self.errors
        if asked >= ENOUGH and self.errors > MAX_ERROR_SHARE * asked:
            return f"it failed on {self.errors:,} of its first {asked:,} images"
        if self.shadowed < ENOUGH:
            return ""
        if self.review_here - self.review_before > MAX_REVIEW_INCREASE * self.shadowed:
            return (
                f"of {self.shadowed:,} images it leaves {self.review_here:,} for review, the version before "
                f"{self.review_before:,}"
            )
        if self.disagreed > MAX_DISAGREEMENT * self.shadowed:
            return f"on {self.disagreed:,} of {self.shadowed:,} images it disagrees with the version before"
        return ""
