"""Marks behind an image's last byte that make the test mills' workers misbehave; see `sitecustomize.py`."""

MARK_KILL = b"MARK:kill"
MARK_HANG = b"MARK:hang"
MARK_SLOW = b"MARK:slow"
SLOW_SECONDS = 0.3
