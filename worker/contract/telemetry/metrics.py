"""The table of all metrics: name, type, labels, unit, meaning, and what to do when one moves.

docs/monitoring.md shows this table, and a test compares both. No other module spells the name of a metric.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """How a metric behaves, in Prometheus' words."""

    COUNTER = "counter"  # it only grows, until its process restarts
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Outcome(StrEnum):
    """How an image ended."""

    ANSWERED = "answered"  # a digit, and nothing to doubt
    REVIEW = "review"  # a digit that a person should look at
    ERROR = "error"  # an error row


class Stage(StrEnum):
    """What a batch, or a call of single images, goes through."""

    QUEUE = "queue"  # from its arrival in Redis until a worker claims it
    DECODE = "decode"
    CLASSIFY = "classify"
    FINISH = "finish"  # storing the answers


JOBS = "jobs"
"""The lane of batches. The lanes of single images have the names of `worker.contract.lane.CallKind`."""

LOW_CONFIDENCE = "low_confidence"
"""The reason for a review that the network gives. The image path gives the others (`DoubtCode`)."""

OTHER = "other"
"""Stands for further versions of the model, once a process has counted for hundreds of them."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_IMAGES = (1, 4, 16, 64, 256, 1024, 4096)
_MINUTES = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0)


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: Name in Prometheus.
        kind: How it behaves.
        where: Roles that expose it.
        unit: What its value counts.
        meaning: What it says.
        action: What to do when it moves.
        labels: Names of its labels.
        buckets: Upper limits of the buckets of a histogram, ascending.
    """

    name: str
    kind: Kind
    where: str
    unit: str
    meaning: str
    action: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


PROCESS = Metric(
    "digitmill_process_info",
    Kind.GAUGE,
    "all",
    "1",
    "The process behind this address: its role, its name in `digitmill status` and in the logs, and its version.",
    "Compare the versions after an upgrade.",
    ("role", "name", "version"),
)
IMAGES = Metric(
    "digitmill_images_total",
    Kind.COUNTER,
    "worker",
    "images",
    "Images that this worker has answered, in jobs and as single images. `outcome` is `answered`, `review` or `error`. "
    "`reason` says why: `low_confidence` or a doubt of the picture for a review, an error code for an error. Errors "
    "have an empty `model`.",
    "If errors grow, look at `reason`; docs/exit-codes.md explains each.",
    ("outcome", "reason", "model"),
)
BATCH_SECONDS = Metric(
    "digitmill_batch_seconds",
    Kind.HISTOGRAM,
    "worker",
    "seconds",
    "Time that a batch spends in each stage: `queue`, `decode`, `classify`, `finish`. `lane` is `jobs` for batches, "
    "and `arrays` or `files` for calls of single images, of which only `decode` and `classify` are timed.",
    "If `queue` grows, add workers. If `finish` grows, Redis is slow. If `decode` grows, the files are larger.",
    ("stage", "lane"),
    _SECONDS,
)
BATCH_IMAGES = Metric(
    "digitmill_batch_images",
    Kind.HISTOGRAM,
    "worker",
    "images",
    "Images in a batch, or in a call of single images.",
    "Batches of a few images cost more per image: let clients send more at once.",
    ("lane",),
    _IMAGES,
)
MODEL = Metric(
    "digitmill_model_info",
    Kind.GAUGE,
    "worker",
    "1",
    "The version that serves as the live one. A worker has two for a moment while it changes, because each of its "
    "processes follows for itself.",
    "If two workers differ for more than seconds, see the alert `DigitmillModelNotFollowed`.",
    ("version",),
)
RELOADS = Metric(
    "digitmill_model_reloads_total",
    Kind.COUNTER,
    "worker",
    "changes",
    "Changes of the version that serves: `loaded`, or `failed` if the live version could not be loaded.",
    "If `failed` grows, `digitmill status` says why the version cannot be loaded.",
    ("outcome",),
)
RESTARTS = Metric(
    "digitmill_process_restarts_total",
    Kind.COUNTER,
    "worker",
    "processes",
    "Processes of this worker that died and were replaced: `classifying` or `lane`.",
    "An image or a model kills them, or memory is short. The worker's log says which.",
    ("process",),
)
TRAININGS = Metric(
    "digitmill_training_seconds",
    Kind.HISTOGRAM,
    "trainer",
    "seconds",
    "Time from the claim of a training to its end: `done`, `refused`, `failed` or `cancelled`. `stopped` means that "
    "this trainer gave it back or lost it.",
    "If `failed` grows, `digitmill train --status` says why.",
    ("outcome",),
    _MINUTES,
)
FIRINGS = Metric(
    "digitmill_scheduled_trainings_total",
    Kind.COUNTER,
    "scheduler",
    "firings",
    "Firings of the schedule: `asked` for a training, or `skipped`.",
    "If only `skipped` grows, nothing was taught, or a training has not ended. The scheduler's log says which.",
    ("outcome",),
)
REQUESTS = Metric(
    "digitmill_http_seconds",
    Kind.HISTOGRAM,
    "serve",
    "seconds",
    "Time from the header of a request to the end of its response, by path and status. Unknown paths are `other`.",
    "If 503 grows, `/readyz` says why. If 4xx grows, clients send what they should not.",
    ("path", "status"),
    _SECONDS,
)

METRICS = (
    PROCESS,
    IMAGES,
    BATCH_SECONDS,
    BATCH_IMAGES,
    MODEL,
    RELOADS,
    RESTARTS,
    TRAININGS,
    FIRINGS,
    REQUESTS,
)
