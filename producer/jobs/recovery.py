"""What Redis has lost of a job that no client gathers: how many images, and, on the machine that sent them, which."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from producer.jobs.kept.order import job_file, read_order
from producer.jobs.kept.sent import read_manifests, read_sent
from producer.mill.connection import Connection
from producer.public import jobs
from producer.public.jobs import ShownJob
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.ledger import JobStatus, Owner, Part, Presence
from worker.contract.wire import Manifest, Result
from worker.settings import Settings

READ_AT_ONCE = 100
"""Number of answers that one command fetches."""

SHOWN_NAMES = 3
"""Number of images that a message names."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What Redis has lost of a job.

    Attributes:
        batches: Number of batches of which something is lost.
        images: Number of lost images.
        names: Names of the lost images, as far as they are known here.
        resumable: Whether this machine can send them again.
    """

    batches: int
    images: int
    names: tuple[str, ...]
    resumable: bool

    def describe(self) -> str:
        """Return the loss in words: `12 images in 2 batches (a.png, b.png, c.png and 9 more)`."""
        images = f"{self.images:,} image{'' if self.images == 1 else 's'}"
        words = f"{images} in {self.batches:,} batch{'' if self.batches == 1 else 'es'}"
        if not self.names:
            return words
        more = len(self.names) - SHOWN_NAMES
        return f"{words} ({', '.join(self.names[:SHOWN_NAMES])}{f' and {more:,} more' if more > 0 else ''})"


def find_loss(connection: Connection, status: JobStatus, settings: Settings, *, kept: Collection[int] = ()) -> Loss:
    """Return what Redis has lost of a job that no client gathers.

    Args:
        connection: Connection to the mill.
        status: Status of the job.
        settings: Settings of this process. If it sent the job, its data folder says what was sent.
        kept: Sequence numbers of batches with answers in a journal, which Redis need not have.

    Raises:
        DataError: The log of what was sent is damaged.
        WireError: A manifest is damaged.
    """
    job, path = status.identifier, job_file(settings, status.identifier, "sent")
    sent = {sequence: batch for sequence, batch in read_sent(path).items() if sequence not in kept}
    if sent:
        lost = lost_parts(connection, job, {sequence: batch.images for sequence, batch in sent.items()})
        manifests = read_manifests(path, {part.sequence: sent[part.sequence] for part in lost})
        names = tuple(name for part in lost for name in names_of(part, manifests))
        resumable = read_order(settings, job) is not None
        return Loss(len({part.sequence for part in lost}), sum(map(len, lost)), names, resumable)
    # Elsewhere only the manifests in Redis tell what was sent. Of a batch without one, the counters know.
    manifests = connection.ledger.manifests(job)
    images = {sequence: len(manifest.names) - len(manifest.failures) for sequence, manifest in manifests.items()}
    lost = lost_parts(connection, job, images)
    unnamed = max(status.batches - len(manifests), 0)
    rows = sum(len(manifest.names) for manifest in manifests.values())
    missing = max(status.images - rows, 0) if unnamed else 0
    names = tuple(name for part in lost for name in names_of(part, manifests))
    return Loss(len({part.sequence for part in lost}) + unnamed, sum(map(len, lost)) + missing, names, resumable=False)


def current_loss(connection: Connection, status: JobStatus, settings: Settings) -> Loss | None:
    """Return what Redis has lost of a job, or None if its client sends that again, or nobody waits for it.

    Raises:
        DataError: The log of what was sent is damaged.
        WireError: A manifest is damaged.
    """
    detached = not status.record.folder and status.state not in ("cancelled", "failed")
    return find_loss(connection, status, settings) if detached else None


def shown_job(status: JobStatus, loss: Loss | None) -> ShownJob:
    """Return a job for programs.

    Args:
        status: Status of the job.
        loss: What Redis has lost of it, as `current_loss` returns it.
    """
    lost = None
    if loss and loss.batches:
        lost = jobs.Loss(batches=loss.batches, images=loss.images, names=list(loss.names))
    return ShownJob(**jobs.job_values(status), lost=lost)


def lost_parts(connection: Connection, job: str, sent: Mapping[int, int]) -> list[Part]:
    """Return the parts of some batches that Redis has lost, in order.

    A batch without a manifest is lost as a whole, because nobody could name its images.

    Args:
        connection: Connection to the mill.
        job: Identifier of the job.
        sent: Number of images by sequence number.
    """
    checked = connection.ledger.owned(job, Owner("", "", "")).look(sent)
    if checked.presence is Presence.GONE:
        return [Part(job, sequence, 0, images) for sequence, images in sorted(sent.items())]
    bare = set(checked.bare)
    named = [part for part in checked.lost if part.sequence not in bare]
    return sorted([*named, *(Part(job, sequence, 0, sent[sequence]) for sequence in bare)])


def damaged_parts(connection: Connection, parts: Iterable[Part]) -> list[Part]:
    """Return those of some answered parts whose answers are damaged in Redis, in order.

    Args:
        connection: Connection to the mill.
        parts: Parts of one job.

    Raises:
        UnknownFormat: An answer has a format that this program does not read.
    """
    return [part for part, result in read_answers(connection, parts) if result is None]


def read_answers(connection: Connection, parts: Iterable[Part]) -> Iterator[tuple[Part, Result | None]]:
    """Yield the answers to some parts of one job, in order, with None for an answer that is damaged.

    Raises:
        UnknownFormat: An answer has a format that this program does not read.
    """
    ordered = sorted(parts)
    for start in range(0, len(ordered), READ_AT_ONCE):
        answers = connection.ledger.results(ordered[start : start + READ_AT_ONCE])
        for part, data in answers.items():
            try:
                result = Result.from_wire(data)
            except UnknownFormat:
                raise
            except WireError:
                yield part, None
            else:
                yield part, result if len(result) == len(part) else None


def names_of(part: Part, manifests: Mapping[int, Manifest]) -> list[str]:
    """Return the names of the images of a part."""
    manifest = manifests[part.sequence]
    travelled = [name for row, name in enumerate(manifest.names) if row not in manifest.failures]
    return travelled[part.start : part.stop]


def sender_of(status: JobStatus) -> str:
    """Return where the client of a job is or was, in words: `host-1 with the folder /data/jobs`."""
    record = status.record
    if status.owner_host:
        return f"{status.owner_host} with the folder {status.owner_folder}"
    host = record.client.rpartition("-")[0] or record.client
    folder = record.folder.rpartition("/")[0]
    return f"{host} with the folder {folder}" if folder else host
