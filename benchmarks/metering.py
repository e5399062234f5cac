"""What counting for Prometheus and for drift costs a worker, as shares of the CPU time in which it classifies a batch.

python benchmarks/metering.py
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from inputs import read_digits_or_samples
from numpy.typing import NDArray

from model.inference.classifier import Classifier
from worker.contract.drift import DayCounts
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.metrics import Stage
from worker.contract.wire import Result
from worker.meter import Meter

REPEATS = 7


def seconds(act: Callable[[], object], number: int) -> float:
    """Return the CPU time that one call takes, in seconds: the least of `REPEATS` means."""
    means = []
    for _ in range(REPEATS):
        began = time.thread_time()
        for _ in range(number):
            act()
        means.append((time.thread_time() - began) / number)
    return min(means)


def count(meter: Meter, result: Result) -> None:
    """Count a batch as a worker does."""
    for stage in (Stage.DECODE, Stage.CLASSIFY, Stage.FINISH):
        with meter.stage(stage):
            pass
    meter.answered(result)


def count_day(result: Result, doubted: NDArray[np.bool_], today: DayCounts) -> DayCounts:
    """Add a batch to what a version answered today, as a worker does. It reports the sums once a second."""
    return today + DayCounts.of(result.digits, result.confidences, doubted)


def main() -> None:
    """Print a row for each size of a batch."""
    classifier, digits = Classifier.baseline(), read_digits_or_samples().images
    print("images  classify µs  count µs  share  off µs  share  drift µs  share")
    for size in (1, 16, 256, 1024):
        images = np.resize(digits, (size, 28, 28))
        found = classifier.classify(images)
        result = Result("v1", "worker", found.digits, found.confidences, None, {})
        work = seconds(partial(classifier.classify, images), max(3, 4000 // size))
        on, off = (seconds(partial(count, meter, result), 500) for meter in (Meter(Counts()), Meter()))
        drift = seconds(partial(count_day, result, np.zeros(size, np.bool_), DayCounts()), 500)
        counting = f"{1e6 * on:9.1f} {on / work:6.2%} {1e6 * off:7.1f} {off / work:6.2%}"
        print(f"{size:6} {1e6 * work:12.0f} {counting} {1e6 * drift:9.1f} {drift / work:6.2%}")


if __name__ == "__main__":
    main()
