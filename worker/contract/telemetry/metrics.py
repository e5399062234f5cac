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
    "Time from the header of a request to the end of its response, by path and status. The paths of single jobs, "
    "and unknown ones, are `other`.",
    "If 503 grows, `/readyz` says why. If 4xx grows, clients send what they should not.",
    ("path", "status"),
    _SECONDS,
)

REDIS_UP = Metric(
    "digitmill_redis_up",
    Kind.GAUGE,
    "exporter",
    "1",
    "1 if Redis answers the exporter, or else 0. At 0, the exporter shows nothing else about the mill.",
    "See the alert `DigitmillRedisDown`.",
)
REDIS_MEMORY = Metric(
    "digitmill_redis_memory_bytes",
    Kind.GAUGE,
    "exporter",
    "bytes",
    "Memory that the data in Redis takes.",
    "It follows the batches that wait and the answers that nobody has collected. See `DigitmillRedisMemory`.",
)
REDIS_MEMORY_LIMIT = Metric(
    "digitmill_redis_memory_limit_bytes",
    Kind.GAUGE,
    "exporter",
    "bytes",
    "The limit of that memory (`maxmemory`); 0 for none.",
    "Without a limit, the system may kill Redis. Set one.",
)
REDIS_CLIENTS = Metric(
    "digitmill_redis_clients",
    Kind.GAUGE,
    "exporter",
    "connections",
    "Connections to Redis. Each worker has about ten.",
    "If it grows without workers or clients, some program does not close its connections.",
)
REDIS_WRITES = Metric(
    "digitmill_redis_writes_ok",
    Kind.GAUGE,
    "exporter",
    "1",
    "1 if Redis could write its files the last time, or else 0.",
    "See the alert `DigitmillRedisWrites`.",
)
REDIS_FORK = Metric(
    "digitmill_redis_fork_seconds",
    Kind.GAUGE,
    "exporter",
    "seconds",
    "Time for which Redis stopped when it last forked to rewrite its files.",
    "Above a second, leases run out and batches are done twice. Give Redis less data, or a machine with faster memory.",
)
QUEUE = Metric(
    "digitmill_queue_batches",
    Kind.GAUGE,
    "exporter",
    "batches",
    "Batches (`lane` is `jobs`) that wait, are in work, or are answered and not collected yet; and calls of single "
    "images (`arrays`, `files`) that wait.",
    "If `waiting` grows for long, add workers. If `answered` grows, clients do not collect: see `digitmill jobs`.",
    ("state", "lane"),
)
QUEUE_IMAGES = Metric(
    "digitmill_queue_images",
    Kind.GAUGE,
    "exporter",
    "images",
    "Images in the batches that wait or are in work.",
    "Divided by the rate of `digitmill_images_total`, it is the time until the queue is empty.",
    ("state",),
)
OLDEST = Metric(
    "digitmill_oldest_batch_seconds",
    Kind.GAUGE,
    "exporter",
    "seconds",
    "Time since the oldest batch that waits was submitted; 0 if none waits.",
    "See the alert `DigitmillOldestBatch`.",
)
RUNNING_JOBS = Metric(
    "digitmill_running_jobs",
    Kind.GAUGE,
    "exporter",
    "jobs",
    "Jobs that have not ended.",
    "If it never falls, `digitmill jobs` shows which jobs hang, and why.",
)
GATE = Metric(
    "digitmill_queue_gate",
    Kind.GAUGE,
    "exporter",
    "1",
    "1 for the state of the queue as a whole: `open`, `paused` or `drained`. 0 for the others.",
    "See the alert `DigitmillQueueClosed`. `digitmill status` says who did it, and why.",
    ("state",),
)
WORKERS = Metric(
    "digitmill_workers",
    Kind.GAUGE,
    "exporter",
    "workers",
    "Workers that are `ready`, `starting`, or `silent`: not heard of for 3 seconds, as in `digitmill status`.",
    "If `silent` is not 0, a worker has died or its machine is away. See the alert `DigitmillNoWorker`.",
    ("state",),
)
BEHIND = Metric(
    "digitmill_workers_behind",
    Kind.GAUGE,
    "exporter",
    "workers",
    "Ready workers that serve another version than the live one.",
    "See the alert `DigitmillModelNotFollowed`.",
)
TRAINERS = Metric(
    "digitmill_trainers",
    Kind.GAUGE,
    "exporter",
    "trainers",
    "Trainers that are alive.",
    "Without one, trainings wait, and what users teach is not kept. Start one.",
)
TRAINER_FAULTS = Metric(
    "digitmill_trainer_faults",
    Kind.GAUGE,
    "exporter",
    "trainers",
    "Trainers that something hinders, such as a full disk.",
    "`digitmill status` says what.",
)
SCHEDULERS = Metric(
    "digitmill_schedulers",
    Kind.GAUGE,
    "exporter",
    "schedulers",
    "Schedulers that are alive.",
    "Without one, nothing trains on schedule. Start one.",
)
LIVE = Metric(
    "digitmill_live_model_info",
    Kind.GAUGE,
    "exporter",
    "1",
    "The live version in the registry. `digitmill_model_info` says which one each worker serves.",
    "`digitmill models list` says who changed it, and why.",
    ("version",),
)
REVIEW_RATIO = Metric(
    "digitmill_review_ratio",
    Kind.GAUGE,
    "exporter",
    "share, 0 to 1",
    "Share of the images that a person should look at, of those that the live version read on the last day with "
    "answers.",
    "See the alert `DigitmillReviewShareUp`.",
    ("model",),
)
DRIFT = Metric(
    "digitmill_drift",
    Kind.GAUGE,
    "exporter",
    "1",
    "1 if the answers of the last day differ from those of the days before, beyond chance.",
    "`digitmill status` says how. docs/operations.md says what to do about drift.",
)
TRAINING_STATE = Metric(
    "digitmill_training_state",
    Kind.GAUGE,
    "exporter",
    "1",
    "1 for the state of the training that was asked for last: `asked`, `running`, `done`, `refused`, `failed` or "
    "`cancelled`. 0 for the others.",
    "See the alert `DigitmillTrainingFailed`. `refused` is not a fault: the candidate was not better.",
    ("state",),
)
DAMAGED = Metric(
    "digitmill_damaged_records",
    Kind.GAUGE,
    "exporter",
    "records",
    "Records in Redis that the exporter could not read.",
    "Another program writes to this Redis. `digitmill status` names the records and the remedy.",
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
    REDIS_UP,
    REDIS_MEMORY,
    REDIS_MEMORY_LIMIT,
    REDIS_CLIENTS,
    REDIS_WRITES,
    REDIS_FORK,
    QUEUE,
    QUEUE_IMAGES,
    OLDEST,
    RUNNING_JOBS,
    GATE,
    WORKERS,
    BEHIND,
    TRAINERS,
    TRAINER_FAULTS,
    SCHEDULERS,
    LIVE,
    REVIEW_RATIO,
    DRIFT,
    TRAINING_STATE,
    DAMAGED,
)
