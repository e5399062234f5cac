"""A client of the lane, for tests that look at single messages."""

import time

import redis

from worker.contract.lane import Answers, Lane


class Caller(Lane):
    """The lane, and the answers to one client."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        super().__init__(client)
        self._answers = Answers(client, name)

    def next_answer(self, seconds: float) -> bytes | None:
        """Return the next answer, or None if there is none in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if (found := self._answers.next(min(left, 0.1))) is not None:
                return found
        return None
