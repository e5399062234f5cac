"""Containers die, stop, restart and scale during a job. Every image still gets exactly one answer."""

import time

import pytest

from tests.system.compose.project import docker, inspect

pytestmark = pytest.mark.usefixtures("three_workers")

HOLDERS = """
local holders = {}
for _, key in ipairs(redis.call('KEYS', 'digitmill:batch:*')) do
  holders[#holders + 1] = redis.call('HGET', key, 'holder') or nil
end
return holders
"""


@pytest.fixture
def under_way(producer, eventually):
    """Wait until the latest job has some of its answers, but not all."""

    def wait(answers: int) -> None:
        def enough():
            [job, *_] = producer.ask("jobs")["jobs"] or [None]
            return job and job["state"] in ("submitting", "running") and job["answered"] >= answers

        eventually(enough, seconds=60, what=f"a job with {answers} answers")

    return wait


def at_work(mill) -> set[str]:
    """Return the workers that hold a batch now."""
    return set(mill.redis("EVAL", HOLDERS, "0").split())


def assert_complete(report, images: int, correct: int) -> None:
    """Check that every image has one answer, and as many are correct as without a fault."""
    assert (report["state"], report["images"], report["failed"]) == ("done", images, 0)
    assert report["correct"] == correct


def test_workers_killed_in_mid_job_lose_nothing(mill, producer, submit, folder_of, correct, under_way, eventually):
    """A killed container costs nothing, nor does a crashed one, which its restart policy starts again."""
    job = submit(folder_of(480, slow=4), "killed", "--batch-size", "8")
    under_way(40)
    killed, crashed, _ = mill.containers("worker")
    docker("kill", killed)
    docker("exec", crashed, "sh", "-c", "kill -9 -1", check=False)
    assert_complete(job.result(), 480, correct(480))
    assert inspect(crashed)["RestartCount"] == 1
    eventually(lambda: len(producer.ready_workers()) == 2, seconds=30, what="the crashed worker's return")


def test_stopped_workers_finish_or_hand_back_within_fifteen_seconds(mill, submit, folder_of, correct, eventually):
    """Workers hand back batches of 13 s, and Docker does not have to kill a container."""
    job = submit(folder_of(135, slow=1), "stopped", "--batch-size", "45")
    eventually(lambda: len(at_work(mill)) == 3, seconds=30, what="three workers at work")
    stopped = mill.containers("worker")
    began = time.monotonic()
    mill("stop", "worker")
    assert time.monotonic() - began < 15
    assert [inspect(container)["State"]["ExitCode"] for container in stopped] == [0, 0, 0]
    assert not at_work(mill)
    mill("start", "worker")
    assert_complete(job.result(), 135, correct(135))


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_restarted_redis_loses_nothing(mill, submit, folder_of, correct, under_way, how):
    """Redis, restarted or killed during a job, returns with all its data, and the job completes."""
    job = submit(folder_of(480, slow=4), f"redis-{how}", "--batch-size", "8")
    under_way(40)
    [redis] = mill.containers("redis")
    if how == "restart":
        docker("restart", redis)
    else:
        docker("kill", redis)
        time.sleep(2)
        docker("start", redis)
    assert_complete(job.result(), 480, correct(480))


def test_scaling_under_load_loses_nothing_and_leaves_nobody_idle(
    mill, producer, submit, folder_of, correct, under_way, eventually
):
    """A job has one worker, then four, then one. One second after all four are ready, they are nearly always busy."""
    mill.scale(1)
    job = submit(folder_of(640, slow=2), "scaled", "--batch-size", "8")  # longer than starting workers ever takes
    under_way(16)
    mill.scale(4)
    eventually(lambda: len(producer.ready_workers()) == 4, seconds=30, what="four ready workers")
    time.sleep(1)
    # In one call, because each costs so much time on a busy machine that the job might end meanwhile.
    busy = len(mill.redis("-r", "20", "-i", "0.1", "EVAL", HOLDERS, "0").split()) / 20
    mill.scale(1)
    assert len(mill.containers("worker")) == 1
    assert_complete(job.result(), 640, correct(640))
    assert busy > 3.6
