"""Only chatter is dropped from stderr."""

import os

import pytest

from model.stderr import without_chatter


def test_only_chatter_is_dropped(capfd):
    """Lines that native code writes to the descriptor appear in order, without the chatter."""
    with without_chatter(b"blah"):
        os.write(2, b"first\nblah blah\nlast\n")
    assert capfd.readouterr().err == "first\nlast\n"


def test_everything_appears_on_failure(capfd):
    """If the block raises, the chatter appears too, because it may name the reason."""
    with pytest.raises(OSError, match="closed"):
        _fail_noisily()
    assert capfd.readouterr().err == "blah: the reason\n"


def _fail_noisily():
    with without_chatter(b"blah"):
        os.write(2, b"blah: the reason\n")
        raise OSError("closed")
