"""Holding back what native libraries write to stderr, without losing what matters.

LiteRT and TensorFlow's converter write straight to file descriptor 2, and have no switch that Python can reach
(https://github.com/google-ai-edge/LiteRT/issues/7420), so the descriptor itself is redirected for a moment.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def without_chatter(*chatter: bytes) -> Iterator[None]:
    """Drop lines on stderr that contain any of `chatter`; all others appear when the block ends.

    When the block raises, every line appears: it may hold the reason. Lines of other threads only come a little late.
    """
    sys.stderr.flush()
    try:
        stderr = os.dup(_STDERR)
    except OSError:  # stderr is closed: nobody listens
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if failed or not any(words in line for words in chatter):
                    os.write(_STDERR, line)
