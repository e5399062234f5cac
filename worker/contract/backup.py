"""The keys that a backup of Redis has, and how each is read and written again."""

from collections.abc import Callable, Iterable, Iterator
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

from worker.contract.drift import keys as drift
from worker.contract.errors import WireError
from worker.contract.gate.keys import GATE
from worker.contract.ledger import keys as ledger
from worker.contract.registry import Registry
from worker.contract.registry import keys as registry
from worker.contract.teaching import keys as teaching
from worker.contract.training import keys as training
from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import CheckedRedis

if TYPE_CHECKING:
    import redis

MADE_BY_USE = (ledger.JOBS, registry.MODELS, registry.MOVES, teaching.TAUGHT, teaching.INBOX, training.TRAININGS)
"""Keys that the use of a mill makes. A Redis with one of them is not empty, so nothing is restored into it."""

_FIXED = (
    *MADE_BY_USE,
    registry.ALIASES,
    teaching.HELD,
    teaching.CHANGES,
    training.CURRENT,
    training.TOKEN,
    training.SEEN,
    training.SCHEDULE,
    ledger.OPEN,
    GATE,
)
_OWN = "digitmill:"


class StoredKey(NamedTuple):
    """A key of Redis with what it holds.

    Attributes:
        key: The key.
        kind: Type of what it holds: `hash`, `zset`, `list` or `string`.
        content: That, as redis-py returns it.
        expires_ms: Time until it expires, in ms, or -1 if it never does.
    """

    key: str
    kind: str
    content: Any
    expires_ms: int

    def to_bytes(self) -> bytes:
        """Return the key as bytes."""
        packed: bytes = msgpack.packb(tuple(self))
        return packed

    @classmethod
    def from_bytes(cls, content: bytes) -> "StoredKey":
        """Return the key from bytes.

        Raises:
            WireError: The bytes are not a key of digitmill.
        """
        try:
            found = cls(*msgpack.unpackb(content, raw=True, strict_map_key=False))
            key, kind = bytes(found.key).decode(), bytes(found.kind).decode()  # type: ignore[arg-type]  # raw
        except (ValueError, TypeError, msgpack.UnpackException) as fault:
            raise WireError(f"The backup has something that is not a key ({type(fault).__name__}).") from None
        known = kind in _TYPES and _TYPES[kind].holds(found.content)
        if not key.startswith(_OWN) or not known or type(found.expires_ms) is not int:
            raise WireError(f"The backup has a key that is not one of digitmill: {identifiers.shown(key)}.")
        return cls(key, kind, found.content, found.expires_ms)


def stored_keys(client: "redis.Redis") -> Iterator[StoredKey]:
    """Yield everything that outlives the processes of a mill: registry, taught images, trainings, jobs and answers.

    Each key is read at once, but others may change meanwhile. Keys are found by the lists that name them.

    Args:
        client: Connection of `connection.connect`.

    Raises:
        WireError: A key holds another type than digitmill stores there.
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    redis_: Any = CheckedRedis(client)
    for key in (*_FIXED, *_named(redis_, Registry(client).baseline.version)):
        with redis_.pipeline(transaction=True) as pipeline:
            pipeline.type(key)
            pipeline.pttl(key)
            kind, expires = pipeline.execute()
        name = kind.decode()
        if name in _TYPES and (content := _TYPES[name].read(redis_, key)):  # it may have expired since
            yield StoredKey(key, name, content, expires)


def store(client: "redis.Redis", stored: StoredKey) -> bool:
    """Write a key again, unless there is one. Return whether it was written.

    Args:
        client: Connection of `connection.connect`.
        stored: The key.
    """
    if client.exists(stored.key):
        return False
    pipeline: Any = client.pipeline(transaction=True)
    _TYPES[stored.kind].write(pipeline, stored.key, stored.content)
    if stored.expires_ms > 0:
        pipeline.pexpire(stored.key, stored.expires_ms)
    pipeline.execute()
    return True


def _named(client: Any, baseline: str) -> Iterator[str]:
    """Yield the keys whose names lists of names have, and those of the baseline, which no list has."""
    for version in {*_names(client, registry.MODELS, Kind.VERSION), baseline}:
        yield from (registry.model(version), registry.service_counts(version), drift.days(version))
    for name in _names(client, training.TRAININGS, Kind.TRAINING):
        yield training.training(name)
    for job in _names(client, ledger.JOBS, Kind.JOB):
        yield from (ledger.job(job), ledger.manifest(job), ledger.results(job), ledger.notifications(job))
    for member in client.zrange(ledger.OPEN, 0, -1):
        try:
            yield ledger.Part.from_member(member.decode()).key
        except (WireError, UnicodeDecodeError):
            continue  # it is not a part, and a reconciler drops it


def _names(client: Any, key: str, kind: Kind) -> list[str]:
    return [name.decode() for name in client.zrange(key, 0, -1) if identifiers.is_valid(kind, name)]


def _are_bytes(content: Iterable[object]) -> bool:
    return all(type(each) is bytes for each in content)


def _is_hash(content: object) -> bool:
    return isinstance(content, dict) and bool(content) and _are_bytes([*content, *content.values()])


def _is_list(content: object) -> bool:
    return isinstance(content, list) and bool(content) and _are_bytes(content)


def _is_zset(content: object) -> bool:
    """Return whether something is what redis-py returns of a sorted set: members with their scores."""
    if not isinstance(content, list) or not content:
        return False
    return all(
        isinstance(pair, list)
        and len(pair) == 2
        and type(pair[0]) is bytes
        and type(pair[1]) is float
        and not isnan(pair[1])
        for pair in content
    )


def _is_string(content: object) -> bool:
    return isinstance(content, bytes) and bool(content)


class _Type(NamedTuple):
    """How keys of a type are read and written, and what one may hold."""

    holds: Callable[[object], bool]
    read: Callable[[Any, str], Any]
    write: Callable[[Any, str, Any], object]


_TYPES = {
    "hash": _Type(
        _is_hash,
        lambda client, key: client.hgetall(key),
        lambda client, key, content: client.hset(key, mapping=content),
    ),
    "zset": _Type(
        _is_zset,
        lambda client, key: client.zrange(key, 0, -1, withscores=True),
        lambda client, key, content: client.zadd(key, dict(map(tuple, content))),
    ),
    "list": _Type(
        _is_list,
        lambda client, key: client.lrange(key, 0, -1),
        lambda client, key, content: client.rpush(key, *content),
    ),
    "string": _Type(
        _is_string,
        lambda client, key: client.get(key),
        lambda client, key, content: client.set(key, content),
    ),
}
