"""The results of a job, as columns: one row for each submitted image, in the order of submission."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure

NONE = -1
"""In the columns `labels` and `digits`: the image has no label, or no digit."""


class TimelinePoint(NamedTuple):
    """Progress of a job at one moment."""

    seconds: float  # since the job started
    images: int  # answered by then, including failed ones


@dataclass(frozen=True, slots=True)
class Results:
    """Every image of a job and its answer. All columns have length n and the order of submission.

    Attributes:
        names: Path relative to the source, archive member, or index: the name by which the user knows the image.
        labels: int8 (n,), true digit 0 to 9, or `NONE`.
        digits: int8 (n,), predicted digit 0 to 9, or `NONE` where the image failed.
        confidences: float32 (n,), probability of the predicted digit, 0 to 1; NaN where the image failed.
        probabilities: float32 (n, 10), with NaN rows where the image failed; None unless the job asked for them.
        models: Version of the model that classified each image; "" where the image failed before it reached one.
        failures: Failure of each failed image, by index. `digits[i] == NONE` exactly where `i in failures`.
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
        job: Identifier of the job.
        source: What was submitted, in words ("mnist", "/data/scans").
        state: State in which the job ended; one of the ledger's job states.
        started: Unix time, seconds.
        seconds: Seconds from the first packed image to the last kept answer.
        timeline: Progress by time, for the throughput plot.
        workers: Number of images that each worker process answered.
    """

    job: str
    source: str
    state: str
    started: float
    seconds: float
    timeline: list[TimelinePoint]
    workers: dict[str, int]
