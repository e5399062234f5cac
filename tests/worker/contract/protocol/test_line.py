"""Facts about the connection for frequent commands: its replies, and what ends it."""

import pytest
from redis.exceptions import RedisError, ResponseError

from worker.contract.connection import connect
from worker.contract.protocol.line import READ_BYTES, Line, packed


def ask(line, *words):
    """Return the reply to a command."""
    line.send(packed(*words), replies=1)
    return line.receive()


def test_replies_have_the_values_that_redis_sends(client):
    """Numbers, texts, lists, nothing, and values that arrive in many pieces."""
    line, large = Line(client), bytes(range(256)) * (READ_BYTES // 64)
    assert ask(line, "PING") == b"PONG"
    assert ask(line, "SET", "large", large) == b"OK"
    assert ask(line, "GET", "large") == large
    assert ask(line, "GET", "none") is None
    assert ask(line, "RPUSH", "list", "a\r\nb", b"", 1.5) == 3
    assert ask(line, "LRANGE", "list", 0, -1) == [b"a\r\nb", b"", b"1.5"]
    assert ask(line, "BLPOP", "none", 0.01) is None


def test_an_error_of_a_command_is_a_value(client):
    """The connection goes on with the next reply."""
    line = Line(client)
    line.send(packed("LPUSH", "list", "x") + packed("GET", "list") + packed("PING"), replies=3)
    assert line.receive() == 1
    assert isinstance(line.receive(), ResponseError)
    assert line.receive() == b"PONG"


def test_a_line_connects_again_after_it_was_lost(client):
    """Whoever waits for a reply learns of it."""
    greeted = []
    line = Line(client, lambda _: greeted.append(1))
    ask(line, "PING")
    line.send(packed("BLPOP", "none", 0), replies=1)
    client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(RedisError):
        line.receive()
    assert ask(line, "PING") == b"PONG"
    assert len(greeted) == 2


def test_redis_that_does_not_answer_is_given_up(server):
    """The timeout is that of the client."""
    line = Line(connect(server.url, answer_seconds=0.2))
    with pytest.raises(RedisError, match="Timeout"):
        ask(line, "BLPOP", "none", 0)
    assert ask(line, "PING") == b"PONG"


def test_a_value_that_is_too_large_is_not_read(client):
    """It costs no memory, and the next command connects again."""
    line = Line(client, at_most=1000)
    client.set("large", bytes(1001))
    with pytest.raises(RedisError, match=r"1,001 bytes"):
        ask(line, "GET", "large")
    assert ask(line, "PING") == b"PONG"


def test_another_thread_may_close_a_line_at_any_moment(client):
    """Whoever uses it gets the same kind of error as if Redis had closed it."""
    line = Line(client)

    class Meanwhile(float):
        """A time in whose use the other thread gets its turn."""

        def __ne__(self, other):
            line.disconnect()
            return True

    for _ in range(2):
        with pytest.raises(RedisError, match="talking to Redis"):
            line.receive_push(Meanwhile(1.0))
    assert ask(line, "PING") == b"PONG"
