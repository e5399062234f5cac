"""Single images of a program while a test harms the mill: each is answered, or fails with its reason."""

import os
import signal

import numpy as np
import psutil
import pytest

from model.errors import FailureCode
from producer.calls.client import Client
from tests.support.models import Harm, harmful, marked
from tests.system.faults.injected.marks import MARK_KILL, MARK_SLOW
from worker.contract.registry import Registry


@pytest.mark.slow
def test_an_image_that_ends_its_process_is_quarantined_alone(start_mill, digits, png, undisturbed):
    """It ends three processes of the lane and no other. All its neighbours are answered, and arrays beside it."""
    with start_mill(2) as mill, Client(mill.stack.url, timeout=60) as client:
        files = [png(image) for image in digits.images[:60]]
        files[17] += MARK_KILL
        futures = [client.submit(file) for file in files]
        arrays = [client.submit(image) for image in digits.images[:600]]
        found = [future.result() for future in futures]
        failed = {index: each.error.code for index, each in enumerate(found) if each.error}
        assert failed == {17: FailureCode.QUARANTINED}
        assert [each.digit for each in found[:17] + found[18:]] == np.delete(undisturbed[:60], 17).tolist()
        assert [each.result().digit for each in arrays] == undisturbed[:600].tolist()
        assert mill.worker_logs().count("the process of the lane died") == 3
        assert "exited with" not in mill.worker_logs(), "no classifying process died"
        assert mill.stack.supervisor.restarts() == {"server": 0, "worker-1": 0, "worker-2": 0}


@pytest.mark.slow
def test_workers_killed_at_any_moment_lose_no_call(start_mill, digits, png, undisturbed, eventually):
    """Main processes and lane processes are killed while calls are outstanding."""
    with start_mill(2) as mill, Client(mill.stack.url, timeout=120) as client:
        futures = []
        for turn in range(4):
            futures += [client.submit(png(image) + MARK_SLOW) for image in digits.images[turn * 4 : turn * 4 + 4]]
            futures[4 * turn].exception(60)  # some are answered by now
            name = f"worker-{turn // 2 + 1}"
            main = psutil.Process(eventually(lambda name=name: mill.stack.supervisor.processes().get(name)))
            victims = [main] if turn % 2 == 0 else main.children()
            for victim in victims:
                os.kill(victim.pid, signal.SIGKILL)
        assert [future.result().digit for future in futures] == undisturbed[:16].tolist()


@pytest.mark.slow
def test_a_live_version_that_ends_processes_is_rolled_back_and_all_calls_are_answered(start_mill, digits, undisturbed):
    """The death counts against the version. It is out of service, and the one before answers."""
    with start_mill(1) as mill, Client(mill.stack.url, timeout=90) as client:
        registry: Registry = mill.connection.registry
        card, files = harmful(Harm.CRASH, only_marked=True)
        registry.publish(card, files)
        registry.promote(card.version, reason="test")
        while client.classify(digits.images[0]).model != card.version:
            pass
        found = [each.digit for each in client.classify_many(marked(digits.images[:300]))]
        assert np.mean(np.array(found) == undisturbed[:300]) > 0.9, "the mark changes a pixel"
        assert registry.live() != card.version
        assert registry.fault(card.version)
