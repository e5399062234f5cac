"""Whether what was measured again and again has grown."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP = 0.2
"""Share of the time at whose end everything has its size: caches are full, and the first records expire."""

MAX_POINTS = 200
"""Number of points whose pairs give the slope. A thousand would take a second."""


@dataclass(frozen=True)
class Bound:
    """How much something may grow during the whole run.

    Attributes:
        unit: Word for what is counted, with the number that makes one of it.
        share: Share of its median that it may grow by.
        least: Amount that it may grow by in any case, because a measurement is not steadier.
    """

    unit: tuple[str, float]
    share: float
    least: float


@dataclass(frozen=True)
class Growth:
    """How something has grown.

    Attributes:
        median: Its median after the warm-up.
        most: Its greatest value after the warm-up.
        slope: Its growth per second after the warm-up: the median of the slopes between all pairs of points (Theil and
            Sen), so a few outliers, as after a kill, change nothing.
        total: The slope times the length of the whole run.
    """

    median: float
    most: float
    slope: float
    total: float

    def is_flat(self, bound: Bound) -> bool:
        """Return whether it has grown by no more than that."""
        return self.total <= max(bound.least, bound.share * self.median)


def growth_of(points: Sequence[tuple[float, float]]) -> Growth | None:
    """Return how something has grown, or None if there are too few points to tell.

    Args:
        points: Seconds since the beginning, and what was measured then.
    """
    if not points:
        return None
    first, last = points[0][0], points[-1][0]
    warm = [point for point in points if point[0] >= first + WARM_UP * (last - first)]
    thinned = warm[:: max(1, len(warm) // MAX_POINTS)]
    if len(thinned) < 10:
        return None
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(thinned, 2) if b[0] > a[0]]
    slope = statistics.median(slopes)
    values = [value for _, value in warm]
    return Growth(statistics.median(values), max(values), slope, slope * (last - first))
