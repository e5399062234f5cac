"""Logs a line when a job begins and one when it has ended. The worker that gets its first batch does so."""

import logging
import threading
import time

from redis.exceptions import RedisError

from model.errors import DigitmillError, UsageError
from worker.contract.ledger import Claim, JobStatus, Ledger, Verdict
from worker.contract.telemetry.logs import about

INTERVAL_SECONDS = 1.0

MAX_JOBS = 1000
"""Maximum number of jobs that a worker follows to their ends."""

_log = logging.getLogger(__name__)


class JobLog(threading.Thread):
    """Follows the jobs that have begun in this process. Only while it follows any does it ask Redis, once a second.

    Args:
        ledger: Ledger on a Redis connection that only this thread uses.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(name="job-log", daemon=True)
        self._ledger = ledger
        self._jobs: dict[str, bool] = {}  # whether its begin was logged
        self._changed = threading.Event()

    def claimed(self, claim: Claim) -> None:
        """Follow the job of a claim, if this is the first one of its first batch."""
        part = claim.part
        first = claim.verdict is Verdict.WORK and claim.attempts == 1 and not part.sequence and not part.start
        if first and len(self._jobs) < MAX_JOBS:
            self._jobs.setdefault(part.job, False)
            self._changed.set()

    def run(self) -> None:
        """Follow jobs forever. Wait while Redis is away."""
        while True:
            self._changed.wait()
            self._changed.clear()
            self.look()
            while self._jobs:
                time.sleep(INTERVAL_SECONDS)
                self.look()

    def look(self) -> None:
        """Log which jobs have begun, and which have ended."""
        for job in list(self._jobs):
            with about(job=job):
                try:
                    self._report(job, self._ledger.job(job))
                except RedisError as fault:
                    _log.debug("cannot follow jobs: %s", fault)
                    return
                except UsageError:
                    del self._jobs[job]  # it has expired
                except DigitmillError as fault:
                    del self._jobs[job]
                    _log.error("%s", fault)

    def _report(self, job: str, status: JobStatus) -> None:
        if not self._jobs[job]:
            self._jobs[job] = True
            source, client, model = status.record.source, status.record.client, status.record.model
            _log.info("job %s has begun: %s, from %s, with model %s", job, source, client, model)
        if status.state.ended:
            del self._jobs[job]
            _log.info(
                "job %s has ended (%s): %d images, %d of them with errors, in %d batches and %.1f s",
                *(job, status.state, status.answered, status.failed, status.batches, status.seconds),
            )
