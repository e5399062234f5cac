"""Whether the last day of a version differs from the ones before: beyond chance, and by enough to matter."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist

from worker.contract.drift.days import DIGITS, DayCounts

ENOUGH = 200
"""Number of images that the last day must have, and the days before together. With fewer, little is beyond chance."""

POINTS = 2.0
"""Difference that matters, in percentage points. With many images, much smaller ones are beyond chance."""

LEVEL = 0.01
"""Chance of a false alarm on a day that is like the others, for all measures together (Bonferroni's correction)."""

MIN_DAYS = 4
"""Number of days before the last one from which on they show how much days differ anyway."""

MEASURES = 2 + len(DIGITS)


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure that differs.

    Attributes:
        measure: Its name, in words.
        before: Its value over the days before, 0 to 1.
        last: Its value on the last day, 0 to 1.
    """

    measure: str
    before: float
    last: float

    @property
    def points(self) -> float:
        """The difference, in percentage points."""
        return 100 * (self.last - self.before)


@dataclass(frozen=True, slots=True)
class Drift:
    """The last day of a version, which differs from the ones before.

    Attributes:
        day: That day, in UTC.
        images: Images that were answered on it.
        days: Number of the days before.
        differences: What differs, the largest difference first; at least one.
    """

    day: date
    images: int
    days: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Sample:
    """A measure on one day: n values with their mean and variance."""

    n: int
    mean: float
    variance: float


def find_drift(days: Mapping[date, DayCounts]) -> Drift | None:
    """Compare the last day of a version with the ones before.

    The images of one job resemble each other, so days differ more than the same number of unrelated images would. From
    `MIN_DAYS` days on, the days before show by how much: the variance is multiplied by Pearson's dispersion, as in a
    quasi-likelihood model (McCullagh and Nelder, Generalized Linear Models, 1989, section 4.5).

    Args:
        days: Counts of each day, in UTC.

    Returns:
        What differs, or None if nothing does or there are too few images.
    """
    if not days:
        return None
    *earlier, last = sorted(days)
    before = [days[day] for day in earlier]
    if days[last].images < ENOUGH or sum(counts.images for counts in before) < ENOUGH:
        return None
    found = [
        Difference(
            name, sum(sample.n * sample.mean for sample in others) / sum(sample.n for sample in others), new.mean
        )
        for name, new, others in _measures(days[last], before)
        if _is_beyond_chance(new, others)
    ]
    large = sorted((each for each in found if abs(each.points) >= POINTS), key=lambda each: -abs(each.points))
    return Drift(last, days[last].images, len(before), tuple(large)) if large else None


def _measures(last: DayCounts, before: Sequence[DayCounts]) -> Iterator[tuple[str, _Sample, list[_Sample]]]:
    """Yield the name of each measure, its last sample, and its samples on the days before."""
    yield "mean confidence", _confidence(last), [_confidence(counts) for counts in before]
    yield "for review", _share(last, last.review), [_share(counts, counts.review) for counts in before]
    for digit in DIGITS:
        shares = [_share(counts, counts.digits[digit]) for counts in before]
        yield f"read as {digit}", _share(last, last.digits[digit]), shares


def _confidence(counts: DayCounts) -> _Sample:
    mean = counts.confidence / (1000 * counts.images)
    return _Sample(counts.images, mean, max(counts.squares / (1000 * counts.images) - mean**2, 0.0))


def _share(counts: DayCounts, part: int) -> _Sample:
    share = min(part / counts.images, 1.0)
    return _Sample(counts.images, share, share * (1 - share))


def _is_beyond_chance(last: _Sample, before: Sequence[_Sample]) -> bool:
    total = sum(sample.n for sample in before)
    mean = sum(sample.n * sample.mean for sample in before) / total
    everything = [*before, last]
    # Within days, so that a day that differs does not seem to vary more. Few images of a rare kind vary more than the
    # normal distribution says, and then the variance of the last day is the larger one.
    within = sum(sample.n * sample.variance for sample in everything) / (total + last.n)
    variance = max(within, last.variance)
    if not variance:
        return last.mean != mean
    limit, dispersion = NormalDist().inv_cdf(1 - LEVEL / MEASURES / 2), 1.0
    freedom = len(before) - 1
    if len(before) >= MIN_DAYS:
        pearson = sum(sample.n * (sample.mean - mean) ** 2 for sample in before) / variance / freedom
        if pearson > 1:
            limit, dispersion = _student(limit, freedom), pearson
    return abs(last.mean - mean) > limit * math.sqrt(dispersion * variance * (1 / last.n + 1 / total))


def _student(z: float, freedom: int) -> float:
    """Return the quantile of Student's t, given that of the normal distribution (Abramowitz and Stegun, 26.7.5)."""
    terms: tuple[float, ...] = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))
