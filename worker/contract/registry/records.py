"""The values that describe versions, and changes of the live one, in the registry."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from model.cards.card import Card
from model.records import from_json
from worker.contract.registry import keys
from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import LIVE, Kind
from worker.contract.validation.reading import moment, reading


class Alias(StrEnum):
    """A name by which a version may be called."""

    LIVE = LIVE
    PREVIOUS = "previous"  # was live before; `rollback` makes it live again
    CANDIDATE = "candidate"  # was published last, and is not promoted
    BEST = "best"  # is the most accurate on MNIST's validation images of all that ever were live
    BASELINE = "baseline"  # ships with the program


class Aliases(NamedTuple):
    """Which version each alias means.

    `best` is None until a release from 0.3 on has published a version. Even then, `Registry.fetch_best` finds it.
    """

    live: str
    previous: str | None
    candidate: str | None
    best: str | None = None

    def of(self, version: str) -> list[Alias]:
        """Return the aliases of a version."""
        return [alias for alias in Alias if getattr(self, alias, None) == version]


class Canary(NamedTuple):
    """A live version that workers still compare with the previous one, `before`, and may roll back."""

    version: str
    before: str


class BestChange(NamedTuple):
    """Which version is the best that ever was live from a promotion on, and which one was until then."""

    version: str
    before: str


class Retention(NamedTuple):
    """Which versions are dropped when another one is published: those beyond this number, and those that are older.

    Versions with an alias, those that these were refined from, and versions that a job which has not ended is
    classified with, are never dropped.
    """

    versions: int = 20  # the newest ones; at 1.4 MB each, about 30 MB
    seconds: float | None = None  # since their publication; None for ever


@dataclass(frozen=True, slots=True)
class Fence:
    """A key in Redis that must hold `token` during a change, so that a holder without its lease changes nothing."""

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version in the list of versions.

    Attributes:
        version: Name of the version.
        published: Time of its publication, or of its training for the baseline: unix time, seconds.
        card: Its card, or None if the card cannot be read.
        problem: Why the card cannot be read, or "".
        fault: Why no worker may classify with it, or "".
    """

    version: str
    published: float
    card: Card | None
    problem: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One change of what is live.

    Attributes:
        at: Time of the change: unix time, seconds.
        action: `promote` or `rollback`.
        version: Version that is live from then on.
        before: Version that was live until then.
        who: User and host, worker or training that made the change.
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
            WireError: The text is not such a record.
        """
        with reading("The history of promotions", remedy=f"`redis-cli DEL {keys.MOVES}` clears it."):
            body = from_json(_LiveChangeBody, text)
            version, before = (identifiers.read(Kind.VERSION, name) for name in (body.version, body.before))
            return cls(moment(int(body.at) / 1000), body.action, version, before, body.who, body.reason)


@dataclass(frozen=True, slots=True)
class _LiveChangeBody:
    """A change as the script writes it."""

    at: str  # unix time, milliseconds
    action: str
    version: str
    before: str
    who: str
    reason: str
