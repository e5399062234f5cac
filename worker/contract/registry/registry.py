"""The registry's operations. Each verifies what it reads, and changes everything at once or nothing."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from redis.exceptions import InvalidResponse, ResponseError

from model.cards.card import BASELINE, MODEL, Card, read_file
from model.cards.changes import CHANGES, Changes
from model.cards.decision import DECISION, Decision
from model.errors import ModelError, UsageError
from worker.contract.errors import WireError
from worker.contract.protocol.line import Line, packed
from worker.contract.registry import keys
from worker.contract.registry.checks import MAX_VERSION_BYTES, check_complete, missing, read_card, too_large, verified
from worker.contract.registry.records import (
    Alias,
    Aliases,
    BestChange,
    Canary,
    Fence,
    LiveChange,
    PublishedVersion,
    Retention,
)
from worker.contract.registry.service_counts import ServiceCounts
from worker.contract.scripts import load_scripts
from worker.contract.validation import bounds, identifiers
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import (
    CheckedRedis,
    DamagedRecord,
    Listed,
    moment,
    naming,
    reading,
    wrong_type,
)

if TYPE_CHECKING:
    import redis

SERVICE_COUNTS_KEPT_SECONDS = 30 * 86400
"""Time that Redis keeps the counts of a version after its last answer."""

STRIKES_SECONDS = 600
"""Time within which the faults of a version count together."""

HISTORY_KEPT = 100
"""Number of changes of the live version that Redis keeps."""

_MAX_REASON = 500
_MAX_FAULT_BYTES = 4 * _MAX_REASON
_MAKES_LIVE = f"`redis-cli DEL {keys.ALIASES}` makes the baseline live."
_HELD = {
    Alias.LIVE: "it is live. First promote another version (`digitmill models promote`).",
    keys.CANARY: "it is live. First promote another version (`digitmill models promote`).",
    Alias.PREVIOUS: "it is the previous version, to which workers roll back. It is free after the next promotion.",
    Alias.BEST: "it is the best version that ever was live, and the gate compares each candidate with it. It is free "
    "when a better one is live.",
    keys.ORIGIN: "{0} was refined from it, and the next refinement starts with it. It is free when {0} does not have "
    "an alias.",
    "job": "job {0} is classified with it. Wait until that job ends, or cancel it (`digitmill cancel {0}`).",
}
"""Why a version cannot be deleted, and what to do, by what holds it."""

_GLANCE = packed("HMGET", keys.ALIASES, Alias.LIVE, keys.CANARY)
_LEASE_LOST = "The lease on training was lost to another trainer, so nothing was changed. Train again."


class Registry:
    """Everything that a Redis keeps about models.

    The baseline, which ships with the program, is a version like any other, but nobody uploads it: every installation
    has it on disk. So it can be listed, promoted and rolled back to in an empty Redis, in one that is out of memory,
    and when everything published is damaged. It is live until somebody promotes another version.

    No method waits or retries. Each is harmless to repeat, so callers wrap it in `connection.retry_transient`, except
    `rollback` without `expected`, which undoes itself, and `strike`, which counts. Every method raises redis-py's
    errors.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = CheckedRedis(client)
        self._line = Line(client, at_most=bounds.MAX_TEXT)
        self._scripts = load_scripts(
            client, "worker.contract.registry", ("publish", "delete", "move", "strike", "fields")
        )

    @cached_property
    def baseline(self) -> Card:
        """The card of the model that ships with this program.

        Raises:
            ModelError: The card is missing or damaged.
        """
        return Card.read(BASELINE)

    # Versions -----------------------------------------------------------------------------------------------------

    def publish(
        self,
        card: Card,
        files: Mapping[str, bytes],
        *,
        fence: Fence | None = None,
        retention: Retention | None = Retention(),  # noqa: B008  it is immutable
    ) -> None:
        """Store a whole version or nothing, and make it the candidate. Publishing it again only repairs damage.

        Redis then drops the surplus versions. If it is not recorded yet which version is the best, that is recorded
        first, so the best one is never dropped.

        Args:
            card: Card of the version, which names all the files.
            files: Contents of the files, by name.
            fence: Fence that must still hold, or nothing is stored.
            retention: Which versions are surplus. None: none of them, and this version does not become the candidate.

        Raises:
            ModelError: Card and files do not belong together, another model has this name, or the fence is lost.
        """
        check_complete(card, files)
        text = card.dumps().encode()
        if card.version == self.baseline.version and text != self.baseline.dumps().encode():
            raise ModelError(f"{card.version} is the name of the baseline. Give this model another name.")
        contents = [item for name, content in files.items() for item in (keys.file(name), content)]
        origin = [] if card.origin == card.version else [keys.ORIGIN, card.origin]
        best = self.aliases().best or self.fetch_best()[0].version
        answer = self._scripts["publish"](
            keys=[keys.model(card.version), keys.MODELS, keys.ALIASES, *_fence_key(fence)],
            args=[
                card.version,
                hashlib.sha256(text).hexdigest(),
                fence.token if fence else "",
                "" if retention is None else retention.versions,
                "" if retention is None or retention.seconds is None else int(retention.seconds * 1000),
                keys.MODEL_PREFIX,
                Alias.BASELINE if best == self.baseline.version else best,
                keys.CARD,
                text,
                *origin,
                *contents,
            ],
        )
        if answer == -1 and not self._holds(card):
            raise ModelError(
                f"There is another model {card.version} already. Versions never change: give it a new name."
            )
        if answer == -2:
            raise ModelError(_LEASE_LOST)

    def _holds(self, card: Card) -> bool:
        """Return whether the stored version of this name has this card. Other releases may write it differently."""
        try:
            return self.fetch(card.version)[0] == card
        except ModelError:
            return False

    def delete(self, versions: Sequence[str]) -> None:
        """Delete all of these versions, or none.

        Args:
            versions: Names of versions. One that does not exist counts as deleted.

        Raises:
            UsageError: One of them is the baseline, is live, was live before, is the best, is what one of these was
                refined from, or is what a job that has not ended is classified with.
        """
        self._delete(versions, "delete")

    def check_deletable(self, versions: Sequence[str]) -> None:
        """Check that all of these versions may be deleted now. The arguments and the errors are those of `delete`."""
        self._delete(versions, "check")

    def _delete(self, versions: Sequence[str], what: Literal["delete", "check"]) -> None:
        if self.baseline.version in versions:
            raise UsageError(f"{self.baseline.version} is the baseline, which each installation has. Leave it out.")
        held = self._scripts["delete"](keys=[keys.MODELS, keys.ALIASES], args=[keys.MODEL_PREFIX, what, *versions])
        if held:
            version, holder, *job = map(_text, held)
            why = _HELD.get(holder, f"it has the alias {holder}. Give that to another version first.")
            raise UsageError(f"{version} cannot be deleted: {why.format(*job)}")

    def fetch(self, version: str) -> tuple[Card, dict[str, bytes]]:
        """Return a version's card and all its files by name, verified.

        Raises:
            ModelError: There is no such version, or it is incomplete or altered.
        """
        if version == self.baseline.version:
            return self.baseline, {name: read_file(BASELINE, self.baseline, name) for name in self.baseline.files}
        card = self.card(version)
        return card, self._files(card, list(card.files))

    def fetch_model(self, version: str) -> tuple[Card, bytes]:
        """Return what a worker needs to classify with a version: its card and its model.tflite, verified.

        Raises:
            ModelError: There is no such version, or it is incomplete or altered.
        """
        if version == self.baseline.version:
            return self.baseline, read_file(BASELINE, self.baseline, MODEL)
        card = self.card(version)
        return card, self._files(card, [MODEL])[MODEL]

    def fetch_origin(self, card: Card) -> tuple[Card, dict[str, bytes]]:
        """Return the card and all files of the version that a refinement of another one starts with, verified.

        If that is gone or damaged, the version itself stands in for it.

        Args:
            card: Card of the version to refine.

        Raises:
            ModelError: The version is gone, incomplete or altered, too.
        """
        with contextlib.suppress(ModelError):
            return self.fetch(card.origin)
        return self.fetch(card.version)

    def fetch_best(self) -> tuple[Card, bytes]:
        """Return the card and the model.tflite of the best version that ever was live, verified.

        If that version is gone or damaged, or is not recorded because only releases before 0.3 have published here, the
        best of those that were live and remain stands in for it: the one that is the most accurate by its card. The
        baseline always remains.

        Raises:
            ModelError: The files of the baseline are missing or altered.
        """
        aliases = self.aliases()
        with contextlib.suppress(ModelError):
            if aliases.best:
                return self.fetch_model(aliases.best)
        changed = [name for change in self.history() for name in (change.version, change.before)]
        best = self.fetch_model(self.baseline.version)
        for version in dict.fromkeys(filter(None, (aliases.live, aliases.previous, *changed))):
            with contextlib.suppress(ModelError):
                found = self.fetch_model(version)
                best = found if _is_better(found[0], best[0]) else best
        return best

    def decision(self, card: Card) -> Decision | None:
        """Return the gate's decision on a version, or None if the gate never judged it.

        Raises:
            ModelError: The decision is missing or altered.
        """
        content = self._judgement(card, DECISION)
        return None if content is None else Decision.loads(content)

    def changes(self, card: Card) -> Changes | None:
        """Return what a version changed against the live one, or None if the gate of a release before 0.3 judged it.

        Raises:
            ModelError: The changes are missing or altered.
        """
        content = self._judgement(card, CHANGES)
        return None if content is None else Changes.loads(content)

    def _judgement(self, card: Card, name: str) -> bytes | None:
        """Return a file that the gate wrote, or None if it wrote none for this version."""
        if name not in card.files or card.version == self.baseline.version:
            return None
        return self._files(card, [name])[name]

    def card(self, version: str) -> Card:
        """Return a version's card, verified.

        Raises:
            ModelError: There is no such version, or its card is altered.
        """
        if version == self.baseline.version:
            return self.baseline
        stored = self._fields(keys.model(version), (keys.CARD, keys.SHA256), at_most=bounds.MAX_RECORD_BYTES)
        if stored is None:
            raise too_large(version)
        return read_card(version, *stored)

    def _files(self, card: Card, names: Sequence[str]) -> dict[str, bytes]:
        """Return some of a version's files by name, verified.

        Raises:
            ModelError: One is missing or altered, or together they are too large.
        """
        fields = [keys.file(name) for name in names]
        contents = self._fields(keys.model(card.version), fields, at_most=MAX_VERSION_BYTES)
        if contents is None:
            raise too_large(card.version)
        return {name: verified(card, name, content) for name, content in zip(names, contents, strict=True)}

    def _fields(self, key: str, fields: Sequence[str], *, at_most: int) -> list[bytes | None] | None:
        """Return fields of a hash, in one round trip, or None if together they have more than `at_most` bytes.

        Raises:
            WireError: The key holds another type.
        """
        if not fields:
            return []
        with naming(key):
            stored = self._scripts["fields"](keys=[key], args=[at_most, *fields])
        return stored if isinstance(stored, list) else None

    def _aliases(self, *fields: str) -> list[bytes | None]:
        """Return fields of the aliases.

        Raises:
            WireError: They are too long, or the key holds another type.
        """
        stored = self._fields(keys.ALIASES, fields, at_most=bounds.MAX_TEXT)
        if stored is None:
            raise WireError(f"The names of the live versions are too long. {_MAKES_LIVE}")
        return stored

    def versions(self) -> list[PublishedVersion]:
        """Return all versions, the newest first and the baseline last. A damaged version is listed with its problem."""
        listed: Listed[PublishedVersion] = Listed()
        names: list[str] = []
        try:
            names = listed.names(Kind.VERSION, self._redis.zrevrange(keys.MODELS, 0, -1))
        except WireError as fault:
            listed.damaged.append(DamagedRecord("?", str(fault)))
        found = [PublishedVersion(damaged.name, 0.0, None, damaged.problem) for damaged in listed.damaged]
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                self._scripts["fields"](
                    keys=[keys.model(name)],
                    args=[bounds.MAX_RECORD_BYTES, keys.CARD, keys.SHA256, keys.PUBLISHED],
                    client=pipeline,
                )
                self._scripts["fields"](
                    keys=[keys.service_counts(name)], args=[_MAX_FAULT_BYTES, keys.FAULT], client=pipeline
                )
            bodies = pipeline.execute(raise_on_error=False)
        for name, body, stored in zip(names, bodies[::2], bodies[1::2], strict=True):
            if name != self.baseline.version:
                found.append(_published(name, body, _text(stored[0]) if isinstance(stored, list) else ""))
        created = datetime.fromisoformat(self.baseline.created).timestamp()
        return [*found, PublishedVersion(self.baseline.version, created, self.baseline)]

    def resolve(self, query: str) -> str:
        """Return the version that is meant by an alias, by a name, or by the beginning of a name.

        Raises:
            UsageError: No version is meant, or several are.
        """
        aliases = self.aliases()
        if query == Alias.BEST:
            return aliases.best or self.fetch_best()[0].version
        named = {
            Alias.LIVE: aliases.live,
            Alias.PREVIOUS: aliases.previous,
            Alias.CANDIDATE: aliases.candidate,
            Alias.BASELINE: self.baseline.version,
        }
        if query in named:
            version = named[Alias(query)]
            if version is None:
                raise UsageError(
                    f"This mill does not have a {query} version. `digitmill models list` shows those that it has."
                )
            return version
        stored = self._redis.zrange(keys.MODELS, 0, -1)
        names = {name.decode() for name in stored if identifiers.is_valid(Kind.VERSION, name)} | {self.baseline.version}
        meant = [query] if query in names else sorted(name for name in names if query and name.startswith(query))
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise UsageError(f"{query} may mean {', '.join(meant[:5])}. Type more of it.")
        raise UsageError(f"This mill does not have model {query}. `digitmill models list` shows those that it has.")

    # What is live -------------------------------------------------------------------------------------------------

    def live(self) -> str:
        """Return the live version."""
        return self._version(self._aliases(Alias.LIVE)[0]) or self.baseline.version

    def glance(self) -> object:
        """Return something that differs if another version is live, or is or was a canary.

        Workers ask four times a second, so this is the cheapest read that there is.
        """
        self._line.send(_GLANCE, replies=1)
        try:
            reply = self._line.receive()
        except InvalidResponse as fault:  # somebody has written a value that is too large
            return str(fault)
        return str(reply) if isinstance(reply, ResponseError) else reply

    def aliases(self) -> Aliases:
        """Return which version each alias means."""
        stored = self._aliases(Alias.LIVE, Alias.PREVIOUS, Alias.CANDIDATE, Alias.BEST)
        live, *others = map(self._version, stored)
        return Aliases(live or self.baseline.version, *others)

    def promote(
        self,
        version: str,
        *,
        reason: str,
        expected: str | None = None,
        fence: Fence | None = None,
        who: str = "",
        canary: bool = True,
        best: BestChange | None = None,
    ) -> bool:
        """Make a version live in one atomic write. Return False if it is live already.

        Args:
            version: Name of the version. All its files are verified first.
            reason: Why, for the history.
            expected: Version that must still be live, because the caller has compared the two; None for any.
            fence: Fence that must still hold.
            who: Name for the history; user and host by default.
            canary: Whether workers compare it with the previous version, and roll it back if it does worse (see
                `ServiceCounts.fault`).
            best: Which version is the best from now on, because the caller has let all of them classify the same
                images, and which one must still be. By default, the cards decide whether this version is.

        Raises:
            ModelError: The version is missing, incomplete or altered, another version is live or the best than
                expected, or the fence is lost. Then nothing has changed.
        """
        card, _ = self.fetch(version)
        live = expected or self.live()
        if best is None:
            known, found = self.aliases().best, self.fetch_best()[0]
            best = BestChange((card if _is_better(card, found) else found).version, known or found.version)
        return self._move("promote", version, live, reason, fence, who, canary=canary, best=best)

    def rollback(self, *, reason: str, expected: str | None = None, who: str = "") -> str:
        """Make the previous version live again in one atomic write. The version that was live becomes the previous one.

        Args:
            reason: Why, for the history.
            expected: Version that must still be live, because the caller found fault with it; None for any.
            who: Name for the history; user and host by default.

        Returns:
            The version that is live now.

        Raises:
            ModelError: There is no previous version, it is incomplete or altered, or another version is live than
                expected. Then nothing has changed.
        """
        aliases = self.aliases()
        if expected is not None and aliases.live != expected:
            raise ModelError(_moved(expected))
        if aliases.previous is None:
            raise ModelError(f"Nothing was live before {aliases.live}, so there is nothing to roll back to.")
        self.fetch(aliases.previous)
        self._move("rollback", aliases.previous, expected or aliases.live, reason, None, who, canary=False)
        return aliases.previous

    def withdraw(self, version: str, *, reason: str, who: str) -> str:
        """Take the live version out of service in one atomic write, because it cannot serve.

        The previous version serves again. If that is missing or damaged, or was itself rolled back, the baseline does.
        Otherwise two bad versions could replace each other for ever.

        Args:
            version: Version that must still be live.
            reason: Why, for the history.
            who: Name for the history.

        Returns:
            The version that is live now.

        Raises:
            ModelError: Another version is live, or this is the baseline. Then nothing has changed.
        """
        if version == self.baseline.version:
            raise ModelError(f"{version} is the baseline, and nothing can replace it. Install digitmill again.")
        fallback = self._fallback(version)
        self._mark(version, keys.WITHDRAWN, b"1")
        self._move("rollback", fallback, version, reason, None, who, canary=False)
        return fallback

    def _fallback(self, version: str) -> str:
        """Return the version that serves if `version` is withdrawn."""
        previous = self.aliases().previous
        if previous is None or previous == version:
            return self.baseline.version
        marks = self._fields(keys.service_counts(previous), (keys.FAULT, keys.WITHDRAWN), at_most=_MAX_FAULT_BYTES)
        if marks is None or any(marks):
            return self.baseline.version
        try:
            self.fetch(previous)
        except ModelError:
            return self.baseline.version
        return previous

    def history(self, *, latest: int = HISTORY_KEPT) -> Listed[LiveChange]:
        """Return the latest changes of the live version, newest first.

        Args:
            latest: Maximum number of them.
        """
        found: Listed[LiveChange] = Listed()
        for text in self._redis.lrange(keys.MOVES, 0, latest - 1):
            found.add(keys.MOVES, partial(LiveChange.from_json, text))
        return found

    # Versions in service -------------------------------------------------------------------------------

    def canary(self) -> Canary | None:
        """Return the live version and the previous one while the live one is a canary, or else None."""
        live, before, canary = self._aliases(Alias.LIVE, Alias.PREVIOUS, keys.CANARY)
        version, previous = self._version(live), self._version(before)
        return Canary(version, previous) if version and previous and canary == live else None

    def count(self, version: str, counts: ServiceCounts) -> None:
        """Add to the counts of a version's answers."""
        with self._redis.pipeline(transaction=True) as pipeline:
            for name, count in asdict(counts).items():
                if count:
                    pipeline.hincrby(keys.service_counts(version), name, count)
            pipeline.expire(keys.service_counts(version), SERVICE_COUNTS_KEPT_SECONDS)
            pipeline.execute()

    def service_counts(self, version: str) -> ServiceCounts:
        """Return the counts of a version's answers since it was promoted.

        Raises:
            WireError: The counts are damaged.
        """
        key, names = keys.service_counts(version), list(asdict(ServiceCounts()))
        stored = self._fields(key, names, at_most=bounds.MAX_TEXT)
        if stored is None:
            raise WireError(f"The record of what {version} has answered is too large. `redis-cli DEL {key}` clears it.")
        body = {name.encode(): number for name, number in zip(names, stored, strict=True) if number is not None}
        return ServiceCounts.from_hash(version, body)

    def strike(self, version: str) -> int:
        """Count that a version ended its process or failed. Return how often it did within `STRIKES_SECONDS`."""
        counted = self._scripts["strike"](
            keys=[keys.service_counts(version)], args=[STRIKES_SECONDS * 1000, SERVICE_COUNTS_KEPT_SECONDS * 1000]
        )
        return int(counted)

    def condemn(self, version: str, reason: str) -> None:
        """Record why no worker may classify with a version. Promoting it clears the record."""
        self._mark(version, keys.FAULT, _bounded(reason))

    def fault(self, version: str) -> str:
        """Return why no worker may classify with a version, or "" if workers may."""
        stored = self._fields(keys.service_counts(version), [keys.FAULT], at_most=_MAX_FAULT_BYTES)
        return _text(stored[0]) if stored else ""

    def _mark(self, version: str, field: str, value: bytes) -> None:
        key = keys.service_counts(version)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, field, value)
            pipeline.expire(key, SERVICE_COUNTS_KEPT_SECONDS)
            pipeline.execute()

    def _version(self, stored: bytes | None) -> str | None:
        """Return the version that an alias stores. The word `baseline` means the one that this release ships."""
        if stored is None:
            return None
        if stored == Alias.BASELINE.encode():
            return self.baseline.version
        try:
            return identifiers.read(Kind.VERSION, stored)
        except WireError as fault:
            raise WireError(f"{fault} {_MAKES_LIVE}") from None

    def _move(
        self,
        action: str,
        version: str,
        expected: str,
        reason: str,
        fence: Fence | None,
        who: str,
        *,
        canary: bool,
        best: BestChange | None = None,
    ) -> bool:
        answer = self._scripts["move"](
            keys=[keys.ALIASES, keys.MOVES, keys.model(version), keys.service_counts(version), *_fence_key(fence)],
            args=[
                version,
                expected,
                self.baseline.version,
                action,
                _bounded(who or identifiers.person_here()),
                _bounded(reason),
                HISTORY_KEPT,
                fence.token if fence else "",
                "1" if canary else "",
                *(best or ("", "")),
            ],
        )
        if answer == -1:
            raise ModelError(_moved(expected))
        if answer == -2:
            raise ModelError(missing(version))
        if answer == -3:
            raise ModelError(_LEASE_LOST)
        if answer == -4:
            raise ModelError(
                "Something else was live meanwhile, and is the best version now, so nothing was changed. "
                "`digitmill models list` shows it."
            )
        return bool(answer)


def _is_better(card: Card, other: Card) -> bool:
    """Return whether a version reads more of the validation images than another, if both were judged on as many.

    If not, they were judged on different data, and their figures say nothing about each other.
    """
    ours, theirs = card.validation.int8, other.validation.int8
    return ours.total == theirs.total and ours.correct > theirs.correct


def _published(name: str, body: Any, fault: str) -> PublishedVersion:
    """Return an entry of the list of versions.

    Args:
        name: Name of the version.
        body: Its card, the SHA-256 of the card and the time of publication in ms; or redis-py's error, or what
            else stands for one that is too large.
        fault: Why the version is out of service, or "".
    """
    published = 0.0
    try:
        if isinstance(body, ResponseError):
            raise wrong_type(keys.model(name))
        if not isinstance(body, list):
            raise too_large(name)
        text, sha256, when = body
        with reading(f"The record of model {name}", remedy="Push it again from its folder (`digitmill models push`)."):
            published = moment(int(when or 0) / 1000)
        return PublishedVersion(name, published, read_card(name, text, sha256), fault=fault)
    except (ModelError, WireError) as problem:
        return PublishedVersion(name, published, None, str(problem), fault)


def _text(stored: bytes | None) -> str:
    return (stored or b"").decode("utf-8", "replace")


def _moved(expected: str) -> str:
    return f"{expected} is not live any more, so nothing was changed. `digitmill models list` shows what is."


def _fence_key(fence: Fence | None) -> Sequence[str]:
    return [fence.key] if fence else []


def _bounded(text: str) -> bytes:
    """Return text for the history, of bounded length and as valid UTF-8, whatever a terminal passed on."""
    return text[:_MAX_REASON].encode("utf-8", "replace")
