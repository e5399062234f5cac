"""The operations on taught images: one method for each script, and the reads."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from model.errors import UsageError
from worker.contract.errors import WireError
from worker.contract.scripts import load_scripts
from worker.contract.teaching import keys
from worker.contract.teaching.records import LabelChange, label_of
from worker.contract.training import Trainings
from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import CheckedRedis, Listed, count, reading

if TYPE_CHECKING:
    import redis

MAX_WAITING = 10_000
"""Maximum number of waiting changes, at about 1 kB each. It keeps Redis from filling up while no trainer runs."""

MAX_TAUGHT = 100_000
"""Maximum number of taught images. A training holds all of them in memory. MNIST itself has 60,000."""

BATCH = 200
"""Maximum number of changes in one call: about 200 kB, which take Redis a few milliseconds."""

KEEPER_SECONDS = 15.0
"""Seconds without a renewal after which the folder of another trainer may become the keeper."""

KEEPER_MS = int(KEEPER_SECONDS * 1000)


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Summary:
    """The taught images in figures.

    Attributes:
        images: Images that the trainer keeps.
        waiting: Changes that wait for the trainer.
        new: Changes, including those that wait, that no training has seen (see `Teaching.new_since_last_training`).
        held: Images that the trainer holds back, because their labels are suspicious.
    """

    images: int
    waiting: int
    new: int
    held: int = 0


class Listing(NamedTuple):
    """All taught images."""

    kept: Listed[LabelChange]  # those that trainings use
    waiting: Listed[LabelChange]  # changes that wait for the trainer
    held: Listed[LabelChange]  # images that are held back, with pixels


class Settled(NamedTuple):
    """The outcome for one image.

    Attributes:
        sha256: SHA-256 of the image.
        record: Record from the inbox that this settles, or b"" if a user changed the folder by hand.
        kept: The image as the folder keeps it now, or None if the folder does not keep it.
    """

    sha256: str
    record: bytes
    kept: LabelChange | None


class Teaching:
    """Everything that a Redis keeps about teaching.

    No method waits or retries. Each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every
    method raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = CheckedRedis(client)
        names = ("send", "settle", "claim_keeper")
        self._scripts = load_scripts(client, "worker.contract.teaching", names)
        self._client = client

    # Clients ------------------------------------------------------------------------------------------------------

    def send(self, changes: Sequence[LabelChange]) -> list[int | None] | None:
        """Put at most `BATCH` changes into the inbox, all or none. Skip changes to a label that the image has already.

        Returns:
            The label that each image had before, or None for an image without one. If too many changes wait, None
            instead of the list: then the trainer must settle some first.

        Raises:
            UsageError: There would be more taught images than a trainer keeps.
        """
        words = [word for change in changes for word in (change.sha256, change.to_wire())]
        answer = self._scripts["send"](
            keys=[keys.INBOX, keys.TAUGHT, keys.KEEPER, keys.HELD], args=[MAX_WAITING, MAX_TAUGHT, KEEPER_MS, *words]
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
        """Make a folder the keeper of the taught images. Return False if another folder is the keeper.

        Args:
            folder: Identity of the folder.
            seconds: Time after which another folder may take its place unless this one claims it again.
        """
        arguments = [folder, int(seconds * 1000), KEEPER_MS]
        return bool(self._scripts["claim_keeper"](keys=[keys.KEEPER], args=arguments))

    def release_keeper(self, folder: str) -> None:
        """Let another folder take the place of this one at once."""
        self.claim_keeper(folder, seconds=0)

    def waiting(self) -> int:
        """Return the number of changes in the inbox."""
        return int(self._redis.hlen(keys.INBOX))

    def inbox(self) -> Iterator[tuple[str, bytes]]:
        """Yield the SHA-256 and the record of each change in the inbox. Delete what is not the SHA-256 of anything."""
        yield from self._records(keys.INBOX, deleting=True)

    def changes(self) -> int:
        """Return the number of changes that the account has had so far."""
        return _changes(self._redis.get(keys.CHANGES))

    def settle(self, settled: Sequence[Settled]) -> None:
        """Move at most `BATCH` changes from the inbox into the account."""
        words: list[str | bytes] = []
        for sha256, record, kept in settled:
            is_held = kept is not None and kept.looks_like is not None
            words += [sha256, record, kept.to_wire() if kept else b"", "1" if is_held else ""]
        self._scripts["settle"](keys=[keys.INBOX, keys.TAUGHT, keys.CHANGES, keys.HELD], args=words)

    # Anyone -------------------------------------------------------------------------------------------------------

    def new_since_last_training(self) -> int:
        """Return the number of changes of the taught images since the last training that ended with a model.

        Teaching, correcting and removing an image count as one change each. So do changes by hand in the trainer's
        folder, and changes that still wait for the trainer. A training that failed or was cancelled does not count.
        """
        seen = Trainings(self._client).seen()  # first, so that what changes meanwhile counts as new
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(keys.CHANGES)
            pipeline.hlen(keys.INBOX)
            changes, waiting = pipeline.execute()
        return max(_changes(changes) - seen, 0) + int(waiting)

    def summary(self) -> Summary:
        """Return the taught images in figures."""
        images, held = (int(self._redis.hlen(key)) for key in (keys.TAUGHT, keys.HELD))
        return Summary(images, self.waiting(), self.new_since_last_training(), held)

    def labels(self, *, held: bool = False) -> dict[str, int | None]:
        """Return the label of each image in the account, by its SHA-256, or None if its record is damaged.

        Args:
            held: Whether to return those that are held back instead of those that trainings use.
        """
        labels: dict[str, int | None] = {}
        for sha256, record in self._records(keys.HELD if held else keys.TAUGHT, deleting=True):
            try:
                labels[sha256] = label_of(record)
            except WireError:
                labels[sha256] = None
        return labels

    def label_changes(self) -> Listing:
        """Return all taught images, and the changes that wait for the trainer."""
        listing = Listing(Listed(), Listed(), Listed())
        for key, found in zip((keys.TAUGHT, keys.INBOX, keys.HELD), listing, strict=True):
            for sha256, record in self._records(key):
                found.add(sha256, partial(LabelChange.from_wire, sha256, record))
        return listing

    def find(self, beginning: str) -> list[str]:
        """Return the SHA-256 of each kept or waiting image that begins with `beginning`, sorted."""
        found = {sha256 for key in (keys.TAUGHT, keys.HELD, keys.INBOX) for sha256, _ in self._records(key)}
        return sorted(sha256 for sha256 in found if sha256.startswith(beginning))

    def _records(self, key: str, *, deleting: bool = False) -> Iterator[tuple[str, bytes]]:
        """Yield the SHA-256 and the record of each field of a hash, once each. Read the hash in bounded steps.

        Args:
            key: Key of the hash.
            deleting: Whether to delete fields that cannot be a SHA-256, instead of yielding them.
        """
        given = set()
        cursor = 0
        while True:
            cursor, fields = self._redis.hscan(key, cursor, count=BATCH)
            for sha256, record in fields.items():
                if sha256 in given:  # Redis may return a field of a growing hash twice
                    continue
                given.add(sha256)
                if deleting and not identifiers.is_valid(Kind.IMAGE, sha256):
                    _log.error("deleted %s from %s: it is not the SHA-256 of an image", identifiers.shown(sha256), key)
                    self._redis.hdel(key, sha256)
                else:
                    yield sha256.decode("ascii", "replace"), record
            if not cursor:
                return


def _changes(stored: bytes | None) -> int:
    with reading(f"The number in {keys.CHANGES}", remedy=f"`redis-cli DEL {keys.CHANGES}` clears it."):
        return count(stored)
