"""How long ago, as people say it."""

import time


def age(since: float) -> str:
    """Return the time from `since`, in unix seconds, until now in its largest unit: `3 m`."""
    seconds = max(time.time() - since, 0)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
