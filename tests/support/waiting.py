"""Waits for events, because tests do not wait by the clock."""

import time
from collections.abc import Callable
from typing import Any


def eventually(condition: Callable[[], Any], *, seconds: float = 60.0, what: str = "the condition") -> Any:
    """Wait until a condition is true, and return its value.

    Raises:
        TimeoutError: That takes too long.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is not true after {seconds} s")
        time.sleep(0.02)
    return value
