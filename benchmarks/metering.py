"""What counting for Prometheus costs a worker, as a share of the CPU time in which it classifies the same batch.

python benchmarks/metering.py
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from inputs import read_digits_or_samples

from model.inference.classifier import Classifier
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


def main() -> None:
    """Print a row for each size of a batch."""
    classifier, digits = Classifier.baseline(), read_digits_or_samples().images
    print("images  classify µs  count µs  share  off µs  share")
    for size in (1, 16, 256, 1024):
        images = np.resize(digits, (size, 28, 28))
        found = classifier.classify(images)
        result = Result("v1", "worker", found.digits, found.confidences, None, {})
        work = seconds(partial(classifier.classify, images), max(3, 4000 // size))
        on, off = (seconds(partial(count, meter, result), 500) for meter in (Meter(Counts()), Meter()))
        print(f"{size:6} {1e6 * work:12.0f} {1e6 * on:9.1f} {on / work:6.2%} {1e6 * off:7.1f} {off / work:6.2%}")


if __name__ == "__main__":
    main()
