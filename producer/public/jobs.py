"""Jobs, as `jobs`, `show`, `wait`, `cancel` and `status` print them and as the HTTP server sends them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from producer.public.body import Body, Damaged, Document, Time, damaged, time_if, time_of

if TYPE_CHECKING:
    from worker.contract.ledger import JobStatus
    from worker.contract.validation.reading import DamagedRecord


class Job(Body, kw_only=True, frozen=True):
    """A job as it stands.

    Attributes:
        job: Name of the job.
        state: `submitting`, `running`, `done`, `done with errors`, `cancelled` or `failed`.
        source: What was submitted, in words.
        model: Version of the model that classifies all images, or `live`.
        client: Host and process of the client that submitted it.
        options: Submit options by name.
        created: Time of its creation.
        ended: Time of its end, or null.
        total: Number of all images, or null while it is not known.
        images: Number of images sent so far.
        answered: Number of those with a prediction or an error.
        failed: Number of those with an error.
        batches: Number of batches sent so far.
        open_batches: Number of parts of batches that wait or are being classified.
        unacknowledged_batches: Number of answered parts that no client has gathered yet.
        problem: What hinders the job, or null.
        folder: Folder in which its client keeps its answers, or null for a detached job.
        owner_host: Machine of the client that gathers it, or that sends it if it is detached, or null.
        owner_folder: Folder in which that client keeps its order and answers, or null.
        owner_seen: Time at which that client was seen last; null if it has left or is not known.
    """

    job: str
    state: str
    source: str
    model: str
    client: str
    options: dict[str, Any]
    created: Time
    ended: Time | None
    total: int | None
    images: int
    answered: int
    failed: int
    batches: int
    open_batches: int
    unacknowledged_batches: int
    problem: str | None
    folder: str | None
    owner_host: str | None
    owner_folder: str | None
    owner_seen: Time | None


class OneJob(Job, Document, kw_only=True, frozen=True):
    """What `wait` and `cancel` print."""


class Loss(Body, kw_only=True, frozen=True):
    """What Redis has lost of a detached job.

    Attributes:
        batches: Number of batches.
        images: Number of images in them.
        names: Names of some of these images.
    """

    batches: int
    images: int
    names: list[str]


class ShownJob(Job, Document, kw_only=True, frozen=True):
    """What `show` prints, and what `GET /v1/jobs/JOB` answers.

    Attributes:
        lost: What Redis has lost of it, or null.
    """

    lost: Loss | None


class Jobs(Document, kw_only=True, frozen=True):
    """What `jobs` prints, and what `GET /v1/jobs` answers.

    Attributes:
        jobs: Latest jobs, newest first.
        damaged: Jobs whose records cannot be read.
    """

    jobs: list[Job]
    damaged: list[Damaged]


class Sent(Document, kw_only=True, frozen=True):
    """What `submit --detach` prints.

    Attributes:
        job: Name of the job.
    """

    job: str


class Reviewed(Document, kw_only=True, frozen=True):
    """What `review` prints.

    Attributes:
        job: Name of the job.
        report: Path of the page.
    """

    job: str
    report: str


class Preview(Document, kw_only=True, frozen=True):
    """What `submit --dry-run` prints.

    Attributes:
        source: What would be submitted, in words.
        images: Number of images.
        failed: Number of those that cannot be read.
        labels: Number of images with each label, and with the label `none`.
        left_out: Number of files and folders that are left out, by kind.
        notes: Sentences about the source.
    """

    source: str
    images: int
    failed: int
    labels: dict[str, int]
    left_out: dict[str, int]
    notes: list[str]


def job_values(status: "JobStatus") -> dict[str, Any]:
    """Return the values of a job by key, for each of the forms above."""
    record = status.record
    return {
        "job": status.identifier,
        "state": str(status.state),
        "source": record.source,
        "model": record.model,
        "client": record.client,
        "options": record.options,
        "created": time_of(status.created),
        "ended": time_if(status.ended),
        "total": status.total,
        "images": status.images,
        "answered": status.answered,
        "failed": status.failed,
        "batches": status.batches,
        "open_batches": status.open,
        "unacknowledged_batches": status.unacknowledged,
        "problem": status.problem or None,
        "folder": record.folder or None,
        "owner_host": status.owner_host or None,
        "owner_folder": status.owner_folder or None,
        "owner_seen": time_if(status.owner_seen or None),
    }


def job(status: "JobStatus") -> Job:
    """Return a job as one of several."""
    return Job(**job_values(status))


def list_of(found: "Sequence[JobStatus]", unreadable: "Sequence[DamagedRecord]") -> Jobs:
    """Return the latest jobs, and those that cannot be read."""
    return Jobs(jobs=[job(status) for status in found], damaged=damaged(unreadable))
