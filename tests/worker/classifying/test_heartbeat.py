"""Facts about the thread that reports a worker alive."""

from worker.classifying.heartbeat import Heartbeat
from worker.contract.ledger import JobRecord, Part, Window, keys
from worker.contract.reconciler import Reconciler
from worker.contract.wire import Batch, Manifest


def test_an_unexpected_error_does_not_end_the_heartbeat(ledger, eventually, caplog):
    """The worker is still reported alive, and the log shows the error."""
    calls: list[int] = []

    def in_work():
        calls.append(len(calls))
        if len(calls) == 1:
            raise RuntimeError("unexpected")
        return []

    heartbeat = Heartbeat(ledger, None, name="w1", facts=lambda: {"ready": 0}, in_work=in_work, lease_seconds=60)
    heartbeat.start()
    eventually(lambda: len(calls) > 2, what="another heartbeat after the error")
    assert [worker.name for worker in ledger.workers()] == ["w1"]
    assert "unexpected" in caplog.text
    heartbeat.stop()
    assert ledger.workers() == []


def test_the_fault_of_one_part_costs_no_other_its_lease(client, ledger, eventually):
    """Somebody wrote over keys of the ledger. The thread renews what is left, reports the worker, and reconciles."""
    ledger.create("job", JobRecord("scans/", "live", "host-1", {}, ""))
    parts = [Part("job", sequence, 0, 1) for sequence in range(3)]
    for part in parts:
        ledger.submit(part, Batch((b"file",)), Manifest(("a",), (None,), {}), Window(9, 10**6), detached=False)
        ledger.claim(part, token=str(part.sequence), holder="w1", lease_seconds=60)
    ticks = []
    for key in (keys.WORKERS, keys.worker("w1"), parts[0].key):
        client.delete(key)
        client.set(key, "somebody else's")
    client.zadd(keys.OPEN, {"not a part": 1, b"\xff": 1})

    class FailingReconciler(Reconciler):
        def __init__(self):
            pass

        def tick(self):
            ticks.append(1)
            raise RuntimeError("unexpected")

    def in_work():
        yield from (Part("../x", 0, 0, 1), *parts)

    heartbeat = Heartbeat(
        ledger, FailingReconciler(), name="w1", facts=lambda: {"ready": 0}, in_work=in_work, lease_seconds=600
    )
    heartbeat.start()
    eventually(lambda: len(ticks) > 2, what="another heartbeat after the error")
    assert [worker.name for worker in ledger.workers()] == ["w1"]
    for part in parts[1:]:
        assert int(client.hget(part.key, "lease")) / 1000 > ledger.now() + 300
    heartbeat.stop()


def test_a_key_of_another_type_is_logged_once(client, ledger, eventually, caplog):
    """The log names it, and does not fill with it."""
    faults = []

    def in_work():
        faults.append(1)
        client.set("digitmill:jobs", "somebody else's")
        ledger.jobs()
        return []

    heartbeat = Heartbeat(ledger, None, name="w1", facts=lambda: {"ready": 0}, in_work=in_work, lease_seconds=60)
    heartbeat.start()
    eventually(lambda: len(faults) > 3, what="more heartbeats")
    heartbeat.stop()
    assert caplog.text.count("redis-cli DEL digitmill:jobs") == 1
    assert "Traceback" not in caplog.text
