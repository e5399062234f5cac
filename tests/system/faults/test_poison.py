"""Images that kill or hang the process that decodes them."""

import pytest

from model.errors import FailureCode
from tests.system.faults.injected.marks import MARK_HANG, MARK_KILL


@pytest.mark.slow
def test_an_image_that_kills_its_process_is_quarantined_alone(start_mill, folder_of, begin_job, undisturbed, check):
    """Its batch is halved until it is alone. All its neighbours are answered, and the workers go on."""
    with start_mill(2) as mill:
        source = folder_of(300, {77: MARK_KILL})
        results = begin_job(mill, source).result(timeout=60)
        check(results, undisturbed[:300], failed=(77,))
        assert results.failures[77].code is FailureCode.QUARANTINED
        # Only classifying processes died. No main process did.
        assert mill.stack.supervisor.restarts() == {"server": 0, "worker-1": 0, "worker-2": 0}
        kills = mill.worker_logs().count("exited with 'signal 9 (SIGKILL)'")
        # Three attempts at the whole batch, one at each half that holds the image, two at the image alone.
        assert kills <= 3 + 7 + 2


@pytest.mark.slow
def test_an_image_that_hangs_its_process_is_quarantined_alone(start_mill, folder_of, begin_job, undisturbed, check):
    """The time limit ends each attempt. Then the batch is halved as above."""
    with start_mill(2, DIGITMILL_TIME_LIMIT_SECONDS="0.5") as mill:
        results = begin_job(mill, folder_of(6, {2: MARK_HANG}), batch_size=6).result(timeout=60)
        check(results, undisturbed[:6], failed=(2,))
        assert results.failures[2].code is FailureCode.QUARANTINED
