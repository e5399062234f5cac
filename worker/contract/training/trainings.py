"""The operations on trainings: one method for each script, and the reads."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from worker.contract.registry import Fence
from worker.contract.scripts import load_scripts
from worker.contract.training import keys
from worker.contract.training.records import TrainingOptions, TrainingState, TrainingStatus

if TYPE_CHECKING:
    import redis

ATTEMPTS = 3
"""How often a training may be begun and not ended before it counts as failed: it may be what kills its trainers."""

TRAININGS_KEPT = 100
"""Records that are kept."""

ALIVE_SECONDS = 5.0
"""A trainer or scheduler that has said nothing for so long is not counted any more."""

_MAX_REASON = 1000


class ProgressReply(IntEnum):
    """What a trainer that says how far it is hears back."""

    LOST = 0  # the training is not its own any more: stop, and change nothing
    GO_ON = 1
    CANCEL = 2  # somebody wants it to stop


@dataclass(frozen=True, slots=True)
class Claim:
    """A trainer's hold on a training.

    Attributes:
        identifier: of the training.
        order: what is asked for.
        attempt: counted from 1.
        fence: holds as long as no other trainer has the training; what is published must carry it.
    """

    identifier: str
    order: TrainingOptions
    attempt: int
    fence: Fence


class Trainings:
    """All that is written about trainings in one Redis.

    No method waits or retries; each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every method
    raises redis-py's errors as they come.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = client
        names = ("ask", "claim", "renew", "finish", "release", "cancel", "announce")
        self._scripts = load_scripts(client, "worker.contract.training", names)

    # Whoever wants a training -------------------------------------------------------------------------------------

    def ask(self, identifier: str, order: TrainingOptions, *, who: str) -> str:
        """Ask for a training; return its id, or that of an earlier one that has not ended, which is in its place.

        To ask by the same id again changes nothing, also once that training has ended.
        """
        answer = self._scripts["ask"](
            keys=[keys.CURRENT, keys.TRAININGS, keys.training(identifier)],
            args=[identifier, keys.TRAINING_PREFIX, order.to_json(), who, TRAININGS_KEPT],
        )
        return str(answer.decode())

    def cancel(self) -> TrainingStatus | None:
        """Stop the training that is open; return how it stands, or None if there is none.

        One that a trainer works on ends as soon as the trainer hears of it, within a second or two.
        """
        answer = self._scripts["cancel"](keys=[keys.CURRENT, keys.LEASE], args=[keys.TRAINING_PREFIX])
        return self.status(answer.decode()) if answer else None

    # A trainer ----------------------------------------------------------------------------------------------------

    def claim(self, *, holder: str, lease_seconds: float) -> Claim | None:
        """Take hold of the open training, counting the attempt; None if there is none, or another trainer has it.

        One that was begun too often is noted as failed. If the reply is lost, the lease runs out, and the next claim
        is another attempt.
        """
        answer = self._scripts["claim"](
            keys=[keys.CURRENT, keys.LEASE, keys.TOKEN],
            args=[keys.TRAINING_PREFIX, holder, int(lease_seconds * 1000), ATTEMPTS],
        )
        if not answer:
            return None
        identifier, token, order, attempt = answer
        return Claim(
            identifier.decode(), TrainingOptions.from_json(order), int(attempt), Fence(keys.LEASE, token.decode())
        )

    def renew(self, claim: Claim, *, lease_seconds: float, **said: str | float) -> ProgressReply:
        """Prolong the lease, and say what is new of the training: fields of `TrainingStatus`, and `changes`.

        The latter is how many changes of what is taught (`worker.contract.teaching`) it sees; once it has ended with a model,
        `seen` tells them. A lease that ran out is taken again if no other trainer has had it since.
        """
        facts = [word for fact in said.items() for word in fact]
        return ProgressReply(self._with(claim, "renew", int(lease_seconds * 1000), *facts))

    def finish(self, claim: Claim, state: TrainingState, *, version: str = "", reason: str = "") -> bool:
        """Say how the training ended; return False if it is not this trainer's any more, which changes nothing."""
        return bool(self._with(claim, "finish", state, "version", version, "reason", reason[:_MAX_REASON]))

    def release(self, claim: Claim) -> bool:
        """Give the training back as if this attempt had not been; another trainer may take it up at once."""
        return bool(self._with(claim, "release"))

    def _with(self, claim: Claim, script: str, *arguments: str | float) -> int:
        answer = self._scripts[script](
            keys=[keys.training(claim.identifier), keys.LEASE, keys.SEEN], args=[claim.fence.token, *arguments]
        )
        return int(answer)

    def announce(self, name: str) -> None:
        """Say that a trainer is alive; forgotten unless said again in time."""
        self._scripts["announce"](keys=[keys.TRAINERS], args=[name, int(ALIVE_SECONDS * 1000)])

    def dismiss(self, name: str) -> None:
        """Forget a trainer that has stopped."""
        self._redis.zrem(keys.TRAINERS, name)

    # Anyone -------------------------------------------------------------------------------------------------------

    def trainers(self) -> list[str]:
        """Return the names of the trainers that are alive."""
        return alive(self._redis, keys.TRAINERS)

    def status(self, identifier: str) -> TrainingStatus | None:
        """Return a training as it stands, or None if there is no such."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(keys.training(identifier))
            pipeline.get(keys.LEASE)
            body, lease = pipeline.execute()
        if not body:
            return None
        return TrainingStatus.from_hash(identifier, body, held=lease is not None and lease == body.get(b"token"))

    def latest(self) -> TrainingStatus | None:
        """Return the training that was asked for last, or None if there was none."""
        identifier = self._redis.get(keys.CURRENT)
        return self.status(identifier.decode()) if identifier else None

    def seen(self) -> int:
        """Return how many changes of what is taught the last training that ended with a model has seen."""
        return int(self._redis.get(keys.SEEN) or 0)

    def waiting(self) -> TrainingStatus | None:
        """Return the open training if no trainer works on it: a trainer should be rung for."""
        status = self.latest()
        return status if status and not status.state.ended and not status.held else None


def alive(client: Any, key: str) -> list[str]:
    """Return the names that were announced there lately, sorted."""
    seconds, microseconds = client.time()
    since = seconds * 1000 + microseconds // 1000 - int(ALIVE_SECONDS * 1000)
    return sorted(name.decode() for name in client.zrangebyscore(key, since, "+inf"))
