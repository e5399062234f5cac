"""Environments and processes of the peers: other programs that serve the same model on the same machine."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

BATCHING = {"mosec": "/inference", "litserve": "/predict"}
"""Peers that answer over HTTP, and classify the images of several requests at once; with the path of their requests."""

SERVERS = {**BATCHING, "bentoml": "/classify"}
"""All peers that answer over HTTP."""

RAY = "ray"
"""A peer that classifies a data set."""

HERE = Path(__file__).parent
START_SECONDS = 120.0


def python_of(peer: str) -> Path:
    """Return the Python of a peer's environment. It is created at first, which downloads the pinned packages."""
    folder, pins = HERE.parents[1] / f".venv-peer-{peer}", HERE / f"{peer}.txt"
    done, python = folder / "installed.txt", folder / "bin" / "python"
    if not done.exists() or done.read_bytes() != pins.read_bytes():
        print(f"Installing {peer} into {folder} (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--require-hashes", "-r", pins], check=True)
        done.write_bytes(pins.read_bytes())
    return python


@contextlib.contextmanager
def running_peer(peer: str, cores: int, log: Path) -> Iterator[str]:
    """Run a peer that serves HTTP until the end of the context, and yield the URL of its requests.

    Args:
        peer: One of `SERVERS`.
        cores: Number of its processes that classify.
        log: File to write its log to.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(python_of(peer)), str(HERE / f"{peer}_server.py"), str(port), str(cores)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=_environment(), start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}{SERVERS[peer]}"
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            if time.monotonic() > deadline or process.poll() is not None:
                sys.exit(f"{peer} does not answer: {log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
            time.sleep(0.2)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running_ray(images: Path, repeat: int, cores: int, log: Path) -> Iterator[Callable[[], float]]:
    """Run Ray Data until the end of the context. Yield what lets it classify all images, and returns its images/s.

    Args:
        images: File of uint8 (n, 28, 28), as NumPy writes it.
        repeat: Number of times that they are classified.
        cores: Number of its processes that classify.
        log: File to write its log to.
    """
    command = [str(python_of(RAY)), str(HERE / "ray_batch.py"), str(images), str(repeat), str(cores)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=output, env=_environment(), encoding="utf-8")
    given, said = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def measure() -> float:
        print(file=given, flush=True)
        if not (line := said.readline()):
            sys.exit(f"Ray has ended: {log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        return float(line)

    measure()  # it starts its processes
    try:
        yield measure
    finally:
        given.close()
        process.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE.parents[1])}


def _answers(url: str) -> bool:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=5)
    try:
        connection.request("POST", address.path, bytes(784), {"Content-Type": "application/octet-stream"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
