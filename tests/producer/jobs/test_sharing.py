"""Facts about jobs that share a window with others: none sends a batch again and again only to have it refused."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from producer.jobs import gathering, sending
from tests.producer.jobs.conftest import BATCH, Workless, numbered
from tests.support.answering import answering, open_parts
from worker.contract.ledger import Ledger, ledger
from worker.contract.ledger.keys import SENDING

PATIENCE = 120.0
"""Time that a client waits for answers, in seconds, because a test may be slow to give them."""


@pytest.fixture
def tried(workless: Workless, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let eight other jobs share the window. Return the numbers of the batches that clients try to send from now on."""
    monkeypatch.setattr(ledger, "SENDING_MS", 600_000)
    for module in (gathering, sending):
        monkeypatch.setattr(module, "TRY_AGAIN_SECONDS", 600.0)
    workless.client.zadd(SENDING, {f"other-{index}": time.time() * 1000 for index in range(8)})
    numbers: list[int] = []
    submit = Ledger.submit

    def noting(self: Ledger, part: Any, *arguments: Any, **options: Any) -> Any:
        numbers.append(part.sequence)
        return submit(self, part, *arguments, **options)

    monkeypatch.setattr(Ledger, "submit", noting)
    return numbers


def test_a_refused_batch_is_sent_again_when_one_is_answered(workless: Workless, tried: list[int], eventually) -> None:
    """Two may be outstanding. The third is refused once, and nothing is sent while the client waits."""
    job = workless.create()
    future = workless.begin(job, numbered(5 * BATCH), timeout=PATIENCE)
    for answered in range(3):
        sent = [0, 1, 2, *range(2, 2 + answered)]
        eventually(lambda sent=sent: len(tried) >= len(sent), what="the next batches")
        for _ in range(5):
            workless.arrived.clear()
            assert workless.arrived.wait(10.0), "the client looks at its answers"
        assert tried == sent
        workless.answer(1)
    eventually(lambda: len(open_parts(workless.client)) == 2, what="the last batch")
    workless.answer(2)
    assert len(future.result(20.0).results) == 5 * BATCH


def test_a_detached_client_waits_for_its_share_too(workless: Workless, tried: list[int], eventually) -> None:
    """It looks at its job, which costs much less than to send a batch."""
    job = workless.create(detached=True)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(workless.send, job, numbered(4 * BATCH), timeout=PATIENCE)
        for expected in ([0, 1, 2], [0, 1, 2, 2, 3]):
            eventually(lambda expected=expected: len(tried) >= len(expected), what="the next batches")
            assert tried == expected
            workless.answer(1)
        future.result(20.0)
    assert tried == [0, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("detached", [False, True])
def test_a_job_keeps_more_batches_outstanding_when_workers_come(
    workless: Workless, monkeypatch: pytest.MonkeyPatch, eventually, *, detached: bool
) -> None:
    """Otherwise one job would never let more workers be started than had work when it began."""
    monkeypatch.setattr(sending, "COUNT_SECONDS", 0.1)
    job = workless.create(detached=detached)
    with ThreadPoolExecutor(1) as pool:
        run = workless.send if detached else workless.gather
        future = pool.submit(run, job, numbered(40 * BATCH), timeout=PATIENCE)
        eventually(lambda: workless.status(job).open == sending.MIN_WINDOW, what="a full window")
        for index in range(4):
            workless.connection.ledger.announce(f"new-{index}", {"ready": 1}, ttl_seconds=60)
        eventually(lambda: workless.status(job).open == 4 * sending.BATCHES_PER_WORKER, what="a larger window")
        with answering(workless.client, workless.connection.ledger):
            future.result(20.0)
