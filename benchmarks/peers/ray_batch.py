"""Ray Data: an actor per core maps batches of images. Arguments: a .npy file of uint8 (n, 28, 28), repeat, cores.

For each line on standard input, it classifies all images once and prints the images per second.
"""

import os
import sys
import time
from typing import Any

import numpy as np
import ray
from answering import Classifier

BATCH = 1024


class Classify:
    """Classifies batches."""

    def __init__(self) -> None:
        self._classifier = Classifier.baseline()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the digits and confidences of a batch."""
        found = self._classifier.classify(batch["data"])
        return {"digit": found.digits, "confidence": found.confidences}


def main() -> None:
    """Answer the lines on standard input."""
    path, repeat, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    images = np.tile(np.load(path), (repeat, 1, 1))
    os.environ["RAY_raylet_start_wait_time_s"] = "120"  # noqa: SIM112  Ray spells it so; a busy machine needs it
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    for _ in sys.stdin:
        started = time.perf_counter()
        mapped = ray.data.from_numpy(images).map_batches(Classify, batch_size=BATCH, concurrency=cores)
        count = sum(len(batch["digit"]) for batch in mapped.iter_batches(batch_size=BATCH))
        print(count / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main()
