"""Requests over HTTP connections that stay open, one after the other on each, as benchmarks send them."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from urllib.parse import urlsplit

Ask = Callable[[bytes], Awaitable[None]]
Open = Callable[[], contextlib.AbstractAsyncContextManager[Ask]]


def http(url: str, content_type: str = "image/png") -> Open:
    """Return what opens a connection to a server and posts bodies to a URL."""
    address = urlsplit(url)
    head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {content_type}\r\nContent-Length: "

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)

        async def ask(body: bytes) -> None:
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            header = await reader.readuntil(b"\r\n\r\n")
            if not header.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"the server answers {header.decode()}")
            length = header.lower().partition(b"content-length:")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))

        yield ask
        writer.close()

    return opened


async def load(opened: Open, bodies: Sequence[bytes], connections: int, seconds: float) -> list[float]:
    """Send bodies one after the other over each of some connections. Return the times of those answered in time."""
    times: list[float] = []

    async def ask_on(first: int) -> None:
        async with opened() as ask:
            await ask(bodies[first % len(bodies)])  # what comes first takes longer
            ready.release()
            await begin.wait()
            end = time.perf_counter() + seconds
            number = first
            while (before := time.perf_counter()) < end:
                await ask(bodies[number % len(bodies)])
                number += 1
                now = time.perf_counter()
                if now < end:
                    times.append(now - before)

    ready, begin = asyncio.Semaphore(0), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for connection in range(connections):
            group.create_task(ask_on(connection * 7))
        for _ in range(connections):
            await ready.acquire()
        begin.set()
    return times
