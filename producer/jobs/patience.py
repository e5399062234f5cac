"""How long a client waits: as long as there is progress, and then for its timeout, and then it says what is wrong."""

import time
from collections.abc import Callable

from producer.mill.connection import RetryingCaller
from producer.mill.doorbell_formats import unreached_workers
from worker.contract.errors import NoWorkers, WireError
from worker.contract.gate import GateState, QueueGate
from worker.contract.ledger import Queue

TIMEOUT_SECONDS = 60.0
"""Seconds without progress, or without Redis, after which a client gives up."""

NO_WORKER = "no worker is running; start one with `digitmill up`"
"""Problem of a job that waits for workers, as progress bars show it."""

LOOK_SECONDS = 2.0
"""Interval at which a client looks for the reason, while its job makes no progress. Looking costs Redis time."""


class Patience:
    """Measures the time without progress.

    A job makes progress if its client sends an image, or if one of its images is answered. While parts of it wait for
    workers, it also makes progress if any worker answers an image of any job, because others may be ahead of it in the
    queue, and if a worker holds a part of any job, because a single part may take longer than the timeout. A job with a
    problem of its own, such as a model that cannot be loaded, makes progress only by its own answers. While the queue
    is paused, time does not count for any job.

    Args:
        call: Caller that retries transient faults of Redis. Its timeout is also the time without progress after which
            `check` gives up.
        clock: Function that returns the time in seconds; it must never go back.

    Attributes:
        problem: Why there is no progress, as progress bars show it, or "".
    """

    def __init__(
        self,
        call: RetryingCaller,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call = call
        self._clock = clock
        self._last = self._next_look = clock()
        self._answers: dict[str, int] = {}
        self._workers = 0
        self.problem = ""

    @property
    def exhausted(self) -> bool:
        """Whether there was no progress for the timeout."""
        return self._clock() - self._last > self._call.timeout

    def is_look_due(self) -> bool:
        """Return whether it is time to look for the reason again. If so, the next time is `LOOK_SECONDS` later."""
        now = self._clock()
        if now < self._next_look and not self.exhausted:
            return False
        self._next_look = now + LOOK_SECONDS
        return True

    def renew(self) -> None:
        """Record that the job has made progress."""
        self._last = self._clock()
        self.problem = ""

    def look(self, problem: str, queue: Queue) -> None:
        """Look at the workers, because the job itself makes no progress.

        Args:
            problem: Problem of the job, as Redis has it, or "".
            queue: What waits for workers.

        Raises:
            Unreachable: Redis did not answer in time.
        """
        try:
            workers = self._call(self._call.connection.ledger.workers)
        except WireError:  # somebody else wrote over their list, which the next heartbeat repairs
            return
        answers = {worker.name: worker.images for worker in workers}
        answering = any(images > self._answers.get(name, images) for name, images in answers.items())
        self._answers, self._workers = answers, len(workers)
        gate = self._call(QueueGate(self._call.connection.client).current)
        paused = gate.state is GateState.PAUSED
        # Whoever paused the queue will open it again, so waiting for that costs no patience.
        if paused or (workers and not problem and queue.queued and (answering or queue.held)):
            self._last = self._clock()
        if paused:
            self.problem = str(gate)
        else:
            self.problem = (problem or unreached_workers(workers)) if workers else NO_WORKER

    def check(self) -> None:
        """Give up if there was no progress for the timeout.

        Raises:
            NoWorkers: There was none. The message says why, as far as it is known.
        """
        if not self.exhausted:
            return
        waited = f"No worker answered for {self._call.timeout:.0f} s"
        if not self._workers:
            raise NoWorkers(f"{waited}. Start workers with `digitmill up`.")
        if self.problem:
            raise NoWorkers(f"{waited}, because of this problem: {self.problem}")
        raise NoWorkers(
            f"{waited}, although workers are alive ({self._workers}). `digitmill status` and the logs of the workers "
            "say more. Restart the workers."
        )
