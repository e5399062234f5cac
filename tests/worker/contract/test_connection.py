"""Facts about waiting for Redis: what passes by itself is waited out, what does not is said at once."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from producer.mill.stack import Stack
from worker.contract.connection import connect, retry_transient
from worker.contract.errors import Unreachable


@pytest.fixture
def locked(server: Stack, client: "redis.Redis") -> Iterator[Stack]:
    """The server with a password."""
    client.config_set("requirepass", "secret")
    yield server
    client.config_set("requirepass", "")


def test_a_server_that_is_killed_and_started_again_is_waited_for(tmp_path: Path) -> None:
    """And what was stored a second before is still there."""
    with Stack(tmp_path, 0) as stack:
        client = connect(stack.url)
        client.set("kept", "yes")
        time.sleep(1.5)  # the server syncs its log once a second
        waits: list[RedisError] = []
        os.kill(stack.supervisor.processes()["server"], signal.SIGKILL)
        assert retry_transient(lambda: client.get("kept"), timeout=30, on_wait=waits.append) == b"yes"
        assert waits


def test_patience_ends(tmp_path: Path) -> None:
    """With the remedy in the message."""
    client = connect(f"unix://{tmp_path}/none.sock")
    waits: list[RedisError] = []
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"Cannot reach the mill .*`digitmill up`"):
        retry_transient(client.ping, timeout=0.5, on_wait=waits.append, where="the mill")
    assert 0.5 <= time.monotonic() - began < 2
    assert len(waits) > 1


@pytest.mark.parametrize("credentials", ["", ":wrong@", "nobody:secret@"])
def test_a_refused_password_is_not_tried_again(locked: Stack, credentials: str) -> None:
    """Nor is a missing one: waiting would not help, and servers lock out who keeps trying."""
    client = connect(f"unix://{credentials}{locked.server.socket}")
    with pytest.raises(Unreachable, match="refuses the user or password") as caught:
        retry_transient(client.ping, timeout=30, on_wait=lambda fault: pytest.fail(f"waited for {fault!r}"))
    assert "DIGITMILL_REDIS_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_right_password_opens(locked: Stack) -> None:
    """In the shape that a URL has for a Unix socket."""
    assert connect(f"unix://:secret@{locked.server.socket}").ping()


def test_a_faulty_command_is_not_tried_again(client: "redis.Redis") -> None:
    """It would be as faulty the next time."""
    client.set("text", "x")
    with pytest.raises(Unreachable, match="refuses to work"):
        retry_transient(
            lambda: client.lpush("text", "y"), timeout=30, on_wait=lambda fault: pytest.fail(f"waited for {fault!r}")
        )


def test_a_full_server_is_waited_for(client: "redis.Redis") -> None:
    """Running jobs make room."""
    client.config_set("maxmemory", 1)
    with pytest.raises(Unreachable, match=r"out of memory\. Raise its maxmemory"):
        retry_transient(lambda: client.set("text", "x"), timeout=0)
    assert retry_transient(
        lambda: client.set("text", "x"), timeout=30, on_wait=lambda _: client.config_set("maxmemory", "1gb")
    )


@pytest.mark.parametrize("url", ["http://host", "redis://user:secret@host:0/text?socket_timeout=soon"])
def test_what_is_no_redis_url_is_refused_without_its_password(url: str) -> None:
    """Before anything is connected."""
    with pytest.raises(Unreachable, match="is not a Redis URL") as caught:
        connect(url)
    assert "secret" not in str(caught.value)
