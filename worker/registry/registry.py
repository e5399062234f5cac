"""The registry's operations. What is read from it is verified first; what is changed, is changed all at once."""

import getpass
import hashlib
import re
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from model.card import BASELINE, MODEL, Card, read_file
from model.errors import ModelError, UsageError
from worker.registry import keys
from worker.registry.records import Alias, Aliases, Fence, Move, Published
from worker.scripts import load_scripts

if TYPE_CHECKING:
    import redis

VERSIONS_KEPT = 20
"""Of the versions published, so many of the newest are kept, and those that have an alias: at 1.2 MB each, 30 MB."""

HISTORY_KEPT = 100
"""Changes of what is live that are remembered."""

LARGEST_BYTES = 32 * 1024 * 1024
"""Of all files of a version together; ours have 1.2 MB."""

_LONGEST_REASON = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a version or a file: safe as a file name everywhere, and to type."""


class Registry:
    """All that is written about models in one Redis.

    The baseline, which ships with the program, is a version like any other, except that it is never uploaded: every
    installation has it on disk, so it can be listed, promoted and rolled back to in an empty Redis, in one that is out
    of memory, and when everything published is damaged. It is what `live` means until something is promoted.

    No method waits or retries. Each but `rollback` is harmless to repeat, so callers wrap it in `connection.persist`;
    `rollback` is so with `expected`, and undoes itself without. Every method raises redis-py's errors as they come.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = client
        self._scripts = load_scripts(client, "worker.registry", ("publish", "move"))

    @cached_property
    def baseline(self) -> Card:
        """The card of the model that ships with this program.

        Raises:
            ModelError: it is missing or no card.
        """
        return Card.read(BASELINE)

    # Versions -----------------------------------------------------------------------------------------------------

    def publish(self, card: Card, files: Mapping[str, bytes], *, fence: Fence | None = None) -> None:
        """Store a version, whole or not at all, and name it the candidate. To publish it again changes nothing.

        The oldest versions beyond `VERSIONS_KEPT` go, unless they have an alias.

        Args:
            card: of the version; it names all the files.
            files: their contents, by name.
            fence: must still be held, or nothing is stored.

        Raises:
            ModelError: card and files do not belong together, another content has this name, or the fence is lost.
        """
        _check_complete(card, files)
        text = card.dumps().encode()
        if card.version == self.baseline.version and text != self.baseline.dumps().encode():
            raise ModelError(f"{card.version} is the name of the baseline. Give this model another name.")
        contents = [item for name, content in files.items() for item in (keys.file(name), content)]
        answer = self._scripts["publish"](
            keys=[keys.model(card.version), keys.MODELS, keys.ALIASES, *_fence_key(fence)],
            args=[
                card.version,
                hashlib.sha256(text).hexdigest(),
                fence.token if fence else "",
                VERSIONS_KEPT,
                keys.MODEL_PREFIX,
                keys.CARD,
                text,
                *contents,
            ],
        )
        if answer == -1:
            raise ModelError(
                f"There is another model {card.version} already. Versions never change: give it a new name."
            )
        if answer == -2:
            raise ModelError(_LEASE_LOST)

    def fetch(self, version: str) -> tuple[Card, dict[str, bytes]]:
        """Return a version's card and all its files, by name, verified.

        Raises:
            ModelError: there is no such version, or it is incomplete or altered.
        """
        if version == self.baseline.version:
            return self.baseline, {name: read_file(BASELINE, self.baseline, name) for name in self.baseline.files}
        body = {field.decode(): value for field, value in self._redis.hgetall(keys.model(version)).items()}
        card = _read_card(version, body.get(keys.CARD), body.get(keys.SHA256))
        return card, {name: _verified(card, name, body.get(keys.file(name))) for name in card.files}

    def fetch_model(self, version: str) -> tuple[Card, bytes]:
        """Return what classifying with a version takes: its card and its model.tflite, verified.

        Raises:
            ModelError: there is no such version, or it is incomplete or altered.
        """
        if version == self.baseline.version:
            return self.baseline, read_file(BASELINE, self.baseline, MODEL)
        text, sha256, content = self._redis.hmget(keys.model(version), keys.CARD, keys.SHA256, keys.file(MODEL))
        card = _read_card(version, text, sha256)
        return card, _verified(card, MODEL, content)

    def card(self, version: str) -> Card:
        """Return a version's card, verified.

        Raises:
            ModelError: there is no such version, or its card is altered.
        """
        if version == self.baseline.version:
            return self.baseline
        return _read_card(version, *self._redis.hmget(keys.model(version), keys.CARD, keys.SHA256))

    def versions(self) -> list[Published]:
        """Return all versions, the newest first and the baseline last; a damaged one with what is wrong with it."""
        names = [name.decode() for name in self._redis.zrevrange(keys.MODELS, 0, -1)]
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hmget(keys.model(name), keys.CARD, keys.SHA256, keys.PUBLISHED)
            bodies = pipeline.execute()
        found = []
        for name, (text, sha256, published) in zip(names, bodies, strict=True):
            if name == self.baseline.version:
                continue
            try:
                found.append(Published(name, int(published or 0) / 1000, _read_card(name, text, sha256)))
            except ModelError as fault:
                found.append(Published(name, int(published or 0) / 1000, None, str(fault)))
        created = datetime.fromisoformat(self.baseline.created).timestamp()
        return [*found, Published(self.baseline.version, created, self.baseline)]

    def resolve(self, words: str) -> str:
        """Return the version meant by an alias, by a version's name, or by the beginning of one.

        Raises:
            UsageError: none or several are meant.
        """
        aliases = self.aliases()
        named = {
            Alias.LIVE: aliases.live,
            Alias.PREVIOUS: aliases.previous,
            Alias.CANDIDATE: aliases.candidate,
            Alias.BASELINE: self.baseline.version,
        }
        if words in named:
            version = named[Alias(words)]
            if version is None:
                raise UsageError(f"There is no {words} version. `digitmill models list` shows what there is.")
            return version
        names = {name.decode() for name in self._redis.zrange(keys.MODELS, 0, -1)} | {self.baseline.version}
        meant = [words] if words in names else sorted(name for name in names if words and name.startswith(words))
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise UsageError(f"{words} may mean {', '.join(meant[:5])}. Type more of it.")
        raise UsageError(f"There is no model {words}. `digitmill models list` shows what there is.")

    # What is live -------------------------------------------------------------------------------------------------

    def live(self) -> str:
        """Return the version that is live. The cheapest read there is: workers do it all the time."""
        version = self._redis.hget(keys.ALIASES, Alias.LIVE)
        return version.decode() if version else self.baseline.version

    def aliases(self) -> Aliases:
        """Return which version each alias means."""
        live, previous, candidate = (
            version.decode() if version else None
            for version in self._redis.hmget(keys.ALIASES, Alias.LIVE, Alias.PREVIOUS, Alias.CANDIDATE)
        )
        return Aliases(live or self.baseline.version, previous, candidate)

    def promote(
        self, version: str, *, reason: str, expected: str | None = None, fence: Fence | None = None, who: str = ""
    ) -> bool:
        """Make a version live in one atomic write; return False if it is already.

        Args:
            version: which; all of it is verified first.
            reason: why, for the history.
            expected: what must still be live, for whoever has compared the two; None: whatever is now.
            fence: must still be held.
            who: does it; user and host by default.

        Raises:
            ModelError: the version is missing, incomplete or altered, something else is live than expected, or the
                fence is lost. Nothing has changed then.
        """
        self.fetch(version)
        return self._move("promote", version, expected or self.live(), reason, fence, who)

    def rollback(self, *, reason: str, expected: str | None = None, who: str = "") -> str:
        """Make the previous version live again, in one atomic write; the one that was live becomes the previous.

        Args:
            reason: why, for the history.
            expected: what must still be live, for whoever found fault with it; None: whatever is now.
            who: does it; user and host by default.

        Returns:
            The version that is live now.

        Raises:
            ModelError: there is no previous version, it is incomplete or altered, or something else is live than
                expected. Nothing has changed then.
        """
        aliases = self.aliases()
        if expected is not None and aliases.live != expected:
            raise ModelError(_moved(expected))
        if aliases.previous is None:
            raise ModelError(f"Nothing was live before {aliases.live}, so there is nothing to roll back to.")
        self.fetch(aliases.previous)
        self._move("rollback", aliases.previous, expected or aliases.live, reason, None, who)
        return aliases.previous

    def history(self) -> list[Move]:
        """Return the latest changes of what is live, newest first."""
        return [Move.from_json(text) for text in self._redis.lrange(keys.MOVES, 0, -1)]

    def _move(self, action: str, version: str, expected: str, reason: str, fence: Fence | None, who: str) -> bool:
        answer = self._scripts["move"](
            keys=[keys.ALIASES, keys.MOVES, keys.model(version), *_fence_key(fence)],
            args=[
                version,
                expected,
                self.baseline.version,
                action,
                _words(who or _who()),
                _words(reason),
                HISTORY_KEPT,
                fence.token if fence else "",
            ],
        )
        if answer == -1:
            raise ModelError(_moved(expected))
        if answer == -2:
            raise ModelError(_missing(version))
        if answer == -3:
            raise ModelError(_LEASE_LOST)
        return bool(answer)


_LEASE_LOST = "The lease on training was lost to another trainer, so nothing was changed. Train again."


def _check_complete(card: Card, files: Mapping[str, bytes]) -> None:
    """Refuse what `fetch` would refuse, and names that no folder or command line should see."""
    for name in (card.version, *files):
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name[:100]!r} is no name for a version or a file: letters, digits, . _ and - are.")
    if card.version in set(Alias):
        raise ModelError(f"{card.version} is an alias. Give this model a name of its own.")
    if MODEL not in card.files:
        raise ModelError(f"The card of {card.version} names no {MODEL}. Export the model again.")
    if surplus := set(files) - set(card.files):
        raise ModelError(f"The card of {card.version} does not vouch for {', '.join(sorted(surplus))}. Leave it out.")
    if sum(map(len, files.values())) > LARGEST_BYTES:
        raise ModelError(f"The files of {card.version} have more than {LARGEST_BYTES // 1024**2} MB. Leave some out.")
    for name in card.files:
        _verified(card, name, files.get(name))


def _read_card(version: str, text: bytes | None, sha256: bytes | None) -> Card:
    if text is None:
        raise ModelError(_missing(version))
    if hashlib.sha256(text).hexdigest().encode() != sha256:
        raise ModelError(f"The card of model {version} was altered since its publication. {_AGAIN}")
    card = Card.loads(text)
    if card.version != version:
        raise ModelError(f"What is stored as model {version} is {card.version}. {_AGAIN}")
    return card


def _verified(card: Card, name: str, content: bytes | None) -> bytes:
    if name not in card.files:
        raise ModelError(f"The card of {card.version} names no {name}. Export the model again.")
    if content is None:
        raise ModelError(f"Model {card.version} is incomplete: {name} is missing. {_AGAIN}")
    found = hashlib.sha256(content).hexdigest()
    if found != card.files[name]:
        raise ModelError(
            f"{name} of model {card.version} is not what its card vouches for (SHA-256 {found[:8]}… instead of "
            f"{card.files[name][:8]}…). {_AGAIN}"
        )
    return content


_AGAIN = "Push it again from its folder (`digitmill models push`), or promote another."


def _missing(version: str) -> str:
    return f"There is no model {version} in the registry. {_AGAIN}"


def _moved(expected: str) -> str:
    return f"{expected} is not live any more, so nothing was changed. `digitmill models list` shows what is."


def _fence_key(fence: Fence | None) -> Sequence[str]:
    return [fence.key] if fence else []


def _words(text: str) -> bytes:
    """Fit for the history: of bounded length, and UTF-8 whatever a terminal passed on."""
    return text[:_LONGEST_REASON].encode("utf-8", "replace")


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = "?"
    return f"{user}@{socket.gethostname()}"
