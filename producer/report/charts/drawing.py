"""Has a process of its own draw PNG files, while this process goes on with the report.

Matplotlib takes about half a second to import and as long to draw, and this process would not give its memory back.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import IO

import msgspec

from model.child_process import command, named_end
from producer.report.charts.plots import Order, Plot

DRAWING_SECONDS = 60.0
"""Longest wait for the files, in seconds. The first process on a machine lists its fonts, which takes a few."""

_SAID_BYTES = 4096  # of the end of what the process says, where the reason is why it failed

WITHOUT_MATPLOTLIB = (
    "The PNG charts were left out because Matplotlib is not installed; the page shows the same figures. "
    "To get them: pip install 'digitmill[report]'."
)


class Drawing:
    """A process that draws the files of one order.

    Args:
        software: What the files say has made them.
    """

    def __init__(self, software: str) -> None:
        self._software = software
        self._process: subprocess.Popen[bytes] | None = None
        self._fault = WITHOUT_MATPLOTLIB
        self._said = b""
        if find_spec("matplotlib") is None:
            return
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own command line
                command("producer.report.charts.png"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in the terminal reaches only the parent
            )
        except OSError as fault:
            self._fault = _left_out(f"no process could be started ({fault.strerror})")
            return
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        self._process.stderr = None

    def begin(self, plots: Mapping[str, Plot]) -> None:
        """Let the process draw files, given by name, while this process does other things."""
        if self._process is None or self._process.stdin is None:
            return
        # In a thread, because the pipe may be smaller than the order, and the process may hang before it reads that.
        order = msgspec.msgpack.encode(Order(plots, self._software))
        threading.Thread(target=_send, args=(self._process.stdin, order), daemon=True).start()
        self._process.stdin = None

    def finish(self) -> tuple[dict[str, bytes], str]:
        """Return the files by name; and if there are none, why, in a sentence for the user, else ""."""
        if self._process is None:
            return {}, self._fault
        try:
            files, _ = self._process.communicate(timeout=DRAWING_SECONDS)
        except subprocess.TimeoutExpired:
            return {}, _left_out(f"the process that draws them did not end within {DRAWING_SECONDS:.0f} s")
        if (code := self._process.returncode) == 0:
            try:
                return msgspec.msgpack.decode(files, type=dict[str, bytes]), ""
            except msgspec.DecodeError:  # such as a library that prints
                return {}, _left_out("the process that draws them answered something else")
        self._listener.join(1.0)  # it may wait longer for a process that the other one has left behind
        last = self._said.decode("utf-8", "replace").strip().rpartition("\n")[2][-200:]
        end = f"{named_end(code)}: {last}" if last else named_end(code)
        return {}, _left_out(f"the process that draws them ended with {end}")

    def end(self) -> None:
        """End the process if it still runs, and the processes that it has started, such as one that lists fonts."""
        if self._process is None:
            return
        with self._process:  # which closes the pipes, so that nobody waits for whoever else has them
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _listen(self, pipe: IO[bytes]) -> None:
        """Keep the end of what the process says, which may be more than fits into memory."""
        with pipe:
            while part := os.read(pipe.fileno(), _SAID_BYTES):
                self._said = (self._said + part)[-_SAID_BYTES:]


@contextlib.contextmanager
def drawing(software: str = "digitmill") -> Iterator[Drawing]:
    """Start a process that draws files, and end it with the block at the latest.

    It imports Matplotlib meanwhile, so start it before the plots are known.

    Args:
        software: What the files say has made them.
    """
    begun = Drawing(software)
    try:
        yield begun
    finally:
        begun.end()


def _send(pipe: IO[bytes], order: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), pipe:  # `finish` says how the process ended
        pipe.write(order)


def _left_out(reason: str) -> str:
    return (
        f"The PNG charts were left out because {reason}; the page shows the same figures. "
        "To get them, write the report again."
    )
