"""What Redis can lose of a job, or somebody can write over it, while the client of the job gathers it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from worker.contract.ledger import Part, keys

WRITERS: dict[str, Callable[[Any, str], Any]] = {
    "string": lambda client, key: client.set(key, "somebody else's"),
    "list": lambda client, key: client.rpush(key, "somebody else's"),
    "hash": lambda client, key: client.hset(key, "somebody", "else"),
    "zset": lambda client, key: client.zadd(key, {"somebody": 1}),
    "set": lambda client, key: client.sadd(key, "somebody"),
    "stream": lambda client, key: client.xadd(key, {"somebody": "else"}),
}
"""Write something that is not digitmill's under a key that does not exist, by the name that Redis has for its type."""


def _other_type(client: Any, key: str) -> None:
    client.delete(key)
    client.set(key, 1)


HARMS: dict[str, Callable[[Any, Part], Any]] = {
    "a batch": lambda client, part: client.delete(part.key),
    "the payload of a batch": lambda client, part: client.hdel(part.key, "payload"),
    "a batch, overwritten with a string": lambda client, part: _other_type(client, part.key),
    "all batches": lambda client, part: [
        client.delete(key) for key in client.scan_iter(f"digitmill:batch:{part.job}/*")
    ],
    "the manifests": lambda client, part: client.delete(keys.manifest(part.job)),
    "the answers": lambda client, part: client.delete(keys.results(part.job)),
    "an answer, overwritten with garbage": lambda client, part: client.hset(
        keys.results(part.job), replace(part, sequence=0).field, b"?"
    ),
    "the list of open batches": lambda client, _: client.delete(keys.OPEN),
    "the notifications": lambda client, part: client.delete(keys.notifications(part.job)),
    "the notifications, overwritten with a string": lambda client, part: _other_type(
        client, keys.notifications(part.job)
    ),
    "the counters": lambda client, part: client.hset(
        keys.job(part.job), mapping={"open": 999, "unread": 99, "images": 1, "answered": 10**6}
    ),
    "the state of the job": lambda client, part: client.hdel(keys.job(part.job), "state"),
    "the model of the job": lambda client, part: client.hdel(keys.job(part.job), "model"),
    "the list of jobs": lambda client, _: client.delete(keys.JOBS),
    "the job": lambda client, part: client.delete(keys.job(part.job)),
    "the answers, overwritten with a string": lambda client, part: _other_type(client, keys.results(part.job)),
    "the manifests, overwritten with a string": lambda client, part: _other_type(client, keys.manifest(part.job)),
    "the job, overwritten with a string": lambda client, part: _other_type(client, keys.job(part.job)),
    "the list of workers, overwritten with a string": lambda client, _: _other_type(client, keys.WORKERS),
    "everything": lambda client, _: client.flushall(),
}
"""What happens, by its name in words. Each gets a connection and a part that waits or is in work."""
