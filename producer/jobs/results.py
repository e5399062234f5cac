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

    seconds: float  # seconds since the job started
    images: int  # images answered by then, including failed ones


@dataclass(frozen=True, slots=True)
class Results:
    """Every image of a job and its answer. All columns have length n and the order of submission.

    Attributes:
        names: Name by which the user knows each image: a path relative to the source, an archive member, or an index.
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
    """What a report says about a job as a whole.

    Attributes:
        job: Identifier of the job.
        source: Description of what was submitted ("mnist test", "/data/scans").
        state: State in which the job ended; one of the ledger's job states.
        started: Unix time, seconds.
        seconds: Seconds from the first packed image to the last kept answer.
        timeline: Progress over time, for the throughput chart; empty where it is unknown.
        workers: Number of images that each worker process answered.
        read_as: How the numbers of an array file were turned into images, in words; "" if there is nothing to say.
    """

    job: str
    source: str
    state: str
    started: float
    seconds: float
    timeline: list[TimelinePoint]
    workers: dict[str, int]
    read_as: str = ""
