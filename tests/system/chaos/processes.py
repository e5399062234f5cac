"""Workers and the server are killed, frozen, stopped, or made more and fewer."""

import signal

import psutil

from tests.support.images import as_png
from tests.support.processes import children, frozen, send
from tests.support.waiting import eventually
from tests.system.chaos.trial import Fault, Trial
from worker.contract.ledger import keys
from worker.contract.queues import CLASSIFY_QUEUE


def _kill_classifying_process(trial: Trial) -> None:
    trial.submit()
    for _ in range(3):
        trial.await_share()
        found = children(trial.rig.worker(trial.random))
        if found:
            send(trial.random.choice(found), signal.SIGKILL)
        trial.pause(0.1, 0.8)


def _kill_worker(trial: Trial) -> None:
    trial.submit()
    for _ in range(2):
        trial.await_share()
        send(trial.rig.worker(trial.random), signal.SIGKILL)
        trial.pause(0.1, 0.8)


def _kill_idle_workers_that_popped(trial: Trial) -> None:
    workers, client = trial.rig.workers(), trial.rig.client
    trial.submit()
    assert trial.job  # it sends in a moment, and each worker waits in a BRPOP
    with frozen(*workers):
        eventually(lambda: client.zcard(keys.OPEN) > client.llen(CLASSIFY_QUEUE), seconds=30, what="a popped doorbell")
        trial.pause(0.0, 1.0)
        for worker in workers:
            send(worker, signal.SIGKILL)


def _freeze_worker(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    worker = trial.rig.worker(trial.random)
    with frozen(worker, *children(worker)):
        trial.pause(2.5, 6.0)  # longer than its lease


def _freeze_classifying_process(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    with frozen(*children(trial.rig.worker(trial.random))):
        trial.pause(1.0, 5.0)


def _stop_worker(trial: Trial) -> None:
    trial.submit()
    for _ in range(2):
        trial.await_share()
        send(trial.rig.worker(trial.random), trial.random.choice([signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP]))
        trial.pause(0.1, 1.0)


def _scale(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.2)
    with trial.rig.more_workers(2):
        trial.pause(1.0, 3.0)


def _kill_server(trial: Trial) -> None:
    trial.rig.client.config_set("appendfsync", trial.random.choice(["everysec", "always"]))
    trial.submit(trial.random.choice([trial.works.files, trial.works.array]))
    for _ in range(3):
        trial.await_share(0.0, 0.7)
        trial.rig.restart_server(trial.random.uniform(0.0, 1.0))


def _freeze_server(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    with frozen(psutil.Process(trial.rig.server.process.pid)):
        trial.pause(2.0, 12.0)


def _kill_server_and_worker(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    send(trial.rig.worker(trial.random), signal.SIGKILL)
    trial.rig.restart_server(trial.random.uniform(0.0, 1.0))


def _poison(trial: Trial) -> None:
    trial.submit(trial.works.killing(f"poison-{trial.random.random()}", trial.random.randrange(trial.works.count)))


def _not_an_image(trial: Trial) -> None:
    number = trial.random.randrange(trial.works.count)
    data = as_png(trial.works.images[number])
    bad = trial.random.choice([(b"", "empty"), (b"garbage" * 9, "not_an_image"), (data[:80], "broken")])
    trial.submit(trial.works.folder_of(f"bad-{trial.random.random()}", {number: bad}))
    trial.end_client()
    worker = trial.rig.ledger.workers()
    trial.expect(len(worker) == len(trial.rig.workers()), "an image has cost a worker")


def _lose_doorbells(trial: Trial) -> None:
    trial.submit()
    for _ in range(5):
        trial.await_share(0.0, 0.7)
        trial.rig.client.delete(CLASSIFY_QUEUE)


def _replace_all_workers(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.3)
    before = {worker.pid for worker in trial.rig.workers()}
    for worker in trial.rig.workers():
        send(worker, signal.SIGKILL)
    eventually(
        lambda: len(running := trial.rig.workers()) == len(before) and not before & {each.pid for each in running},
        seconds=60,
        what="new workers",
    )


FAULTS = (
    Fault("classifying-process-killed", _kill_classifying_process),
    Fault("classifying-process-frozen", _freeze_classifying_process),
    Fault("worker-killed", _kill_worker),
    Fault("all-workers-killed", _replace_all_workers),
    Fault("idle-workers-frozen-and-killed", _kill_idle_workers_that_popped),
    Fault("worker-frozen-beyond-its-lease", _freeze_worker),
    Fault("worker-told-to-stop", _stop_worker),
    Fault("workers-added-and-removed", _scale),
    Fault("redis-killed", _kill_server),
    Fault("redis-frozen", _freeze_server, limit=30),
    Fault("redis-and-worker-killed", _kill_server_and_worker),
    Fault("image-that-kills", _poison, limit=30),
    Fault("file-that-is-not-an-image", _not_an_image),
    Fault("doorbells-lost", _lose_doorbells),
)
