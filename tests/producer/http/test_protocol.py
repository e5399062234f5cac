"""Facts about connections with slow and hostile clients: the real protocol on a real socket, with short limits."""

import asyncio
import socket
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager

import pytest
import uvicorn
import uvloop

from producer.http import protocol
from producer.http.errors import HttpError, unavailable
from producer.http.guard import Access, Guard, Pending
from producer.http.protocol import GuardedProtocol, sweep
from producer.http.server import _listen, _Server
from tests.support.http_server import read_all, request
from tests.support.waiting import eventually

CHUNKED = "Transfer-Encoding: chunked"


async def read_and_answer(_, receive, send):
    """Read the body, and answer with its length; at `/large`, with ten million bytes."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    body = bytes(10_000_000) if _["path"] == "/large" else b"%d" % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def running(app=read_and_answer, *, alone=True, swift=None):
    """Run a server in a thread. Yield a function that connects to it, and the server."""
    server = []
    guard = Guard(app, Access(), lambda _: None, swift)

    class Protocol(GuardedProtocol):
        by_address = Counter() if alone else None
        log = staticmethod(lambda _: None)
        begin = staticmethod(guard.begin)

    async def serve():
        config = uvicorn.Config(
            guard,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        server.append(_Server(config))
        sweeper = asyncio.create_task(sweep(server[0].server_state))
        await server[0].serve(sockets=[listener])
        sweeper.cancel()

    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    thread = threading.Thread(target=uvloop.run, args=[serve()])
    thread.start()

    def connect(data=b""):
        connection = socket.create_connection(address, timeout=60)
        connection.sendall(data)
        return connection

    eventually(lambda: server and server[0].started, what="it serves")
    try:
        yield connect, server[0]
    finally:
        server[0].force_exit = server[0].should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def short(monkeypatch):
    """Make all times short."""
    for name, seconds in (("HEADER", 0.3), ("BODY", 0.3), ("WRITE", 0.3), ("LINGER", 0.3), ("SWEEP", 0.05)):
        monkeypatch.setattr(protocol, f"{name}_SECONDS", seconds)


@pytest.fixture
def connect():
    """Connect to a server that reads bodies."""
    with running() as (connect, _):
        yield connect


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"\r\n\r\n\r\n",
        request("GET /", close=False) + b"GET / HTTP",
    ],
)
def test_a_header_that_does_not_end_is_refused(connect, sent):
    """Also before the first one, and after an answer: 408, and the connection ends."""
    with connect(sent) as connection:
        answers = read_all(connection)
    assert answers.count(b"HTTP/1.1 200 OK") == sent.count(b"localhost\r\n\r\n")
    assert answers.count(b"HTTP/1.1 408 ") == 1
    assert answers.endswith(b'Send it at once."}}')


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "sent",
    [
        request("POST /", "Content-Length: 10"),
        request("POST /", "Content-Length: 10", body=b"12345"),
        request("POST /", CHUNKED, body=b"5\r\n123"),
        request("POST /", CHUNKED, body=b"5\r\n12345\r\n"),
        request("POST /", CHUNKED, body=b"5;endless=" + b"x" * 100_000),
        request("POST /", CHUNKED, body=b"0\r\nTrailer: 1\r\n"),
    ],
)
def test_a_body_that_does_not_end_is_refused(connect, sent):
    """408, and the connection ends."""
    with connect(sent) as connection:
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"The body did not arrive in time" in answer


@pytest.mark.usefixtures("short")
def test_a_slow_body_has_time_as_long_as_it_comes(connect, monkeypatch):
    """Each piece earns time for the next."""
    monkeypatch.setattr(protocol, "BODY_BYTES_PER_SECOND", 10)
    with connect(request("POST /", "Content-Length: 200", body=b"x" * 150)) as connection:
        time.sleep(0.8)  # beyond the time that a body has
        connection.sendall(b"x" * 50)
        assert read_all(connection).endswith(b"200")


@pytest.mark.usefixtures("short")
def test_an_idle_connection_is_closed_without_an_error(connect, monkeypatch):
    """But not while its client goes on to ask."""
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 1.0)
    with connect() as connection:
        for _ in range(4):
            connection.sendall(request("GET /", close=False))
            assert connection.recv(1000).endswith(b"0")
            time.sleep(0.5)
        assert read_all(connection) == b""


@pytest.mark.usefixtures("short")
def test_a_client_that_does_not_read_is_disconnected():
    """Its answer does not stay in memory, and the server is free for others."""
    with running() as (connect, server), connect(request("GET /large")):
        connections = server.server_state.connections
        eventually(lambda: any(each.flow.write_paused for each in connections), what="it does not read")
        eventually(lambda: not connections, what="it is disconnected")
        with connect(request("GET /")) as other:
            assert b"200 OK" in read_all(other)


@pytest.mark.usefixtures("short")
def test_a_refused_body_is_dropped_until_its_client_has_read_why():
    """The connection is not reset at once, or the answer would be lost. It ends although the body has no end."""

    async def refuse(_, __, send):
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    for version in ("1.1", "1.0"):
        with running(refuse) as (connect, _):
            head = request("POST /", "Content-Length: 99999999").replace(b"HTTP/1.1", f"HTTP/{version}".encode())
            with connect(head) as connection:
                connection.sendall(bytes(5_000_000))
                assert read_all(connection).endswith(b"no")
                with pytest.raises(OSError, match=r"reset|pipe"):
                    send_for_ever(connection)


def send_for_ever(connection):
    """Send a body that does not end."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection.sendall(bytes(100_000))
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (request("GET /\xff"), 400),
        (b"CONNECT evil:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (request("GET /", "X: a\0b"), 400),
        (request("GET /", " folded"), 400),
        (request("POST /", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 2", body=b"ab"), 400),
        (request("POST /", "Content-Length: -1"), 400),
        (request("POST http://[::1/", "Content-Length: 2", body=b"a"), 400),
        (request("POST http://localhost", "Content-Length: 2"), 400),
        (request("POST /", "Content-Length: 1", "Content-Length: 2"), 400),
        (request("POST /", "Content-Length: 1", CHUNKED, body=b"0\r\n\r\n"), 400),
        (request("POST /", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 400),
        (request("POST /", CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
        (request("POST /", CHUNKED, body=b"zz\r\n"), 400),
        (request("POST /", CHUNKED, body=b"5\r\n1234567"), 400),
        (request("GET /", *(f"X-{number}: 1" for number in range(100))), 431),
        (request("GET /", "X: " + "y" * 20_000), 431),
        (request("GET /" + "y" * 20_000), 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 2_000_000, 431),
    ],
)
def test_what_is_not_a_request_is_refused(connect, sent, status):
    """The error has the form of all errors, and the connection ends."""
    with connect() as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'"error":{"code":' in answer
    assert b"connection: close" in answer


def test_requests_on_one_connection_are_answered_in_order(connect):
    """With bodies, trailers and upgrades that the server does not know, also when they are sent ahead."""
    requests = [
        request("POST /", "Content-Length: 3", body=b"abc", close=False),
        request("POST /", CHUNKED, body=b"5\r\n12345\r\n0\r\nHost: evil\r\n\r\n", close=False),
        request("POST /", "Content-Length: 100000", body=bytes(100_000), close=False),
        request("GET /", close=False),
    ]
    upgrade = request("GET /", "Connection: Upgrade, close", "Upgrade: h2c")
    with connect(b"".join(requests) + request("GET /")) as connection:
        answers = read_all(connection)
    assert [int(answer.rpartition(b"\r\n")[2]) for answer in answers.split(b"HTTP/1.1 ")[1:]] == [3, 5, 100_000, 0, 0]
    with connect(upgrade) as connection:
        assert read_all(connection).endswith(b"0")


def test_a_few_requests_may_be_sent_ahead_but_not_thousands(connect):
    """Those before are answered, and the connection ends. What is wrong behind them changes nothing."""
    with connect(request("GET /", close=False) * 2000) as connection:
        try:
            answers = read_all(connection)
        except ConnectionResetError:
            answers = b"200 OK"
    assert 1 <= answers.count(b"200 OK") <= protocol.MAX_PIPELINED + 1
    with connect(request("POST /", "Content-Length: 3", body=b"abc", close=False) + b"nonsense\r\n\r\n") as connection:
        answers = read_all(connection)
    assert answers.startswith(b"HTTP/1.1 200 OK")
    assert answers.endswith(b"3")


def later(*outcomes):
    """Return what answers whole requests at `/`: each a moment later, with the next outcome, or raises it."""
    remaining = iter(outcomes)

    def begin(_, __):
        outcome, future = next(remaining), asyncio.get_running_loop().create_future()
        if outcome is None or isinstance(outcome, HttpError):
            if outcome:
                raise outcome
            return None

        def end():
            if isinstance(outcome, asyncio.CancelledError):
                future.cancel()
            elif isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        asyncio.get_running_loop().call_later(0.02, end)
        return Pending(future, future.result)

    return {"/": begin}


WHOLE = request("POST /", "Content-Length: 3", body=b"abc", close=False)


def test_whole_requests_are_answered_in_order_without_a_cycle():
    """Beside others, on a connection that stays open, also if they are sent ahead. The last one ends it."""
    with running(swift=later(b"[1]", b"[2]", b"[3]", b"[4]")) as (connect, _), connect() as connection:
        for body in (b"[1]", b"[2]"):
            connection.sendall(WHOLE)
            assert connection.recv(1000).endswith(b"\r\n\r\n" + body)
        connection.sendall(WHOLE + request("GET /", close=False) + WHOLE.replace(b"abc", b"abcde")[:-2] + WHOLE)
        connection.sendall(request("GET /"))
        answers = read_all(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"[3]", b"0", b"3", b"3", b"0"]
    assert [b"connection: close" in answer for answer in answers] == [False] * 4 + [True]
    for end in (request("POST /", "Content-Length: 0"), WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0")):
        with running(swift=later(b"[1]")) as (connect, _), connect(end) as connection:
            answer = read_all(connection)
        assert answer.endswith(b"connection: close\r\n\r\n[1]")


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (None, 200, b"3"),
        (unavailable("away", "It is away."), 200, b"3"),
        (ValueError(), 500, b'{"format":1,"error":{"code":"internal",'),
        (asyncio.CancelledError(), 503, b'{"format":1,"error":{"code":"draining",'),
    ],
)
def test_what_is_not_answered_at_once_takes_the_long_way_and_a_failure_is_an_error(outcome, status, body):
    """The connection stays open for the next request."""
    with running(swift=later(outcome, b"[2]")) as (connect, _), connect(WHOLE) as connection:
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.partition(b"\r\n\r\n")[2].startswith(body)
        connection.sendall(WHOLE)
        assert connection.recv(1000).endswith(b"[2]")


def test_a_client_that_does_not_wait_for_its_answer_harms_nobody(caplog):
    """It leaves, or what it sends next is not a request: then it still gets the answer, and the connection ends."""
    with running(swift=later(b"[1]", b"[2]", b"[3]")) as (connect, server):
        connect(WHOLE).close()
        with connect(WHOLE + b"nonsense\r\n\r\n") as connection:
            answers = read_all(connection)
        assert answers.count(b"HTTP/1.1 ") == 1
        assert answers.endswith(b"connection: close\r\n\r\n[2]")
        eventually(lambda: not server.server_state.connections, what="both are gone")
        with connect(WHOLE) as connection:
            assert connection.recv(1000).endswith(b"[3]")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_client_that_leaves_before_the_first_of_several_answers_harms_nobody(caplog):
    """Nobody writes to a connection that has ended, and what was sent ahead is not begun."""
    begun = []

    async def wait_and_answer(scope, receive, send):
        begun.append(scope["path"])
        await receive()
        await asyncio.to_thread(eventually, lambda: not server.server_state.connections, what="the client has left")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
        finally:
            begun.append("ended")

    with running(wait_and_answer) as (connect, server):
        connect(request("GET /1", close=False) + request("GET /2")).close()
        eventually(lambda: "ended" in begun, what="the request has ended")
    assert begun == ["/1", "ended"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_client_may_connect_as_soon_as_the_url_is_known():
    """The server prints its URL when it listens, which is before it accepts."""
    with closing(_listen("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname(), timeout=60).close()


def test_connections_have_a_limit(monkeypatch):
    """An idle one makes room. Without one, a new client is told to come later; one address cannot take all."""
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS_EACH", 3)
    with running(alone=False) as (connect, _):
        idle = connect(request("GET /", close=False))
        eventually(lambda: b"\r\n\r\n0" in idle.recv(1000, socket.MSG_PEEK), what="its answer")
        busy = [connect(request("POST /", "Content-Length: 1")) for _ in range(3)]
        assert read_all(idle).endswith(b"0")
        with connect() as refused:
            answer = read_all(refused)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 5" in answer
        busy[0].sendall(b"x")
        assert b"200 OK" in read_all(busy[0])
        with connect(request("GET /")) as other:
            assert b"200 OK" in read_all(other)
        for each in (idle, *busy):
            each.close()
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS_EACH", 2)
    with running() as (connect, _), connect() as one, connect() as two, connect() as three:
        assert b"too_many_connections" in read_all(three)
        one.close()
        two.sendall(request("GET /"))
        assert b"200 OK" in read_all(two)
