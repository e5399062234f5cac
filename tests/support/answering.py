"""A worker for tests that have none: it answers batches through the ledger, as a real worker does, without a model."""

import secrets
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from redis.exceptions import RedisError

from model.errors import Failure, FailureCode
from worker.contract.errors import WireError
from worker.contract.ledger import JobState, Ledger, Owner, Part, Verdict, keys
from worker.contract.wire import Batch, Result

NAME = "answering"

EMPTY = Failure(FailureCode.EMPTY, "The file is empty.")


def open_parts(client: Any) -> list[Part]:
    """Return all parts that wait or are in work."""
    return [Part.from_member(member.decode()) for member in client.zrange(keys.OPEN, 0, -1)]


QUARANTINED = Failure(FailureCode.QUARANTINED, "The test says so.")


def answer(ledger: Ledger, part: Part, quarantined: Collection[int] = ()) -> bool:
    """Answer a part, and return whether there was something to answer.

    The digit of an image is its first pixel, and that of a file its last byte. An empty file gets an error row.

    Args:
        ledger: The ledger.
        part: The part.
        quarantined: Digits whose images are quarantined.
    """
    claim = ledger.claim(part, token=secrets.token_hex(8), holder=NAME, lease_seconds=60)
    if claim.verdict is not Verdict.WORK:
        return False
    images = Batch.from_wire(claim.payload).images
    digits = np.array(
        [image[0, 0] if isinstance(image, np.ndarray) else (image or b"\0")[-1] for image in images], np.uint8
    )
    failures = {index: QUARANTINED for index, digit in enumerate(digits.tolist()) if digit in quarantined}
    failures |= {row: EMPTY for row, image in enumerate(images) if isinstance(image, bytes) and not image}
    result = Result("baseline-1", NAME, digits, np.ones(len(digits), np.float32), None, failures)
    return ledger.finish(claim, result)


def seal(ledger: Ledger, job: str, sent: Mapping[int, int] | None = None) -> JobState:
    """Tell Redis that all batches of a job without an owner are submitted, as its client does; return its state.

    Args:
        ledger: Ledger of the job.
        job: The job.
        sent: Number of images of each batch that was sent, by sequence number. By default all batches that have a
            manifest, which is right while no part of a batch that was split is acknowledged.
    """
    status = ledger.job(job)
    if sent is None:
        sent = {sequence: len(each.names) - len(each.failures) for sequence, each in ledger.manifests(job).items()}
    there = sum(map(len, ledger.answered_parts(job)))
    ledger.owned(job, Owner("", "", "")).check(
        sent, sealed=True, rows=status.images, answered=status.answered - there, failed=status.failed
    )
    return ledger.job(job).state


@contextmanager
def answering(client: Any, ledger: Ledger, quarantined: Collection[int] = ()) -> Iterator[None]:
    """Answer whatever waits, until the end of the context. See `answer` for the arguments."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            try:
                ledger.announce(NAME, {"ready": 1}, ttl_seconds=5)
                for part in open_parts(client):
                    answer(ledger, part, quarantined)
            except (RedisError, WireError):  # as a real worker, it goes on
                continue

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
