"""Facts about calls to Redis: transient faults are retried, and others are reported at once."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError, ResponseError

from producer.mill.stack import Stack
from tests.support.clock import Clock
from worker.contract.connection import SOCKET_TIMEOUT, answer_seconds, connect, retry_transient
from worker.contract.errors import Unreachable


@pytest.fixture
def locked(server: Stack, client: "redis.Redis") -> Iterator[Stack]:
    """The server with a password."""
    client.config_set("requirepass", "secret")
    yield server
    client.config_set("requirepass", "")


def test_a_server_that_is_killed_and_started_again_is_waited_for(tmp_path: Path) -> None:
    """A call that was made meanwhile succeeds, and the data is still there."""
    with Stack(tmp_path, 0) as stack:
        client = connect(stack.url)
        client.config_set("appendfsync", "always")  # by default Redis may write up to two seconds later
        client.set("kept", "yes")
        waits: list[RedisError] = []
        os.kill(stack.supervisor.processes()["server"], signal.SIGKILL)
        assert retry_transient(lambda: client.get("kept"), timeout=30, on_wait=waits.append) == b"yes"
        assert waits


@pytest.mark.parametrize(("timeout", "seconds"), [(0, SOCKET_TIMEOUT), (60, SOCKET_TIMEOUT), (4, 2), (0.5, 1)])
def test_one_lost_connection_does_not_use_up_the_timeout_of_a_command(timeout: float, seconds: float) -> None:
    """A connection counts as lost after half of it, but a busy Redis has a second."""
    assert answer_seconds(timeout) == seconds


def test_retries_end_with_the_timeout(tmp_path: Path) -> None:
    """The message names the remedy. The pauses grow to between half a second and one and a half."""
    client, clock = connect(f"unix://{tmp_path}/none.sock"), Clock(1000.0)
    waits: list[RedisError] = []
    with pytest.raises(Unreachable, match=r"Cannot reach the mill .*`digitmill up`"):
        retry_transient(client.ping, timeout=60, on_wait=waits.append, where="the mill", clock=clock)
    assert 60 <= clock.now - 1000 < 60 + 1.5
    assert 40 < len(waits) < 130


@pytest.mark.parametrize("credentials", ["", ":wrong@", "nobody:secret@"])
def test_a_refused_password_is_not_tried_again(locked: Stack, credentials: str) -> None:
    """Nor is a missing one. Waiting would not help, and some servers lock out a client that keeps trying."""
    client = connect(f"unix://{credentials}{locked.server.socket}")
    with pytest.raises(Unreachable, match="refuses the user or password") as caught:
        retry_transient(client.ping, timeout=30, on_wait=lambda fault: pytest.fail(f"waited for {fault!r}"))
    assert "DIGITMILL_REDIS_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_right_password_opens(locked: Stack) -> None:
    """The URL of a Unix socket may contain one."""
    assert connect(f"unix://:secret@{locked.server.socket}").ping()


def test_a_faulty_command_is_not_tried_again(client: "redis.Redis") -> None:
    """The error is reported at once, because the command would fail again."""
    client.set("text", "x")
    with pytest.raises(Unreachable, match="refuses to work"):
        retry_transient(
            lambda: client.lpush("text", "y"), timeout=30, on_wait=lambda fault: pytest.fail(f"waited for {fault!r}")
        )


def test_a_blocking_read_that_a_failover_ends_is_made_again(server: Stack, client: "redis.Redis") -> None:
    """Redis ends it with an error of its own. What arrives later is read."""
    reader = connect(server.url)
    number = reader.client_id()
    waits: list[RedisError] = []

    def wait(fault: RedisError) -> None:
        waits.append(fault)
        client.rpush("list", "value")

    def read() -> object:
        if not waits:
            threading.Timer(0.3, lambda: client.client_unblock(number, error=True)).start()
        return reader.blpop(["list"], 4)

    assert retry_transient(read, timeout=30, on_wait=wait) == (b"list", b"value")
    assert [str(fault).split()[0] for fault in waits] == ["UNBLOCKED"]


def test_a_server_that_runs_a_long_script_is_waited_for(server: Stack, client: "redis.Redis") -> None:
    """Redis refuses all commands while it does, of whoever the script is. They succeed once it has ended."""
    client.set("kept", "yes")
    client.config_set("lua-time-limit", 10)  # milliseconds; by default 5,000
    script = threading.Thread(target=_run_until_killed, args=[server.url])
    script.start()
    while not _is_busy(client):
        time.sleep(0.01)
    waits: list[RedisError] = []

    def wait(fault: RedisError) -> None:
        if not waits:
            client.script_kill()
        waits.append(fault)

    assert retry_transient(lambda: client.get("kept"), timeout=30, on_wait=wait) == b"yes"
    script.join()
    assert str(waits[0]).startswith("BUSY ")
    client.config_set("lua-time-limit", 5000)


def _run_until_killed(url: str) -> None:
    with pytest.raises(ResponseError):
        connect(url, answer_seconds=60).eval("while true do end", 0)


def _is_busy(client: "redis.Redis") -> bool:
    try:
        client.ping()
    except RedisError:
        return True
    return False


def test_a_full_server_is_waited_for(client: "redis.Redis") -> None:
    """A retry succeeds once there is room. The final error names the remedy."""
    client.config_set("maxmemory", 1)
    with pytest.raises(Unreachable, match=r"out of memory\. Raise its maxmemory"):
        retry_transient(lambda: client.set("text", "x"), timeout=0)
    assert retry_transient(
        lambda: client.set("text", "x"), timeout=30, on_wait=lambda _: client.config_set("maxmemory", "1gb")
    )


@pytest.mark.parametrize("url", ["http://host", "redis://user:secret@host:0/text?socket_timeout=soon"])
def test_a_url_of_something_else_is_refused_without_its_password(url: str) -> None:
    """`connect` refuses it, before it connects to anything."""
    with pytest.raises(Unreachable, match="is not a valid URL of Redis") as caught:
        connect(url)
    assert "secret" not in str(caught.value)
