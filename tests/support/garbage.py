"""Messages that somebody else than digitmill could put into a queue of Celery, and the one that digitmill sends."""

import base64
import functools
import json
import os
import pickle
import zlib
from typing import Any

from worker.contract.broker.application import make_app
from worker.contract.doorbell import DOORBELL_VERSION
from worker.contract.queues import CLASSIFY
from worker.settings import Settings

PART = "251125-101112-abc/0.0.2"

EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

SIGNATURE: dict[str, Any] = {
    "task": "evil",
    "args": [],
    "kwargs": {},
    "options": {"queue": "elsewhere"},
    "subtask_type": None,
}


class Mischief:
    """An object that makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("/tmp/digitmill-was-executed",)  # noqa: S108  it must never exist


def doorbell(task: str = CLASSIFY, words: Any = None) -> dict[str, Any]:
    """Return a message as digitmill sends it.

    Args:
        task: Name of the task, which is also that of the queue.
        words: Arguments of the task, in place of those of a doorbell.
    """
    message: dict[str, Any] = json.loads(_sent(task))
    if words is not None:
        message["body"] = json.dumps([[], words, EMBEDDED])
        message["headers"]["kwargsrepr"] = repr(words)
    return message


@functools.cache
def _sent(task: str) -> str:
    """Let Celery itself send a doorbell, to a queue in this process. Return what it would have put into Redis."""
    app = make_app("memory://", Settings.from_environment({}))
    app.conf.broker_transport = "memory"
    words = {"version": DOORBELL_VERSION} | ({"part": PART} if task == CLASSIFY else {})
    app.send_task(task, kwargs=words, ignore_result=True, time_limit=None, soft_time_limit=None)
    with app.connection_for_read() as connection:
        return json.dumps(connection.default_channel._get(task))  # its queue has the name of the task


@functools.cache
def refused(task: str = "digitmill.classify") -> dict[str, bytes]:
    """Return messages that no worker or trainer may take for a doorbell, by the name of their kind."""
    return {
        **{f"raw: {name}": raw for name, raw in _raw().items()},
        **{f"message: {name}": json.dumps(message).encode() for name, message in _messages(task).items()},
        **{f"body: {name}": _with_body(task, body) for name, body in _bodies(task).items()},
    }


@functools.cache
def harmless(task: str = "digitmill.classify") -> dict[str, bytes]:
    """Return messages that may be taken for doorbells, if what is wrong with them does not reach Celery."""
    kinds = {}
    properties: tuple[Any, ...] = (None, 7, "elsewhere", [], {"exchange": "elsewhere", "routing_key": "elsewhere"})
    headers: tuple[Any, ...] = (7, "elsewhere", ["x"], {"x": 1})
    for name in ("correlation_id", "reply_to", "delivery_tag", "delivery_info", "priority", "delivery_mode", "more"):
        for value in properties:
            message = doorbell(task)
            message["properties"][name] = value
            kinds[f"property {name}: {value!r}"] = message
    for name in ("root_id", "parent_id", "origin", "stamps", "stamped_headers", "replaced_task_nesting", "reply_to"):
        for value in headers:
            message = doorbell(task)
            message["headers"][name] = value
            kinds[f"header {name}: {value!r}"] = message
    return {name: json.dumps(message).encode() for name, message in kinds.items()}


def _raw() -> dict[str, bytes]:
    sent = doorbell()
    sent["headers"]["origin"] = "here"
    message = json.dumps(sent).encode()
    return {
        "nothing": b"",
        "a word": b"garbage",
        "zeros": bytes(100),
        "every byte": bytes(range(256)),
        "half a message": message[: len(message) // 2],
        "a message and more": message + b"{}",
        "not UTF-8": message.replace(b"digitmill", b"\xff\xfe"),
        "UTF-16": message.decode().encode("utf-16"),
        "a pickle": pickle.dumps(Mischief()),
        "YAML": b"!!python/object/apply:os.system ['true']",
        "null": b"null",
        "a number": b"17",
        "a huge number": b"9" * 5000,
        "infinity": b"1e999",
        "NaN": b"NaN",
        "a text": b'"text"',
        "a list": b"[]",
        "an object": b"{}",
        "a list of messages": b"[" + message + b"]",
        "deep lists": b"[" * 4000 + b"]" * 4000,
        "deep lists, not closed": b"[" * 8000,
        "deep objects": b'{"a":' * 1500 + b"1" + b"}" * 1500,
        "a deep header, not closed": message.replace(b'"stamps": {}', b'"stamps": ' + b"[" * 6000),
        "a deep body": message.replace(b'"[[], ', b'"' + b"[" * 3000 + b"], "),
        "too large": b" " * 10_000 + message,
        "a megabyte": b"x" * 1_000_000,
        "a megabyte of a message": message.replace(b"here", b"x" * 1_000_000),
        "a bomb": zlib.compress(bytes(10_000_000), 9),
        "surrogates": message.replace(b"here", b"\\ud800").replace(b"application", b"\\ud800"),
    }


def _messages(task: str) -> dict[str, Any]:
    other = "digitmill.train" if task == "digitmill.classify" else "digitmill.classify"
    wrong: dict[tuple[str, ...], tuple[Any, ...]] = {
        ("body",): _OF_ANOTHER_TYPE,
        ("headers",): ("elsewhere", *_OF_ANOTHER_TYPE),
        ("properties",): ("elsewhere", *_OF_ANOTHER_TYPE),
        ("content-type",): (
            *_OF_ANOTHER_TYPE,
            *(f"application/{kind}" for kind in ("x-python-serialize", "x-yaml", "x-msgpack", "data", "json ")),
            "text/plain",
            "",
        ),
        ("content-encoding",): (*_OF_ANOTHER_TYPE, "", "binary", "base64", "utf-16", "idna", "rot13", "zlib_codec"),
        ("properties", "body_encoding"): ("base64", "zlib", "none-such", 7, [], {}),
        ("headers", "id"): (None, 7, [], {}, "", "x" * 5000, "a\nb", "a b", "é"),
        ("headers", "task"): (None, 7, [], {}, "", "no.such.task", "celery.chord", other, f"{task}\x00"),
        ("headers", "eta"): ("2099-01-01T00:00:00", "2020-01-01T00:00:00", "soon", 7, [], {}),
        ("headers", "expires"): ("2020-01-01T00:00:00", "soon", 0, -1, [], {}),
        ("headers", "retries"): (1, -1, 10**30, None, "0", [], {}),
        ("headers", "timelimit"): ([0.001, 0.001], [1, None], [None], "xx", 7, {}, [[], []]),
        ("headers", "group"): ("g", 7, [], {}),
        ("headers", "shadow"): ("another name", 7, [], {}),
        ("headers", "compression"): ("application/x-gzip", "gzip", "zstd", "none-such", 7, [], {}),
    }
    required = ("body", "headers", "properties", "content-type", "content-encoding", "id", "task", "body_encoding")
    return {
        **{f"{path[-1]} {str(value)[:20]!r}": _with(task, path, value) for path in wrong for value in wrong[path]},
        **{f"without {path[-1]}": _with(task, path, _NOTHING) for path in wrong if path[-1] in required},
    }


_OF_ANOTHER_TYPE: tuple[Any, ...] = (None, 7, True, [], ["application/json"], {}, {"a": 1})
_NOTHING = object()


def _with(task: str, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a doorbell in which one value is another, or missing."""
    message = doorbell(task)
    inner = message
    for name in path[:-1]:
        inner = inner[name]
    if value is _NOTHING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return message


def _bodies(task: str) -> dict[str, Any]:
    words = {"version": 1, "part": PART} if task == "digitmill.classify" else {"version": 1}
    kinds: dict[str, Any] = {
        "empty": "",
        "not JSON": "{",
        "null": "null",
        "a number": "7",
        "a text": '"text"',
        "an object": "{}",
        "an empty list": "[]",
        "two parts": json.dumps([[], words]),
        "four parts": json.dumps([[], words, EMBEDDED, {}]),
        "arguments": json.dumps([["surplus"], words, EMBEDDED]),
        "base64": base64.b64encode(json.dumps([[], words, EMBEDDED]).encode()).decode(),
        "the first protocol": json.dumps({"task": task, "id": "x", "args": [], "kwargs": words}),
        "a pickle": base64.b64encode(pickle.dumps(Mischief())).decode(),
        "deep": "[" * 3000 + "]" * 3000,
    }
    for value in (None, 7, "text", ["text"], True):
        kinds[f"words {value!r}"] = json.dumps([[], value, EMBEDDED])
        kinds[f"arguments {value!r}"] = json.dumps([value, words, EMBEDDED])
        kinds[f"embedded {value!r}"] = json.dumps([[], words, value])
    wrong: tuple[Any, ...] = (None, "1", 1.5, [], {}, True, -1, 10**30)
    for value in wrong:
        kinds[f"version {value!r}"] = json.dumps([[], words | {"version": value}, EMBEDDED])
    kinds["no version"] = json.dumps([[], {"part": PART}, EMBEDDED])
    actions: tuple[Any, ...] = ([SIGNATURE], SIGNATURE, [], "evil", 7, [[SIGNATURE]])
    for name in EMBEDDED:
        for action in actions:
            kinds[f"{name} {str(action)[:20]}"] = json.dumps([[], words, EMBEDDED | {name: action}])
    parts: tuple[Any, ...] = (7, [], {}, True, "x" * 600)
    for part in parts:
        kinds[f"part {str(part)[:20]}"] = json.dumps([[], words | {"part": part}, EMBEDDED])
    if task == "digitmill.classify":
        kinds["no part"] = json.dumps([[], {"version": 1}, EMBEDDED])
        for name in ("", "no part", "x", "x/0.0", "x/0.2.1", "x/0.0.1\n", "/0.0.1", "x/0.0." + "9" * 30):
            kinds[f"part {name!r}"] = json.dumps([[], {"version": 1, "part": name}, EMBEDDED])
    return kinds


def _with_body(task: str, body: str) -> bytes:
    return json.dumps(doorbell(task) | {"body": body}).encode()
