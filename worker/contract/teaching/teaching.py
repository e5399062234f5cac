"""The operations on taught images: one method for each script, and the reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from model.errors import UsageError
from worker.contract.scripts import load_scripts
from worker.contract.teaching import keys
from worker.contract.teaching.records import LabelChange, label_of
from worker.contract.training import Trainings

if TYPE_CHECKING:
    import redis

MAX_WAITING = 10_000
"""Changes that may wait for the trainer, at about 1 kB each, so that nobody can fill Redis while no trainer runs."""

MAX_TAUGHT = 100_000
"""Images that the trainer keeps: it holds all in memory, and MNIST itself has 60,000."""

BATCH = 200
"""Changes in one call: 200 kB, which take Redis some milliseconds."""

KEEPER_SECONDS = 15.0
"""Seconds without a renewal after which a trainer with another folder may become the keeper."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The taught images in figures.

    Attributes:
        images: Images that the trainer keeps.
        waiting: Changes that wait for the trainer.
        new: Changes, including those that wait, that no training has seen; see `Teaching.new_since_last_training`.
    """

    images: int
    waiting: int
    new: int


class Settled(NamedTuple):
    """What became of one image.

    Attributes:
        sha256: SHA-256 of the image.
        record: Record from the inbox that this settles, or b"" if somebody changed the folder by hand.
        kept: The image as the folder keeps it now, or None if it does not.
    """

    sha256: str
    record: bytes
    kept: LabelChange | None


class Teaching:
    """Everything that one Redis keeps about teaching.

    No method waits or retries. Each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every
    method raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = client
        self._scripts = load_scripts(client, "worker.contract.teaching", ("send", "settle", "claim_keeper"))

    # Clients ------------------------------------------------------------------------------------------------------

    def send(self, changes: Sequence[LabelChange]) -> list[int | None] | None:
        """Put at most `BATCH` changes into the inbox, all or none; skip those whose image has that label already.

        Returns:
            The label that each image had before; or None if too many changes wait, so that the trainer must settle
            some first.

        Raises:
            UsageError: There would be more taught images than a trainer keeps.
        """
        words = [word for change in changes for word in (change.sha256, change.to_wire())]
        answer = self._scripts["send"](
            keys=[keys.INBOX, keys.TAUGHT, keys.KEEPER], args=[MAX_WAITING, MAX_TAUGHT, *words]
        )
        if answer == 0:
            return None
        if answer == -1:
            raise UsageError(
                f"More than {MAX_TAUGHT:,} images cannot be taught. Remove some: `digitmill teach --list` shows them."
            )
        return [label_of(label) for label in answer]

    # The trainer that keeps them ----------------------------------------------------------------------------------

    def claim_keeper(self, folder: str, *, seconds: float = KEEPER_SECONDS) -> bool:
        """Make a folder the one that keeps the taught images; return False if another folder is.

        Args:
            folder: Identity of the folder.
            seconds: Time after which another folder may take its place unless this one claims it again.
        """
        return bool(self._scripts["claim_keeper"](keys=[keys.KEEPER], args=[folder, int(seconds * 1000)]))

    def release_keeper(self, folder: str) -> None:
        """Let another folder take the place of this one at once."""
        self.claim_keeper(folder, seconds=0)

    def waiting(self) -> int:
        """Return how many changes wait in the inbox."""
        return int(self._redis.hlen(keys.INBOX))

    def inbox(self) -> Iterator[tuple[str, bytes]]:
        """Yield the SHA-256 and the record of each change in the inbox."""
        return self._records(keys.INBOX)

    def changes(self) -> int:
        """Return how many changes the account has had so far."""
        return int(self._redis.get(keys.CHANGES) or 0)

    def settle(self, settled: Sequence[Settled]) -> None:
        """Move changes, at most `BATCH`, from the inbox into the account."""
        words = [word for sha256, record, kept in settled for word in (sha256, record, kept.to_wire() if kept else b"")]
        self._scripts["settle"](keys=[keys.INBOX, keys.TAUGHT, keys.CHANGES], args=words)

    # Anyone -------------------------------------------------------------------------------------------------------

    def new_since_last_training(self) -> int:
        """Return how many changes of the taught images the last training that ended with a model has not seen.

        Teaching, correcting and removing an image are one change each, including changes by hand in the trainer's
        folder and changes that still wait for the trainer. A training that failed or was cancelled has seen nothing.
        """
        seen = Trainings(self._redis).seen()  # first, so that what changes meanwhile counts as new
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(keys.CHANGES)
            pipeline.hlen(keys.INBOX)
            changes, waiting = pipeline.execute()
        return max(int(changes or 0) - seen, 0) + int(waiting)

    def summary(self) -> Summary:
        """Return the taught images in figures."""
        return Summary(int(self._redis.hlen(keys.TAUGHT)), self.waiting(), self.new_since_last_training())

    def labels(self) -> dict[str, int]:
        """Return the label of each image in the account, by its SHA-256.

        Raises:
            WireError: A record is damaged.
        """
        labels = {sha256: label_of(record) for sha256, record in self._records(keys.TAUGHT)}
        return {sha256: label for sha256, label in labels.items() if label is not None}

    def label_changes(self) -> tuple[list[LabelChange], list[LabelChange]]:
        """Return the images that the trainer keeps, and the changes that wait for it.

        Raises:
            WireError: A record is damaged, or has a format that this program does not read.
        """
        kept, waiting = (
            [LabelChange.from_wire(sha256, record) for sha256, record in self._records(key)]
            for key in (keys.TAUGHT, keys.INBOX)
        )
        return kept, waiting

    def find(self, beginning: str) -> list[str]:
        """Return each SHA-256, sorted, of the images kept or waiting that begins like this."""
        found = {sha256 for key in (keys.TAUGHT, keys.INBOX) for sha256, _ in self._records(key)}
        return sorted(sha256 for sha256 in found if sha256.startswith(beginning))

    def _records(self, key: str) -> Iterator[tuple[str, bytes]]:
        """Yield the records of a hash, read in bounded steps; one that stays there is yielded exactly once."""
        given = set()
        for sha256, record in self._redis.hscan_iter(key, count=BATCH):
            if sha256 not in given:  # Redis scans a part of a growing hash twice
                given.add(sha256)
                yield sha256.decode("ascii", "replace"), record
