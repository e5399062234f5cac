"""What the registry says of versions and of what became live, as values."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from model.cards.card import Card
from worker.contract.errors import WireError
from worker.contract.registry import keys

LIVE = "live"
"""In place of a version: whichever is live when a batch is classified."""


class Alias(StrEnum):
    """A name by which a version may be called."""

    LIVE = LIVE
    PREVIOUS = "previous"  # was live before; `rollback` makes it so again
    CANDIDATE = "candidate"  # published last, and not promoted
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
    """A live version that still has to prove itself, and the one that was live before it."""

    version: str
    before: str


@dataclass(frozen=True, slots=True)
class Fence:
    """A Redis string that must hold `token` for a change to be made: who has lost its lease changes nothing."""

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version as listed.

    Attributes:
        version: its name.
        published: unix time, seconds; of the baseline, when it was trained.
        card: what is known of it, or None where that cannot be read.
        problem: why it cannot be, or "".
    """

    version: str
    published: float
    card: Card | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LiveChange:
    """One change of what is live.

    Attributes:
        at: unix time, seconds.
        action: `promote` or `rollback`.
        version: what is live from then on.
        before: what was live until then.
        who: user and host.
        reason: why.
    """

    at: float
    action: str
    version: str
    before: str
    who: str
    reason: str

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what the script wrote.

        Raises:
            WireError: it is nothing of the kind.
        """
        try:
            body: dict[str, Any] = json.loads(text)
            return cls(
                int(body["at"]) / 1000,
                *(str(body[name]) for name in ("action", "version", "before", "who", "reason")),
            )
        except (ValueError, KeyError, TypeError):
            raise WireError(f"The history of promotions is damaged. `redis-cli DEL {keys.MOVES}` clears it.") from None
