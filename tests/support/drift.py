"""Days of answers, as if workers had given them."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import redis

from worker.contract.drift import DayCounts, keys

EVEN = (10,) * 10


def answers(images: int, *, unsure: float = 0.0, shares: Sequence[int] = EVEN) -> DayCounts:
    """Return the counts of a day.

    Args:
        images: Number of images, a multiple of 100.
        unsure: Share of them with a confidence of 0.5. The others have 0.99.
        shares: Percentage of each digit, 0 to 9.
    """
    digits = np.repeat(np.arange(10, dtype=np.uint8), np.array(shares) * (images // 100))
    confidences = np.full(images, 0.99, np.float32)
    confidences[: round(unsure * images)] = 0.5
    return DayCounts.of(digits, confidences, np.zeros(images, bool))


def write_days(client: "redis.Redis", version: str, days: Sequence[DayCounts]) -> None:
    """Write what a version answered on the last days. The last of them is today, by Redis' clock."""
    today = int(client.time()[0]) // 86400
    for index, counts in enumerate(days):
        for name, number in asdict(counts).items():
            client.hset(keys.days(version), keys.field(today - len(days) + 1 + index, name), number)
