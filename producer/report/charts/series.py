"""The numbers that charts show, where computing them takes more than a line."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from producer.jobs.results import Results, TimelinePoint

_CONFIDENCE_BINS = 20
_POINTS_PER_BIN, _MIN_BINS, _MAX_BINS = 3, 4, 60


class Throughput(NamedTuple):
    """Images answered per second during a job."""

    edges: NDArray[np.float64]  # (bins + 1,), seconds since the job started
    rates: NDArray[np.float64]  # (bins,), images per second within each bin


class Confidences(NamedTuple):
    """Number of classified images in each bin of confidence. All bins have the same width."""

    edges: NDArray[np.float64]  # (bins + 1,), 0 to 1
    right: NDArray[np.int64]  # (bins,)
    wrong: NDArray[np.int64]  # (bins,)
    unlabelled: NDArray[np.int64]  # (bins,)


def throughput(timeline: list[TimelinePoint], seconds: float) -> Throughput | None:
    """Return the rates of a job, or None if the timeline is too short.

    Answers arrive in batches. Each bin covers several of them, so that the chart shows the rate and not single batches.

    Args:
        timeline: Progress of the job, by time.
        seconds: Length of the job, in seconds.
    """
    # Times and counts must not decrease, even if a clock was set back or another client took over.
    times = np.maximum.accumulate(np.array([0.0, *(moment.seconds for moment in timeline)]))
    images = np.maximum.accumulate(np.array([0, *(moment.images for moment in timeline)], np.float64))
    end = max(seconds, float(times[-1]))
    if len(timeline) < 2 or end <= 0:
        return None
    bins = int(np.clip(len(timeline) // _POINTS_PER_BIN, _MIN_BINS, _MAX_BINS))
    edges = np.linspace(0.0, end, bins + 1)
    return Throughput(edges, np.diff(np.interp(edges, times, images)) / np.diff(edges))


def confidences(results: Results) -> Confidences:
    """Count the classified images by confidence and by whether they are right."""
    edges = np.linspace(0.0, 1.0, _CONFIDENCE_BINS + 1)
    classified, labelled, right = results.classified, results.labelled, results.right

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.histogram(results.confidences[chosen], edges)[0].astype(np.int64)

    return Confidences(
        edges,
        right=count(classified & labelled & right),
        wrong=count(classified & labelled & ~right),
        unlabelled=count(classified & ~labelled),
    )
