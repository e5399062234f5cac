"""A Redis at its memory limit: clients wait to submit, workers answer what is there, and nothing is lost."""

import threading
import time

import numpy as np
import pytest

from producer.sources import mnist_source


@pytest.mark.slow
def test_a_redis_without_memory_delays_a_job_and_loses_nothing(start_mill, digits, begin_job, undisturbed, check):
    """The limit leaves room for less than one batch. It is lifted after a while."""
    repeat = max(1, 100_000 // len(digits.images))
    with start_mill(2) as mill:
        client = mill.connection.client
        idle = client.info("memory")["used_memory"]
        job = begin_job(mill, mnist_source(digits.images, digits.labels, repeat=repeat))
        time.sleep(0.3)
        client.config_set("maxmemory", idle + 500_000)
        refused = threading.Event()
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            if client.info("stats").get("errorstat_OOM") or "errorstat_OOM" in client.info("errorstats"):
                refused.set()
            time.sleep(0.1)
        assert refused.is_set(), "no command was refused, so this test proves nothing"
        assert not job.done()
        client.config_set("maxmemory", "1gb")
        check(job.result(timeout=60), np.tile(undisturbed, repeat))
