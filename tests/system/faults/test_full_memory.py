"""A Redis at its memory limit: clients wait to submit, workers answer what is there, and nothing is lost."""

import time

import numpy as np
import pytest

from producer.sources import mnist_source


@pytest.mark.slow
def test_a_redis_without_memory_delays_a_job_and_loses_nothing(
    start_mill, digits, begin_job, undisturbed, check, eventually
):
    """The limit leaves room for less than one batch. It is lifted after a while."""
    repeat = max(1, 30_000 // len(digits.images))
    with start_mill(2) as mill:
        client = mill.connection.client
        idle = client.info("memory")["used_memory"]
        job = begin_job(mill, mnist_source(digits.images, digits.labels, repeat=repeat))
        eventually(lambda: mill.connection.ledger.jobs()[0].answered, what="an answer")
        client.config_set("maxmemory", idle + 500_000)
        eventually(lambda: "errorstat_OOM" in client.info("errorstats"), what="a refused command")
        time.sleep(1.0)
        assert not job.done()
        client.config_set("maxmemory", "1gb")
        check(job.result(timeout=60), np.tile(undisturbed, repeat))
