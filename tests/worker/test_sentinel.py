"""Facts about the search for a master among servers that are not Sentinels. Real ones: `test_failover.py`."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis.exceptions import ResponseError

from worker.sentinel import Sentinels, WrongSentinels, is_read_only


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, int]]:
    """Run a server that gives the same answer to everything. Yield its host and port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()


def bulk(*words: str) -> bytes:
    """Return words as Redis writes a list."""
    return "\r\n".join([f"*{len(words)}", *(f"${len(word)}\r\n{word}" for word in words), ""]).encode()


OTHERS = {
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a word": b"+OK\r\n",
    "nothing": b"$-1\r\n",
    "an empty list": b"*0\r\n",
    "a part": bulk("name", "mymaster", "flags", "master"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_a_sentinel_is_named(name: str) -> None:
    """And passed over, if another Sentinel answers."""
    with answering(OTHERS[name]) as other, answering(bulk("ip", "10.0.0.1", "port", "6379", "flags", "master")) as good:
        with pytest.raises(WrongSentinels, match=re.escape(f"names 127.0.0.1:{other[1]}, which is not a Sentinel")):
            Sentinels([other], "mymaster").find_master()
        assert Sentinels([other, good], "mymaster").find_master() == ("10.0.0.1", 6379)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Error running script (call to f_0): @user_script:5: @user_script: 5: -READONLY You can't write", True),
        ("Error running script (call to f_0): @user_script:5: no such field", False),
    ],
)
def test_a_script_on_a_replica_is_refused_as_a_command_is(text: str, *, is_one: bool) -> None:
    """Redis 6.2 says it in an error of the script."""
    assert is_read_only(ResponseError(text)) is is_one
