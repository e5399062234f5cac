"""The order of a job: what its user submitted, kept beside the journal on the machine of that user.

Redis has a copy, which anyone may change who can write to Redis. Only the order here names paths that a client opens.
"""

import contextlib
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from model.errors import DataError, UsageError
from model.inference.review import REVIEW_BELOW
from model.records import Damaged, from_json, to_json
from producer.jobs.kept.files import open_job_file
from producer.sources import Form
from worker.contract.ledger import JobRecord
from worker.contract.validation.identifiers import Kind, host_name, is_valid, this_process
from worker.settings import Settings

FORMAT = 1
MAX_ORDER_BYTES = 16 * 1024 * 1024

Several: TypeAlias = Literal["refuse", "read"]
"""What to do with an image of several digits: give it an error, or read each of them."""

Listed: TypeAlias = Literal["", "lines", "null"]
"""Whether a path is that of a list of paths, and what separates them."""

_SUFFIXES = ("order", "list", "sent", "journal", "trace")


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What to submit, and how.

    Attributes:
        path: Absolute path of a folder, file or archive; or `mnist`; or "" for images that were given one by one. A
            job with "" cannot be resumed, because nothing can read its images again.
        labels: Source of the true labels: `auto`, `folder`, `none`, or the path of a CSV file.
        include: Globs. If there are any, only images that match one are submitted.
        exclude: Globs. Images that match one are not submitted.
        batch_size: Maximum number of images in one batch, or None for the default of their kind.
        probabilities: Whether to ask for the ten probabilities of each image.
        model: Version, or another word that the registry resolves; `live` to follow promotions; or None for the
            version that is live when the job starts.
        min_confidence: Confidence, 0 to 1, below which the report lists an image for review; None lists none.
        several: What to do with an image of several digits. If they are read, labels are numbers, and nobody gets
            probabilities.
        as_is: Whether to send the numbers of an array file as they are, whatever they look like.
        form: How the numbers of an array file become images, as it was decided when the job was made; None for images
            of other kinds.
        more: Absolute paths of what was submitted together with `path`.
        listed: Whether the images are those of a list of paths, which is `path`, and what separates its paths: `lines`
            or `null`. "" if they are not.
        folder: Folder in which the relative paths of the list begin, or "" without a list.
        new: Whether the job has only the images that its output lacked. It is not resumed: the same command goes on.
    """

    path: str
    labels: str = "auto"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    batch_size: int | None = None
    probabilities: bool = False
    model: str | None = None
    min_confidence: float | None = REVIEW_BELOW
    several: Several = "refuse"
    as_is: bool = False
    form: Form | None = None
    more: tuple[str, ...] = ()
    listed: Listed = ""
    folder: str = ""
    new: bool = False

    @property
    def reads_numbers(self) -> bool:
        """Whether the answer to an image is a number and not a digit."""
        return self.several == "read"

    @property
    def resumable(self) -> bool:
        """Whether the images of the job can be found again."""
        return bool(self.path) and not self.new

    @property
    def read_as(self) -> str:
        """How the numbers of an array file become images, in words; "" if there is nothing to say."""
        return self.form.sentence if self.form else ""


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that is fixed when a job is made. It suffices to make the job again.

    Attributes:
        job: Identifier of the job.
        options: What was submitted, and how.
        detached: Whether its client leaves before the answers are there.
        description: What was submitted, in words.
        model: Version of the model that classifies all images.
        client: Host and process of the client that submitted it.
        host: Name of the machine that submitted it.
        folder: Folder of this order at that time.
        created: Time of creation by the clock of Redis: unix time, seconds.
        total: Number of images, or None if it is unknown.
    """

    job: str
    options: SubmitOptions
    detached: bool
    description: str
    model: str
    client: str
    host: str
    folder: str
    created: float
    total: int | None = None

    def record(self) -> JobRecord:
        """Return the record that Redis keeps."""
        folder = "" if self.detached else str(Path(self.folder) / f"{self.job}.journal")
        return JobRecord(self.description, self.model, self.client, asdict(self.options), folder, self.total)


def new_order(
    settings: Settings,
    job: str,
    options: SubmitOptions,
    description: str,
    model: str,
    *,
    detached: bool,
    created: float,
    total: int | None = None,
) -> Order:
    """Return the order of a job that this process submits. See `Order` for the arguments."""
    host = this_host()
    client, folder = this_process(), str(jobs_folder(settings))
    return Order(job, options, detached, description, model, client, host, folder, created, total)


def write_order(settings: Settings, order: Order) -> None:
    """Write a new order, for this user alone.

    Raises:
        FileExistsError: This machine has a job of that name.
        UsageError: The file cannot be written.
    """
    with open_job_file(job_file(settings, order.job, "order"), new=True) as file:
        file.write(to_json(order, format=FORMAT).encode("ascii"))
        file.flush()
        os.fsync(file.fileno())


def read_order(settings: Settings, job: str) -> Order | None:
    """Return the order of a job, or None if it was not submitted with this data folder.

    Raises:
        DataError: The file is damaged.
    """
    path = job_file(settings, job, "order")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_ORDER_BYTES)
    except FileNotFoundError:
        return None
    try:
        order = from_json(Order, text, format=FORMAT)
    except Damaged as fault:
        raise DataError(f"The order of job {job} in {path} is damaged ({fault}). Submit the images again.") from None
    if order.job != job:
        raise DataError(f"The file {path} is the order of another job. Give it its original name.")
    return order


def order_of(settings: Settings, job: str) -> Order:
    """Return the order of a job that was submitted with this data folder.

    Raises:
        DataError: The order is damaged.
        UsageError: The job was submitted elsewhere.
    """
    order = read_order(settings, job)
    if order is None:
        raise UsageError(f"The order of job {job} is not in {jobs_folder(settings)}. Submit the images again.")
    return order


def find_order(settings: Settings, query: str) -> Order | None:
    """Return the order that is meant by `last`, by an identifier, or by the beginning of one; see `Ledger.find_job`.

    Returns:
        The order, or None if none or several are meant.
    """
    folder = jobs_folder(settings)
    jobs = sorted((path.stem for path in folder.glob("*.order")), reverse=True)
    if query == "last":
        orders = (read_order(settings, job) for job in jobs)
        return next((order for order in orders if order and not order.record().is_little), None)
    meant = [job for job in jobs if job == query] or [job for job in jobs if job.startswith(query)]
    return read_order(settings, meant[0]) if len(meant) == 1 else None


def this_host() -> str:
    """Return the name of this machine."""
    return host_name(socket.gethostname())


def jobs_folder(settings: Settings) -> Path:
    """Return the folder of the files of all jobs that were submitted with these settings."""
    return settings.data / "jobs"


def job_file(settings: Settings, job: str, kind: str) -> Path:
    """Return the path of a file of a job.

    Args:
        settings: Settings of this process.
        job: Identifier of the job, which may come from Redis.
        kind: `order`, `list`, `sent`, `journal` or `trace`.

    Raises:
        UsageError: The identifier is not one, and might lead out of the folder.
    """
    if not is_valid(Kind.JOB, job):
        raise UsageError(f"{job[:80]!r} is not the identifier of a job. `digitmill jobs` lists them.")
    return jobs_folder(settings) / f"{job}.{kind}"


def journal_path(settings: Settings, job: str) -> Path:
    """Return the path of the journal of a job that was submitted from this machine."""
    return job_file(settings, job, "journal")


def remove_files(settings: Settings, job: str) -> None:
    """Delete all files of a job."""
    for kind in _SUFFIXES:
        job_file(settings, job, kind).unlink(missing_ok=True)


def prune_jobs(settings: Settings) -> None:
    """Delete the files of jobs whose records have expired in Redis."""
    oldest = time.time() - settings.result_seconds
    for paths in files_of_jobs(settings).values():
        with contextlib.suppress(FileNotFoundError):  # another client prunes as well
            if max(path.stat().st_mtime for path in paths) < oldest:
                for path in paths:
                    path.unlink()


def files_of_jobs(settings: Settings) -> dict[str, list[Path]]:
    """Return the files of all jobs that were submitted with these settings, by job."""
    files: dict[str, list[Path]] = {}
    for kind in _SUFFIXES:
        for path in sorted(jobs_folder(settings).glob(f"*.{kind}")):
            files.setdefault(path.stem, []).append(path)
    return files
