"""Chatter is dropped, all else appears."""

import os

import pytest

from model.stderr import without_chatter


def test_only_chatter_is_dropped(capfd):
    """Of what is written to the descriptor itself, all but the chatter appears, in order."""
    with without_chatter(b"blah"):
        os.write(2, b"first\nblah blah\nlast\n")
    assert capfd.readouterr().err == "first\nlast\n"


def test_everything_appears_on_failure(capfd):
    """When the block raises, its chatter may hold the reason: it appears too."""
    with pytest.raises(OSError, match="closed"):
        _fail_noisily()
    assert capfd.readouterr().err == "blah: the reason\n"


def _fail_noisily():
    with without_chatter(b"blah"):
        os.write(2, b"blah: the reason\n")
        raise OSError("closed")
