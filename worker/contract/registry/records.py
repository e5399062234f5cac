"""What the registry knows about versions and about what became live, as values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from model.cards.card import Card
from model.records import from_json
from worker.contract.errors import reading
from worker.contract.registry import keys

LIVE = "live"
"""A word in place of a version: whichever version is live when a worker classifies a batch."""


class Alias(StrEnum):
    """A name by which a version may be called."""

    LIVE = LIVE
    PREVIOUS = "previous"  # was live before; `rollback` makes it live again
    CANDIDATE = "candidate"  # was published last, and is not promoted
    BASELINE = "baseline"  # ships with the program


class Aliases(NamedTuple):
    """Which version each alias means."""

    live: str
    previous: str | None
    candidate: str | None

    def of(self, version: str) -> list[Alias]:
        """Return the aliases of a version."""
        pairs = ((Alias.LIVE, self.live), (Alias.PREVIOUS, self.previous), (Alias.CANDIDATE, self.candidate))
        return [alias for alias, meant in pairs if meant == version]


class Canary(NamedTuple):
    """A live version that workers still compare with the one before it, and may roll back."""

    version: str
    before: str


@dataclass(frozen=True, slots=True)
class Fence:
    """A Redis string that must hold `token` when a change is made: a holder that has lost its lease changes nothing."""

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version as listed.

    Attributes:
        version: Name of the version.
        published: Unix time, seconds, of its publication; for the baseline, of its training.
        card: Its card, or None if the card cannot be read.
        problem: Why the card cannot be read, or "".
    """

    version: str
    published: float
    card: Card | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One change of what is live.

    Attributes:
        at: Unix time, seconds.
        action: `promote` or `rollback`.
        version: Version that is live from then on.
        before: Version that was live until then.
        who: User and host.
        reason: Why it was changed.
    """

    at: float
    action: str
    version: str
    before: str
    who: str
    reason: str

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return the change that the script `move` wrote.

        Raises:
            WireError: It is not such a record.
        """
        with reading("The history of promotions", remedy=f"`redis-cli DEL {keys.MOVES}` clears it."):
            at, action, version, before, who, reason = from_json(_LiveChangeBody, text)
            return cls(int(at) / 1000, action, version, before, who, reason)


class _LiveChangeBody(NamedTuple):
    """A change as the script writes it."""

    at: str  # unix time, milliseconds
    action: str
    version: str
    before: str
    who: str
    reason: str
