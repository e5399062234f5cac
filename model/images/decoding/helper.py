"""Have a helper process decode a file, and trust its answer as little as the file."""

import atexit
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

import numpy as np

from model.child_process import command
from model.errors import FailureCode, ImageError
from model.images.decoding.formats import too_costly
from model.images.decoding.messages import REPLY, REQUEST
from model.images.decoding.pillow import LONG_SIDE
from model.images.limits import CPU_SECONDS, WALL_SECONDS
from model.images.raster import Grey

ATTEMPTS = 2
"""Number of helpers that are tried where something that need not be the image's fault ends them."""

ENDING_SECONDS = 5.0
"""Time that a helper has from closing its pipes to its end."""

_PIPE_BYTES = 2**20  # a photograph then passes in a few steps, each of which waits for a processor
_OUT_OF_TIME = frozenset({signal.SIGPROF, signal.SIGXCPU})
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS})

# glibc returns blocks from this size on to the system as soon as they are free. Otherwise an image that took much
# memory would leave less to the next one. OpenBLAS would start threads, which nothing here uses. Decoders of AVIF and
# HEIF start one, for which glibc would reserve 64 MiB.
_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "8388608",
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

_NOT_STARTED = "Free some memory, or end other processes, and submit the image again."


class _Ended(Exception):
    """The helper has closed its pipes."""


class _Silent(Exception):
    """The helper does not answer."""


class DecodingHelper:
    """A process that decodes files within limits. It starts with the first file, and is replaced when it has ended.

    It holds nothing but its pipes, and ends when this process does. Threads may share one; a process that is forked
    from this one starts its own.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._turns: IO[bytes] | None = None

    def take_turns(self) -> None:
        """Let the processes that are forked from this one decode one file at a time, with the memory for one."""
        self._turns = tempfile.TemporaryFile()  # noqa: SIM115  it stays open as long as this process

    @property
    def process_id(self) -> int | None:
        """Id of the helper process, or None while it does not run."""
        return self._process.pid if self._process and self._owner == os.getpid() else None

    def decode(self, data: bytes) -> Grey:
        """Decode a file. See `decode.decode`.

        Args:
            data: Bytes of the file.

        Returns:
            Grey levels, uint8 (height, width).

        Raises:
            ImageError: The file cannot be decoded, exceeds its budget (TOO_COSTLY), or makes its decoder crash
                (BROKEN); or the helper does not start (INTERNAL).
        """
        if self._owner != os.getpid():
            self._adopt()
        with self._lock, self._turn():
            for _ in range(ATTEMPTS):
                try:
                    return self._ask(data)
                except _Ended:
                    exit_code = self._stop(ENDING_SECONDS)
                    _judge(exit_code)
                except _Silent:
                    self._stop()
                    raise too_costly(f"Decoding the image takes more than the limit of {WALL_SECONDS} s") from None
                except ImageError:
                    raise
                except BaseException:  # such as a time limit, which Celery raises into this call
                    self._stop()
                    raise
        if exit_code == -signal.SIGKILL:
            raise too_costly("Decoding the image takes more memory than this machine has")
        raise ImageError(FailureCode.INTERNAL, f"The process that decodes images ends at once. {_NOT_STARTED}")

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._turns is None:
            yield
            return
        fcntl.lockf(self._turns, fcntl.LOCK_EX)  # each process has its own lock, which ends when the process does
        try:
            yield
        finally:
            fcntl.lockf(self._turns, fcntl.LOCK_UN)

    def _ask(self, data: bytes) -> Grey:
        requests, replies = (pipe.fileno() for pipe in _pipes(self._process or self._start()))
        patience = _Patience(WALL_SECONDS)
        patience.write(requests, REQUEST.pack(len(data)))
        patience.write(requests, data)
        ends, height, width, failed = REPLY.unpack(patience.read(replies, REPLY.size))
        if max(height, width) > LONG_SIDE or bool(height and width) == bool(failed):
            raise ValueError(f"the helper answered {height} × {width} pixels and {failed} bytes")
        body = patience.read(replies, height * width or failed)
        if ends:
            self._stop()
        if not failed:
            return np.frombuffer(body, np.uint8).reshape(height, width)
        code, _, sentence = body.decode().partition("\n")
        raise ImageError(FailureCode(code), sentence)

    def _start(self) -> subprocess.Popen[bytes]:
        inherited = dict(os.environ)
        environment = {name: value for name, value in inherited.items() if not name.startswith("DIGITMILL_")}
        try:
            process = subprocess.Popen(  # noqa: S603  our own command line
                command("model.images.decoding.helper_process"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # some decoders complain there about each damaged image
                bufsize=0,
                env=environment | _ENVIRONMENT,
                start_new_session=True,  # Ctrl-C in the terminal does not reach it
            )
        except OSError as fault:
            raise ImageError(
                FailureCode.INTERNAL, f"The process that decodes images does not start: {fault}. {_NOT_STARTED}"
            ) from fault
        self._process = process
        atexit.unregister(self._stop_at_exit)
        atexit.register(self._stop_at_exit)
        for pipe in _pipes(process):
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(AttributeError, OSError):  # only Linux has it, and limits it
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        return process

    def _stop(self, seconds: float = 0.0) -> int:
        """End the helper, unless it ends by itself in this time. Return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        _close(process)
        return process.wait()

    def _adopt(self) -> None:
        """Make this the helper of this process, and forget that of the process from which this one was forked."""
        self._lock = threading.Lock()
        if self._process:
            _close(self._process)
            self._process.returncode = 0  # not a child of this process
        self._process = None
        self._owner = os.getpid()

    def _stop_at_exit(self) -> None:
        if self._owner == os.getpid():
            self._stop()


def _pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    """Return the pipe to the process, and that from it."""
    return [pipe for pipe in (process.stdin, process.stdout) if pipe]


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in _pipes(process):
        pipe.close()


def _judge(exit_code: int) -> None:
    """Raise the error of an image on which a helper has ended, if it was the image that ended it."""
    if -exit_code in _OUT_OF_TIME:
        raise too_costly(f"Decoding the image takes more than the limit of {CPU_SECONDS:.0f} s of CPU time")
    if -exit_code in _CRASHES:
        raise ImageError(
            FailureCode.BROKEN,
            "The image is damaged in a way that makes its decoder crash. Copy it again, or save it as PNG.",
        )


class _Patience:
    """Reads and writes pipes that do not block, and waits for them for a limited time.

    Only the seconds in which this process runs count. While a machine is suspended, or all its processes are stopped,
    an image takes no time.

    Args:
        seconds: Maximum time of all calls together, in whole seconds.
    """

    def __init__(self, seconds: int) -> None:
        self._left = seconds

    def write(self, pipe: int, data: bytes) -> None:
        """Write all of the data.

        Raises:
            _Ended: Nobody reads from the pipe.
            _Silent: The time has run out.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(pipe, rest[:_PIPE_BYTES]) :]
            except BlockingIOError:
                self._wait(pipe, select.POLLOUT)
            except BrokenPipeError:
                raise _Ended from None

    def read(self, pipe: int, length: int) -> bytes:
        """Return this number of bytes.

        Raises:
            _Ended: Nobody writes to the pipe.
            _Silent: The time has run out.
        """
        parts = bytearray()
        while len(parts) < length:
            try:
                part = os.read(pipe, min(_PIPE_BYTES, length - len(parts)))
            except BlockingIOError:
                self._wait(pipe, select.POLLIN)
                continue
            if not part:
                raise _Ended
            parts += part
        return bytes(parts)

    def _wait(self, pipe: int, event: int) -> None:
        poller = select.poll()
        poller.register(pipe, event)
        while not poller.poll(1000):
            self._left -= 1
            if self._left <= 0:
                raise _Silent


HELPER = DecodingHelper()
"""The helper of this process. No process is started before the first file needs it."""
