"""Facts about large replies: they arrive whole, in order, and a connection that breaks in one is not used again."""

import re
import socket
import threading
from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Late

from worker.contract.connection import connect
from worker.contract.protocol.replies import LARGE_BYTES, ReplyParser

REPLIES = {
    b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    b"PING": b"+PONG\r\n",
    b"GET": b"$800000\r\n" + bytes(400_000),
}
SIZES = [0, 1, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, 800_000, 3_000_000]


def test_values_of_any_size_arrive_in_order(client: "redis.Redis") -> None:
    """Whether alone, in a list or in a transaction, and as plain bytes."""
    values = [bytes([size % 251]) * size for size in SIZES]
    for index, value in enumerate(values):
        client.hset("values", str(index), value)
    names = [str(index) for index in range(len(values))]
    assert client.hmget("values", names) == values
    assert [client.hget("values", name) for name in names] == values
    with client.pipeline() as pipeline:
        for name in names:
            pipeline.hget("values", name)
            pipeline.hstrlen("values", name)
        assert pipeline.execute() == [part for value in values for part in (value, len(value))]
    assert type(client.hget("values", names[-1])) is bytes
    assert isinstance(client.connection_pool.get_connection()._parser, ReplyParser)


@pytest.fixture
def half() -> Iterator[tuple[str, threading.Event]]:
    """A server that sends half of a large value, and either waits or closes the connection, which the event says."""
    closes = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            while data := connection.recv(65536):
                for command in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", data):
                    connection.sendall(REPLIES.get(command, b"+OK\r\n"))
                    if command == b"GET" and closes.is_set():
                        connection.close()
                        return
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}", closes
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("closed", "fault"), [(True, Lost), (False, Late)])
def test_a_connection_that_ends_within_a_value_is_lost(
    half: tuple[str, threading.Event], *, closed: bool, fault: type[Exception]
) -> None:
    """The caller gets a transient fault, and the next command a new connection."""
    url, closes = half
    if closed:
        closes.set()
    client = connect(url, answer_seconds=1.0)
    for _ in range(2):
        with pytest.raises(fault):
            client.get("value")
