"""What a job gave, as columns: one row for every image submitted, in the order of submission."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure

NONE = -1
"""In the columns `labels` and `digits`: there is none."""


class TimelinePoint(NamedTuple):
    """How far the job was at one moment."""

    seconds: float  # since the job started
    images: int  # answered by then, failed ones included


@dataclass(frozen=True, slots=True)
class Results:
    """Every image of a job and its answer; all columns have the length n, in the order of submission.

    Attributes:
        names: path relative to the source, archive member, or index: what the user knows the image by.
        labels: int8 (n,), the true digit 0 to 9, or `NONE`.
        digits: int8 (n,), the predicted digit 0 to 9, or `NONE` where the image failed.
        confidences: float32 (n,), probability of the predicted digit, 0 to 1; NaN where the image failed.
        probabilities: float32 (n, 10), NaN rows where failed; None unless they were asked for.
        models: for each image the version of the model that classified it; "" where it failed before reaching one.
        failures: for each failed image its index and why. `digits[i] == NONE` exactly where `i in failures`.
    """

    names: list[str]
    labels: NDArray[np.int8]
    digits: NDArray[np.int8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    models: list[str]
    failures: dict[int, Failure]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class JobInfo:
    """The circumstances of a job.

    Attributes:
        job: its id.
        source: what was submitted, in words ("mnist", "/data/scans").
        state: how it ended; one of the job states of the ledger.
        started: unix time, seconds.
        seconds: from the first image packed to the last answer kept.
        timeline: progress, by time; for the throughput plot.
        workers: images answered per worker process.
    """

    job: str
    source: str
    state: str
    started: float
    seconds: float
    timeline: list[TimelinePoint]
    workers: dict[str, int]
