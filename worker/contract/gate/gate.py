"""What administrators may do to the queue as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from model.printable import printable
from worker.contract.errors import WireError
from worker.contract.gate import keys
from worker.contract.scripts import load_scripts
from worker.contract.validation.bounds import MAX_TEXT
from worker.contract.validation.reading import CheckedRedis, moment, reading

if TYPE_CHECKING:
    import redis

_FIELDS = ("state", "who", "reason", "since")


class GateState(StrEnum):
    """What the queue does."""

    OPEN = "open"
    PAUSED = "paused"  # it accepts jobs, and workers claim nothing; single images are refused until it is open again
    DRAINED = "drained"  # it accepts no new jobs, and workers end what is there; single images go on


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of the queue as a whole.

    Attributes:
        state: What it does.
        who: User and machine that turned it last, or "".
        reason: Why, or "".
        since: Time of that: unix time, seconds; None if nobody ever turned it.
    """

    state: GateState = GateState.OPEN
    who: str = ""
    reason: str = ""
    since: float | None = None

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"The queue is {self.state} by {self.who or 'somebody'}{why}; `digitmill queue resume` opens it again"

    @classmethod
    def from_fields(cls, body: Mapping[str, bytes | None]) -> Self:
        """Return the gate that Redis keeps as fields of a hash.

        Raises:
            WireError: The hash is damaged.
        """
        if body["state"] is None:
            return cls()
        with reading("The record of the queue's gate", remedy="`digitmill queue resume` writes it anew."):
            text = {
                name: printable((value or b"").decode("utf-8", "replace"))[:MAX_TEXT] for name, value in body.items()
            }
            return cls(GateState(text["state"]), text["who"], text["reason"], moment(int(text["since"]) / 1000))


class QueueGate:
    """The gate in Redis. Its methods are harmless to repeat, and raise redis-py's errors.

    Args:
        client: Connection of `connection.connect`.

    Raises:
        WireError: The record is damaged.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._redis: Any = CheckedRedis(client)
        self._turn = load_scripts(client, "worker.contract.gate", ("turn",))["turn"]

    def read(self) -> Gate:
        """Return the state of the queue."""
        return Gate.from_fields(dict(zip(_FIELDS, self._redis.hmget(keys.GATE, _FIELDS), strict=True)))

    def current(self) -> Gate:
        """Return the state of the queue. A damaged record counts as an open queue, as it does for workers."""
        try:
            return self.read()
        except WireError:  # `status` names the damage
            return Gate()

    def turn(self, state: GateState, *, who: str, reason: str) -> None:
        """Change the state of the queue.

        Args:
            state: The new state.
            who: User and machine that change it.
            reason: Why, or "".
        """
        self._turn(keys=[keys.GATE], args=[state, who[:MAX_TEXT], reason[:MAX_TEXT]])
