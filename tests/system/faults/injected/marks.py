"""Marks after the last byte of an image that make workers of test mills misbehave; see `sitecustomize.py`."""

MARK_KILL = b"MARK:kill"
MARK_HANG = b"MARK:hang"
MARK_SLOW = b"MARK:slow"
SLOW_SECONDS = 0.3
