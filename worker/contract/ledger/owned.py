"""What only the client of a job may do: own it, compare it with what was sent, restore what is lost, and end it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from worker.contract.ledger import keys
from worker.contract.ledger.keys import Part
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.scripts import load_scripts
from worker.contract.wire import Batch

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True, slots=True)
class Owner:
    """The client of a job.

    Attributes:
        token: Random token that fences it; "" for the sender of a detached job, which many clients may gather.
        host: Name of its machine.
        folder: Folder in which it keeps the job's order and answers.
        lock: Names the lock on the journal that it holds, or "" where locks have no unique names.
    """

    token: str
    host: str
    folder: str
    lock: str = ""


class Ownership(StrEnum):
    """The outcome of `OwnedJob.own`."""

    OWNED = "owned"
    GONE = "gone"  # there is no such job
    ALIVE = "alive"  # its owner was seen a moment ago
    ELSEWHERE = "elsewhere"  # its owner has ended, but its journal is elsewhere


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a client that wants to own a job.

    Attributes:
        outcome: Whether it owns the job now, or why not.
        host: Machine of the present owner, or "".
        folder: Folder of the present owner, or "".
        silent_seconds: Seconds since the present owner was seen.
    """

    outcome: Ownership
    host: str = ""
    folder: str = ""
    silent_seconds: float = 0.0


class Presence(StrEnum):
    """Whether Redis has a job."""

    HERE = "here"
    GONE = "gone"  # Redis has lost it
    FENCED = "fenced"  # another client owns it
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Checked:
    """What Redis has of the batches that a client has sent.

    Attributes:
        presence: Whether it has the job. If not, the rest is empty.
        lost: Parts of which it has neither a record nor answers.
        bare: Sequence numbers of batches without a manifest.
        answered: Parts with answers.
    """

    presence: Presence
    lost: tuple[Part, ...] = ()
    bare: tuple[int, ...] = ()
    answered: frozenset[Part] = frozenset()


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for workers.

    Attributes:
        queued: Whether a part of the job waits or is in work.
        held: Whether a worker holds a part of this or another job.
    """

    queued: bool
    held: bool


class OwnedJob:
    """A job, as the client sees it that sends it. Each method is harmless to repeat, and raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
        identifier: Identifier of the job.
        owner: The client.
        ttl_ms: Time, in ms, without any event after which Redis forgets the job.
    """

    def __init__(self, client: "redis.Redis", identifier: str, owner: Owner, *, ttl_ms: int) -> None:
        self._ttl = ttl_ms
        self._scripts = load_scripts(
            client, "worker.contract.ledger", ("own", "hold", "check", "restore", "settle", "busy")
        )
        self.identifier = identifier
        self.owner = owner

    def _run(self, script: str, script_keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._scripts[script](keys=script_keys, args=arguments)

    def own(self, *, take_over: bool = False) -> Claimed:
        """Become the owner of the job, unless its owner lives, or has left the journal in another folder.

        Args:
            take_over: Whether to become the owner although the journal of the former one is elsewhere.
        """
        owner, silence = self.owner, int(ALIVE_SECONDS * 1000)
        arguments = [
            owner.token,
            owner.host,
            os.fsencode(owner.folder),
            owner.lock,
            silence,
            int(take_over),
            self.identifier,
        ]
        outcome, *rest = self._run("own", [keys.job(self.identifier), keys.JOBS], arguments)
        if not rest:
            return Claimed(Ownership(outcome.decode()))
        host, folder, silent = rest
        return Claimed(
            Ownership(outcome.decode()),
            host.decode("utf-8", "replace"),
            folder.decode("utf-8", "replace"),
            int(silent) / 1000,
        )

    def hold(self) -> bool:
        """Record that the client is alive. Return False if another client owns the job."""
        return self._hold(leaves=False)

    def leave(self) -> None:
        """Record that the client ends, so that its successor need not wait until it counts as dead."""
        self._hold(leaves=True)

    def _hold(self, *, leaves: bool) -> bool:
        owner = self.owner
        arguments = [owner.token, owner.host, os.fsencode(owner.folder), int(leaves)]
        return bool(self._run("hold", [keys.job(self.identifier)], arguments) >= 0)

    def look(self, sent: Mapping[int, int]) -> Checked:
        """Find out what Redis has of some batches.

        This changes one thing: a batch for which no reconciler would ring becomes due again.

        Args:
            sent: Number of images by sequence number.
        """
        return self._check(0, sent, "", 0, 0, 0)

    def check(self, sent: Mapping[int, int], *, sealed: bool, rows: int, answered: int, failed: int) -> Checked:
        """Find out what Redis has of the batches that were sent, drop all else of the job, and correct its counters.

        Args:
            sent: Number of images by sequence number, for all batches that were sent and may not be kept yet.
            sealed: Whether all batches were sent.
            rows: Number of images that were sent, with those that could not be read.
            answered: Number of those with an answer that is not in Redis any more, or with an error row of the source.
            failed: Number of images with an error row, as far as the client knows.
        """
        return self._check(1, sent, "running" if sealed else "submitting", rows, answered, failed)

    def _check(self, mend: int, sent: Mapping[int, int], state: str, rows: int, answered: int, failed: int) -> Checked:
        job = self.identifier
        pairs = [number for batch in sent.items() for number in batch]
        presence, *rest = self._run(
            "check",
            [keys.job(job), keys.manifest(job), keys.results(job), keys.OPEN, keys.JOBS],
            [job, self.owner.token, mend, state, rows, answered, failed, *pairs],
        )
        if not rest:
            return Checked(Presence(presence.decode()))
        lost, bare, fields = rest
        return Checked(
            Presence(presence.decode()),
            tuple(Part.from_field(job, field.decode()) for field in lost),
            tuple(map(int, bare)),
            frozenset(Part.from_field(job, field.decode()) for field in fields),
        )

    def restore(
        self,
        part: Part,
        images: Batch | None,
        manifest: bytes,
        *,
        due_seconds: float,
        attempts: int,
        trace: str = "",
    ) -> bool:
        """Store a part again that Redis has lost. Return whether it was stored.

        Args:
            part: The part.
            images: Its images, or None to store the manifest only.
            manifest: Manifest of the whole batch, in the wire format.
            due_seconds: Time after which a reconciler rings for it.
            attempts: Number of times that workers may begin it.
            trace: Context of the span in which it is sent, or "" if the client does not trace.
        """
        job = part.job
        answer = self._run(
            "restore",
            [
                keys.job(job),
                keys.manifest(job),
                keys.results(job),
                keys.notifications(job),
                part.key,
                keys.OPEN,
            ],
            [
                self.owner.token,
                part.sequence,
                part.member,
                part.field,
                b"" if images is None else images.to_wire(),
                len(part),
                manifest,
                int(due_seconds * 1000),
                attempts,
                self._ttl,
                trace,
            ],
        )
        return bool(answer == 1)

    def settle(self, *, rows: int, failed: int) -> str:
        """End the job, because its client has kept every answer, and delete all of it but its record.

        Args:
            rows: Number of images of the job.
            failed: Number of those with an error row.

        Returns:
            The state in which the job has ended, or `gone` or `fenced`.
        """
        job = self.identifier
        state: bytes = self._run(
            "settle",
            [keys.job(job), keys.manifest(job), keys.results(job), keys.notifications(job), keys.OPEN, keys.JOBS],
            [job, self.owner.token, rows, failed, self._ttl],
        )
        return state.decode()

    def queue(self) -> Queue:
        """Return whether the job waits for workers, and whether they have work."""
        queued, held = self._run("busy", [keys.OPEN], [self.identifier])
        return Queue(bool(queued), bool(held))


def cover(parts: Iterable[Part], whole: Part) -> list[Part] | None:
    """Return parts that have each image of a batch exactly once, in order, or None if an image is in none of them.

    Parts may overlap: Redis may forget that a batch was split, or that it was answered. Then both the whole and its
    halves are answered, and the larger part counts.

    Args:
        parts: Some parts of the batch.
        whole: The whole batch.
    """
    found = set(parts)

    def choose(part: Part) -> list[Part] | None:
        if part in found:
            return [part]
        if len(part) < 2:
            return None
        left, right = part.halves()
        first = choose(left)
        second = choose(right) if first is not None else None
        return None if first is None or second is None else [*first, *second]

    return choose(whole)
