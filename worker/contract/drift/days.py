"""What each version answered, day by day: the counts, and where Redis keeps them."""

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from operator import add, attrgetter
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from model.inference.review import REVIEW_BELOW
from worker.contract.drift import keys
from worker.contract.scripts import load_scripts
from worker.contract.validation.reading import count, naming, reading

if TYPE_CHECKING:
    import redis

DAYS_KEPT = 28
"""Number of days of which Redis keeps the counts: four weeks, so that each day of the week is among them equally."""

DIGITS = range(10)


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Sums over the images that one version answered with a digit on one day.

    Of an image that shows a number, only its least certain digit counts.

    Attributes:
        images: Number of the images.
        review: Those with a confidence below `REVIEW_BELOW`, or with a doubt of the image path.
        confidence: Sum of the confidences, in thousandths.
        squares: Sum of the squared confidences, in thousandths.
        zeros to nines: Number of images that were read as this digit.
    """

    images: int = 0
    review: int = 0
    confidence: int = 0
    squares: int = 0
    zeros: int = 0
    ones: int = 0
    twos: int = 0
    threes: int = 0
    fours: int = 0
    fives: int = 0
    sixes: int = 0
    sevens: int = 0
    eights: int = 0
    nines: int = 0

    @classmethod
    def of(cls, digits: NDArray[np.uint8], confidences: NDArray[np.float32], doubted: NDArray[np.bool_]) -> Self:
        """Count the answers to n images that were read.

        Args:
            digits: Digits, (n,).
            confidences: Confidences, (n,), 0 to 1.
            doubted: Whether the picture gives a reason for doubt, (n,).
        """
        review = int(((confidences < REVIEW_BELOW) | doubted).sum())
        sums = confidences.sum(dtype=np.float64), np.square(confidences, dtype=np.float64).sum()
        shares = np.bincount(digits, minlength=len(DIGITS)).tolist()
        return cls(len(digits), review, *(round(1000 * float(total)) for total in sums), *shares)

    @property
    def digits(self) -> tuple[int, ...]:
        """Number of images that were read as each digit, 0 to 9."""
        return _values(self)[-len(DIGITS) :]

    def __add__(self, other: Self) -> "DayCounts":
        return DayCounts(*map(add, _values(self), _values(other)))


_NAMES = [each.name for each in fields(DayCounts)]
_values = attrgetter(*_NAMES)  # `astuple` copies each number, which would take as long as classifying an image


class AnswerDays:
    """What Redis keeps about the answers of each version, day by day.

    Both methods raise redis-py's errors. `count` counts twice if it is repeated, so nobody retries it.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._scripts: Any = load_scripts(client, "worker.contract.drift", ("count", "read"))

    def count(self, version: str, counts: DayCounts) -> None:
        """Add to what a version answered today."""
        named = zip(_NAMES, _values(counts), strict=True)
        self._scripts["count"](keys=[keys.days(version)], args=[DAYS_KEPT, *(part for pair in named for part in pair)])

    def read(self, version: str) -> dict[date, DayCounts]:
        """Return what a version answered on each day with answers, the oldest first. Days are those of UTC.

        Raises:
            WireError: The record is damaged.
        """
        key = keys.days(version)
        with naming(key):
            today, *found = self._scripts["read"](keys=[key], args=[DAYS_KEPT, *_NAMES])
        days = {}
        with reading(f"The record of what {version} answers each day", remedy=f"`redis-cli DEL {key}` clears it."):
            numbers = [count(text) for text in found]
            first = datetime.fromtimestamp(86400 * (today - DAYS_KEPT + 1), UTC).date()
            for index in range(DAYS_KEPT):
                counts = DayCounts(*numbers[index * len(_NAMES) : (index + 1) * len(_NAMES)])
                if counts.images:
                    days[first + timedelta(days=index)] = counts
        return days
