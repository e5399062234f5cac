"""Facts about workers that cannot read a client's doorbells."""

from producer.mill.doorbell_formats import unreached_workers
from worker.contract.doorbell import DOORBELL_VERSION
from worker.contract.ledger import WorkerStatus


def worker(name: str, **facts: bytes) -> WorkerStatus:
    """Return a worker as Redis describes it."""
    return WorkerStatus.from_hash(name, {b"seen": b"1.0", **{key.encode(): value for key, value in facts.items()}})


def test_only_workers_of_another_format_are_named() -> None:
    """Workers of 0.1.0 and 0.2.0 do not report their format, and read format 1. Many workers make a short sentence."""
    heard = [worker("old"), worker("new", doorbell=str(DOORBELL_VERSION).encode())]
    assert unreached_workers([]) == unreached_workers(heard) == ""
    others = [worker(f"w{number}", doorbell=b"7") for number in range(5)]
    sentence = unreached_workers(heard + others)
    assert sentence.startswith("5 of 7 workers (w0, w1, w2, …) read doorbells of format 7, ")
    assert "Run the same version" in sentence
