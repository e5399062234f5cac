"""The operations on what is taught: one method for each script, and the reads."""

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
"""Changes that wait for the trainer, at about 1 kB each: so nobody can fill Redis while no trainer runs."""

MAX_TAUGHT = 100_000
"""Images that are kept: the trainer holds all in memory, and MNIST itself has 60,000."""

BATCH = 200
"""Changes in one call: 200 kB, some milliseconds of Redis."""

KEEPER_SECONDS = 15.0
"""A trainer that has said nothing for so long keeps nothing any more; one with another folder may take its place."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is taught, in figures.

    Attributes:
        images: that the trainer keeps.
        waiting: changes that wait for the trainer.
        new: changes, those that wait included, that no training has seen; see `Teaching.new_since_last_training`.
    """

    images: int
    waiting: int
    new: int


class Settled(NamedTuple):
    """What became of one image.

    Attributes:
        sha256: of the image.
        record: from the inbox that this settles, or b"" for what somebody did to the folder by hand.
        kept: how it lies in the folder now, or None if it does not.
    """

    sha256: str
    record: bytes
    kept: LabelChange | None


class Teaching:
    """All that is written about teaching in one Redis.

    No method waits or retries; each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every method
    raises redis-py's errors as they come.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = client
        self._scripts = load_scripts(client, "worker.contract.teaching", ("send", "settle", "hold"))

    # Whoever teaches ----------------------------------------------------------------------------------------------

    def send(self, lessons: Sequence[LabelChange]) -> list[int | None] | None:
        """Put at most `BATCH` changes into the inbox, all or none; return the label that each image had before.

        What is known with that label already is not put there again.

        Returns:
            None if too many wait: the trainer has to settle some first.

        Raises:
            UsageError: more images would be taught than are ever kept.
        """
        words = [word for lesson in lessons for word in (lesson.sha256, lesson.to_wire())]
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

    # The trainer that keeps them ------------------------------------------------------------------------------------

    def hold(self, folder: str, *, seconds: float = KEEPER_SECONDS) -> bool:
        """Say that what is taught is kept in this folder; return False if it is in another one.

        Forgotten after so many seconds unless said again; with 0, at once.
        """
        return bool(self._scripts["hold"](keys=[keys.KEEPER], args=[folder, int(seconds * 1000)]))

    def waiting(self) -> int:
        """Return how many changes wait."""
        return int(self._redis.hlen(keys.INBOX))

    def inbox(self) -> Iterator[tuple[str, bytes]]:
        """Read what waits, as SHA-256 and record."""
        return self._records(keys.INBOX)

    def changes(self) -> int:
        """Return how many changes the account has had so far."""
        return int(self._redis.get(keys.CHANGES) or 0)

    def settle(self, settled: Sequence[Settled]) -> None:
        """Take these, at most `BATCH`, off the inbox and into the account."""
        words = [word for sha256, record, kept in settled for word in (sha256, record, kept.to_wire() if kept else b"")]
        self._scripts["settle"](keys=[keys.INBOX, keys.TAUGHT, keys.CHANGES], args=words)

    # Anyone -------------------------------------------------------------------------------------------------------

    def new_since_last_training(self) -> int:
        """Return how many changes of what is taught the last training that ended with a model has not seen.

        Teaching, correcting and removing an image are a change each, also by hand in the trainer's folder, and also
        while they still wait for the trainer. What a training saw that failed or was cancelled does not count as seen.
        """
        seen = Trainings(self._redis).seen()  # first: what changes meanwhile is new
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(keys.CHANGES)
            pipeline.hlen(keys.INBOX)
            changes, waiting = pipeline.execute()
        return max(int(changes or 0) - seen, 0) + int(waiting)

    def summary(self) -> Summary:
        """Return what is taught, in figures."""
        return Summary(int(self._redis.hlen(keys.TAUGHT)), self.waiting(), self.new_since_last_training())

    def labels(self) -> dict[str, int]:
        """Return the label of each image in the account, by its SHA-256."""
        labels = {sha256: label_of(record) for sha256, record in self._records(keys.TAUGHT)}
        return {sha256: label for sha256, label in labels.items() if label is not None}

    def lessons(self) -> tuple[list[LabelChange], list[LabelChange]]:
        """Return what the trainer keeps, and what waits for it.

        Raises:
            WireError: a record is damaged, or of a format that this program does not read.
        """
        kept, waiting = (
            [LabelChange.from_wire(sha256, record) for sha256, record in self._records(key)]
            for key in (keys.TAUGHT, keys.INBOX)
        )
        return kept, waiting

    def find(self, beginning: str) -> list[str]:
        """Return the SHA-256 of the images, kept or waiting, that begins so."""
        found = {sha256 for key in (keys.TAUGHT, keys.INBOX) for sha256, _ in self._records(key)}
        return sorted(sha256 for sha256 in found if sha256.startswith(beginning))

    def _records(self, key: str) -> Iterator[tuple[str, bytes]]:
        """Everything in a hash, in bounded steps; one that is there all the time is given exactly once."""
        given = set()
        for sha256, record in self._redis.hscan_iter(key, count=BATCH):
            if sha256 not in given:  # a hash that grows meanwhile is scanned partly twice
                given.add(sha256)
                yield sha256.decode("ascii", "replace"), record
