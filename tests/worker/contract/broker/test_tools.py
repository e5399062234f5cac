"""Facts about Celery's own tools: they see a worker that is told to answer them, and cannot change anything."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from celery import Celery

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.sources import mnist_source
from tests.support.garbage import doorbell, refused
from tests.support.mill import Mill
from worker.contract.broker.messages import MAX_BYTES, checked_command
from worker.contract.connection import connect
from worker.contract.errors import WireError
from worker.contract.queues import CLASSIFY

CHANNEL = "/0.celery.pidbox"
TOOL = "0f3a7c2e-1d4b-4c6a-9e8f-0123456789ab"


def command(*, message: dict[str, Any] | None = None, **words: Any) -> bytes:
    """Return a command as kombu sends it.

    Args:
        message: What is changed in the message.
        words: What is changed in the command.
    """
    body: dict[str, Any] = {
        "method": "ping",
        "arguments": {},
        "destination": None,
        "pattern": None,
        "matcher": None,
        "ticket": TOOL,
    }
    body |= {"reply_to": {"exchange": "reply.celery.pidbox", "routing_key": TOOL}} | words
    sent = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"clock": 7, "expires": 0},
        "properties": {"delivery_mode": 1, "delivery_tag": TOOL, "body_encoding": "base64"},
    }
    return json.dumps(sent | (message or {})).encode()


REFUSED = {
    **{name: raw for name, raw in refused().items() if name.startswith("raw: ")},
    "a doorbell": json.dumps(doorbell()).encode(),
    "a compressed body": command(message={"headers": {"compression": "zlib"}, "content-encoding": "binary"}),
    "a pickle": command(message={"content-type": "application/x-python-serialize"}),
    "no base64": command(message={"body": "%"}),
    "a body that is nested deeply": command(message={"body": base64.b64encode(b"[" * 4000).decode()}),
    "a name with other characters": command(method="ping; shutdown"),
    "a name with another line": command(method="ping\n"),
    "a reply to a key with another line": command(
        reply_to={"exchange": "reply.celery.pidbox", "routing_key": f"{TOOL}\n"}
    ),
    "a regular expression": command(pattern="(a+)+$", matcher="pcre"),
    "a reply elsewhere": command(reply_to={"exchange": "", "routing_key": "digitmill:aliases"}),
    "a reply to another key": command(reply_to={"exchange": "reply.celery.pidbox", "routing_key": "digitmill:jobs"}),
    "a ticket that is long": command(ticket="x" * 100),
    "destinations that are long": command(destination=["x" * 1000]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_garbage_is_not_a_command(name: str) -> None:
    """What kombu would obey, unpack or match is refused before kombu sees it."""
    with pytest.raises(WireError):
        checked_command(REFUSED[name])


def test_a_command_travels_without_its_arguments() -> None:
    """The message that kombu sees is made anew, and has the parts that were checked."""
    made = json.loads(checked_command(command(method="conf", arguments={"with_defaults": True}, more="x")))
    assert json.loads(made["body"]) == {
        "method": "conf",
        "destination": None,
        "pattern": None,
        "ticket": TOOL,
        "reply_to": {"exchange": "reply.celery.pidbox", "routing_key": TOOL},
    }
    assert made["headers"] == {}
    with pytest.raises(WireError, match=str(MAX_BYTES)):
        checked_command(command(more="x" * MAX_BYTES))


@pytest.fixture(scope="module")
def watched(start_mill_in, tmp_path_factory) -> Iterator[Mill]:
    """A mill whose worker answers Celery's tools."""
    with start_mill_in(tmp_path_factory.mktemp("watched"), 1, DIGITMILL_CELERY_TOOLS="1") as mill:
        yield mill


def tools(mill: Mill) -> Any:
    """Return Celery's remote control, as its command line makes it, with kombu's own transport."""
    return Celery(broker=mill.stack.url.replace("unix://", "redis+socket://"), set_as_current=False).control


def test_celery_inspect_sees_a_worker(watched: Mill) -> None:
    """It is there, with its task and its queue, and without the password of Redis or its settings."""
    inspect = tools(watched).inspect(timeout=60, limit=1)
    [(name, pong)] = inspect.ping().items()
    assert name.startswith("digitmill@")
    assert pong == {"ok": "pong"}
    assert inspect.registered() == {name: [CLASSIFY]}
    assert [queue["name"] for queue in inspect.active_queues()[name]] == ["digitmill.classify"]
    assert inspect.active() == {name: []}
    stats = inspect.stats()[name]
    assert stats["pool"]["max-concurrency"] == 1
    assert stats["broker"] == {"hostname": watched.stack.url}


@pytest.mark.parametrize("name", ["shutdown", "pool_restart", "revoke", "rate_limit", "conf", "hello", "no_such_thing"])
def test_a_worker_obeys_no_command_that_changes_or_tells_more(watched: Mill, name: str) -> None:
    """It says so, and goes on."""
    [answer] = tools(watched).broadcast(name, reply=True, timeout=60, limit=1)
    [said] = answer.values()
    assert said == {"error": f"digitmill does not obey {name}: Celery's tools may only look."}


def test_garbage_in_the_channel_of_commands_harms_no_worker(watched: Mill, eventually) -> None:
    """The worker says that it dropped some, and answers the next command. A reply that nobody reads expires."""
    client = connect(watched.stack.url)
    for raw in REFUSED.values():
        assert client.publish(CHANNEL, raw) == 1
    client.publish(CHANNEL, command())
    eventually(lambda: client.pttl(f"{TOOL}.reply.celery.pidbox") > 0, what="the reply is there, and expires")
    assert "in celery.pidbox that digitmill did not send" in watched.worker_logs()


def test_events_tell_of_the_worker_and_of_each_batch(watched: Mill, digits, eventually) -> None:
    """Flower and exporters show what comes through this channel. Events of a second travel together."""
    events = connect(watched.stack.url).pubsub()
    events.psubscribe("/0.celeryev/*")
    source = mnist_source(digits.images[:300], digits.labels[:300])
    order = SubmitOptions(path="test", batch_size=100)
    job = create_job(watched.connection, order, source.description, watched.settings, detached=False)
    gather_job(watched.connection, job, order, source, watched.settings)
    seen: dict[str, set[str]] = {}

    def all_seen() -> bool:
        message = events.get_message(ignore_subscribe_messages=True, timeout=1)
        for event in _events(message["data"]) if message else []:
            seen.setdefault(event["type"], set()).add(event.get("uuid", ""))
        return "worker-heartbeat" in seen and len(seen.get("task-succeeded", ())) >= 3

    eventually(all_seen, what="events of three batches and of the worker")
    assert seen["task-received"] == seen["task-started"] == seen["task-succeeded"]


def _events(raw: bytes) -> list[dict[str, Any]]:
    body = msgspec.json.decode(msgspec.json.decode(raw)["body"])
    return body if isinstance(body, list) else [body]


def test_a_worker_says_nothing_unless_it_is_told_to(mill: Mill) -> None:
    """Nobody listens to commands, so a worker cannot be reached through them."""
    assert connect(mill.stack.url).publish(CHANNEL, command()) == 0
    assert tools(mill).inspect(timeout=0.1).ping() is None
