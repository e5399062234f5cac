"""Servers with other options than those of a mill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.mill.server_binary import find_server_binary
from worker.contract.connection import connect, retry_transient


@contextmanager
def running_server(folder: Path, *options: str) -> Iterator[str]:
    """Run a server that keeps nothing on disk, and yield its URL.

    Args:
        folder: Folder to create for it.
        options: Its options, which may say otherwise.
    """
    folder.mkdir()
    socket = folder / "s"
    command = [str(find_server_binary()), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    process = subprocess.Popen([*command, "--save", "", *options], stdout=subprocess.DEVNULL)
    try:
        url = f"unix://{socket}"
        retry_transient(connect(url).ping, timeout=20)
        yield url
    finally:
        process.kill()
        process.wait()
