"""Filter what native libraries write to stderr, without losing what matters.

LiteRT and TensorFlow's converter write directly to file descriptor 2. Python cannot switch that off
(https://github.com/google-ai-edge/LiteRT/issues/7420), so `without_chatter` redirects the descriptor for a moment.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def without_chatter(*chatter: bytes) -> Iterator[None]:
    """Drop some lines that the block writes to stderr. The others appear when the block ends.

    If the block raises, all lines appear, because they may name the reason. Lines that other threads write meanwhile
    appear late.

    Args:
        *chatter: Texts. A line that contains one of them is dropped; b"" drops every line.
    """
    sys.stderr.flush()
    try:
        stderr = os.dup(_STDERR)
    except OSError:  # stderr is closed, so nobody reads it
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
