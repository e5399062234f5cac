"""The operations on trainings: one method for each script, and the reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from model.training.options import TrainingOptions
from worker.contract.errors import WireError
from worker.contract.liveness import ALIVE_SECONDS, SLACK_SECONDS, alive
from worker.contract.registry import Fence
from worker.contract.scripts import load_scripts
from worker.contract.training import keys
from worker.contract.training.records import TrainingState, TrainingStatus, options_from_json, options_to_json
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import MAX_TEXT
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import CheckedRedis, count, reading

if TYPE_CHECKING:
    import redis

ATTEMPTS = 3
"""Number of times that trainers may begin a training without ending it. Then it fails, because it may kill them."""

TRAININGS_KEPT = 100
"""Number of records that Redis keeps."""

_MAX_REASON = 1000


class ProgressReply(IntEnum):
    """The answer to a trainer's progress report."""

    LOST = 0  # another trainer has the training: stop, and change nothing
    GO_ON = 1
    CANCEL = 2  # a user has cancelled the training


@dataclass(frozen=True, slots=True)
class Claim:
    """A trainer's claim on a training.

    Attributes:
        identifier: Id of the training.
        options: Options that the client asked for.
        attempt: Number of the attempt, from 1.
        fence: Fence that holds while this trainer has the training. The trainer passes it whenever it publishes.
    """

    identifier: str
    options: TrainingOptions
    attempt: int
    fence: Fence


class Trainings:
    """Everything that a Redis keeps about trainings.

    No method waits or retries. Each is harmless to repeat, so callers wrap it in `connection.retry_transient`. Every
    method raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.

    Raises:
        WireError: A key holds another type, or another value, than digitmill stores there.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = CheckedRedis(client)
        names = ("ask", "claim", "renew", "finish", "release", "cancel", "announce")
        self._scripts = load_scripts(client, "worker.contract.training", names)

    # Clients ------------------------------------------------------------------------------------------------------

    def ask(self, identifier: str, options: TrainingOptions, *, who: str) -> str:
        """Ask for a training. Return its id, or the id of an earlier training that has not ended.

        Asking with the same id again changes nothing, even after that training has ended.

        Args:
            identifier: Id for the training.
            options: What to train.
            who: Host and process that ask.
        """
        answer = self._scripts["ask"](
            keys=[keys.CURRENT, keys.TRAININGS, keys.training(identifier)],
            args=[identifier, keys.TRAINING_PREFIX, options_to_json(options), who, TRAININGS_KEPT],
        )
        return _identifier(answer)

    def cancel(self) -> TrainingStatus | None:
        """Stop the open training. Return its status, or None if none is open.

        A training that a trainer works on ends when the trainer next reports, within a second or two.
        """
        answer = self._scripts["cancel"](keys=[keys.CURRENT, keys.LEASE], args=[keys.TRAINING_PREFIX])
        return self.status(_identifier(answer)) if answer else None

    # A trainer ----------------------------------------------------------------------------------------------------

    def claim(self, *, holder: str, lease_seconds: float) -> Claim | None:
        """Claim the open training and count the attempt. Return None if none is open, or if another trainer has it.

        A training that was begun too often is recorded as failed. If the reply is lost, the lease runs out, and the
        next claim is another attempt.

        Args:
            holder: Name of the trainer.
            lease_seconds: Time after which another trainer may claim it, unless the lease is renewed.

        Raises:
            WireError: The record is damaged.
        """
        answer = self._scripts["claim"](
            keys=[keys.CURRENT, keys.LEASE, keys.TOKEN],
            args=[keys.TRAINING_PREFIX, holder, int(lease_seconds * 1000), ATTEMPTS],
        )
        if not answer:
            return None
        identifier, token, options, attempt = answer
        fence = Fence(keys.LEASE, token.decode())
        return Claim(_identifier(identifier), options_from_json(options or b""), int(attempt), fence)

    def renew(self, claim: Claim, *, lease_seconds: float, **progress: str | float) -> ProgressReply:
        """Renew the lease and report progress. A lease that ran out is taken again if no other trainer had it since.

        Args:
            claim: The trainer's claim.
            lease_seconds: Length of the lease from now.
            progress: New values of fields of `TrainingStatus`, and `changes`: the number of changes of the taught
                images (`worker.contract.teaching`) that the training sees. `seen` returns that number after the
                training has ended with a model.
        """
        words = [word for field in progress.items() for word in field]
        return ProgressReply(self._with(claim, "renew", int(lease_seconds * 1000), *words))

    def finish(self, claim: Claim, state: TrainingState, *, version: str = "", reason: str = "") -> bool:
        """Record how the training ended. Return False, and change nothing, if another trainer has it."""
        return bool(self._with(claim, "finish", state, "version", version, "reason", reason[:_MAX_REASON]))

    def release(self, claim: Claim) -> bool:
        """Give the training back, so that another trainer may claim it at once. This attempt does not count.

        A training that was cancelled meanwhile ends instead. Return False if another trainer has the training.
        """
        return bool(self._with(claim, "release"))

    def _with(self, claim: Claim, script: str, *arguments: str | float) -> int:
        answer = self._scripts[script](
            keys=[keys.training(claim.identifier), keys.LEASE, keys.SEEN], args=[claim.fence.token, *arguments]
        )
        return int(answer)

    def announce(self, name: str, fault: str = "") -> None:
        """Record that a trainer is alive. Redis forgets it after `ALIVE_SECONDS`.

        Args:
            name: Name of the trainer.
            fault: What hinders it, for `faults`, or "".
        """
        expires = int(ALIVE_SECONDS * 1000)
        self._scripts["announce"](keys=[keys.TRAINERS], args=[name, expires])
        if fault:
            self._redis.set(keys.trainer(name), fault[:_MAX_REASON], px=expires)
        else:
            self._redis.delete(keys.trainer(name))

    def remove_trainer(self, name: str) -> None:
        """Remove a trainer that has stopped from the list."""
        self._redis.zrem(keys.TRAINERS, name)
        self._redis.delete(keys.trainer(name))

    # Anyone -------------------------------------------------------------------------------------------------------

    def trainers(self) -> list[str]:
        """Return the names of the trainers that are alive."""
        return alive(self._redis, keys.TRAINERS)

    def faults(self, trainers: Sequence[str]) -> dict[str, str]:
        """Return what hinders trainers, by name, without those that nothing hinders.

        Args:
            trainers: Names of trainers, as `trainers` returns them.
        """
        texts = self._redis.mget(map(keys.trainer, trainers)) if trainers else []
        return {
            name: text[:MAX_TEXT].decode("utf-8", "replace") for name, text in zip(trainers, texts, strict=True) if text
        }

    def status(self, identifier: str) -> TrainingStatus | None:
        """Return the status of a training, or None if there is no such training.

        Raises:
            WireError: Its record is damaged.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(keys.training(identifier))
            pipeline.get(keys.LEASE)
            pipeline.time()
            body, lease, (seconds, _) = pipeline.execute()
        if not body:
            return None
        # A lease that was granted in the future was granted before the clock was set back, and does not hold any more.
        with reading(f"The record of training {identifier}", remedy="Ask for another training."):
            granted = count(body.get(b"granted")) / 1000
        held = lease is not None and lease == body.get(b"token") and granted <= seconds + 1 + SLACK_SECONDS
        return TrainingStatus.from_hash(identifier, body, held=held)

    def latest(self) -> TrainingStatus | None:
        """Return the training that was asked for last, or None if there was none.

        Raises:
            WireError: Its record is damaged.
        """
        identifier = self._redis.get(keys.CURRENT)
        return self.status(_identifier(identifier)) if identifier else None

    def seen(self) -> int:
        """Return the number of changes of the taught images that the last training with a model has seen."""
        with reading(f"The number in {keys.SEEN}", remedy=f"`redis-cli DEL {keys.SEEN}` clears it."):
            return count(self._redis.get(keys.SEEN))

    def waiting(self) -> TrainingStatus | None:
        """Return the open training if no trainer works on it, so that the caller should ring, or else None.

        Raises:
            WireError: Its record is damaged.
        """
        status = self.latest()
        return status if status and not status.state.ended and not status.held else None


def _identifier(stored: bytes) -> str:
    """Return the id of the training that was asked for last.

    Raises:
        WireError: It is not an id.
    """
    try:
        return identifiers.read(Kind.TRAINING, stored)
    except WireError as fault:
        raise WireError(f"{fault} `redis-cli DEL {keys.CURRENT}` lets you ask for another training.") from None
