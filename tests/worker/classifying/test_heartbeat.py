"""Facts about the thread that reports a worker alive."""

from worker.classifying.heartbeat import Heartbeat


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
