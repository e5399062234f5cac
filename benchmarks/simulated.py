"""Workers whose computing is simulated: they sleep instead of decoding and classifying. `scaling.py` starts them.

    python benchmarks/simulated.py URL WORKERS MICROSECONDS

Each thread is a worker. It fetches doorbells and claims and finishes batches with the messages and the scripts of real
workers, and reports, renews its lease and looks for overdue batches every second, as they do. Its answers are zeros.
"""

import json
import secrets
import sys
import threading
import time
from typing import Any

import numpy as np

from worker.contract.broker.messages import checked_message
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.ledger import Ledger, Part, Verdict
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.reconciler import Reconciler
from worker.contract.wire import Batch, Result

LEASE_SECONDS = 30.0
INTERVAL_SECONDS = 1.0


def main() -> None:
    """Run workers until this process is ended."""
    url, workers, microseconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    threads = [
        threading.Thread(target=SimulatedWorker(url, microseconds / 1e6).run, daemon=True) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class SimulatedWorker:
    """One worker.

    Args:
        url: URL of Redis.
        seconds: Time that an image takes, in seconds.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._client = connect(url)
        self._ledger = Ledger(self._client)
        self._reconciler = Reconciler(self._client, self._ledger, Doorbell(self._client))
        self._seconds = seconds
        self._name = f"simulated-{secrets.token_hex(4)}"
        self._next = 0.0

    def run(self) -> None:
        """Work until the process ends."""
        while True:
            self._beat(None)
            reply: Any = self._client.brpop([CLASSIFY_QUEUE], timeout=1)
            if reply:
                _, words, _ = json.loads(checked_message(reply[1], CLASSIFY_QUEUE)["body"])
                self._answer(Part.from_member(words["part"]))

    def _beat(self, part: Part | None) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL_SECONDS
        self._ledger.announce(self._name, {"ready": 1}, ttl_seconds=ALIVE_SECONDS)
        if part:
            self._ledger.renew(part, holder=self._name, lease_seconds=LEASE_SECONDS)
        self._reconciler.tick()

    def _answer(self, part: Part) -> None:
        claim = self._ledger.claim(part, token=secrets.token_hex(8), holder=self._name, lease_seconds=LEASE_SECONDS)
        if claim.verdict is not Verdict.WORK:
            return
        count = len(Batch.from_wire(claim.payload))
        time.sleep(count * self._seconds)
        self._beat(part)
        answers = np.zeros(count, np.uint8), np.ones(count, np.float32)
        self._ledger.finish(claim, Result("simulated-1", self._name, *answers, None, {}))


if __name__ == "__main__":
    main()
