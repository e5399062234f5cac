"""Kills, freezes and cuts in random order, several of them at a time."""

import signal
from collections.abc import Callable

import psutil

from tests.support.processes import children, frozen, send
from tests.system.chaos.trial import Fault, Trial

STEPS = 8


def _mix(trial: Trial) -> None:
    trial.submit(trial.random.choice([trial.works.files, trial.works.array]))
    assert trial.job
    for step in trial.random.choices(EVENTS, k=STEPS):
        if not trial.runs:
            break
        step(trial)
        trial.pause(0.0, 1.0)


def _kill_worker(trial: Trial) -> None:
    for worker in trial.rig.workers()[: trial.random.randint(1, 2)]:
        send(worker, signal.SIGKILL)


def _kill_classifying(trial: Trial) -> None:
    for worker in trial.rig.workers():
        for child in children(worker):
            send(child, signal.SIGKILL)


def _freeze_worker(trial: Trial) -> None:
    workers = trial.rig.workers()[:1]
    with frozen(*workers, *(child for worker in workers for child in children(worker))):
        trial.pause(0.1, 4.0)


def _kill_server(trial: Trial) -> None:
    trial.rig.restart_server(trial.random.uniform(0.0, 1.0))


def _freeze_server(trial: Trial) -> None:
    with frozen(psutil.Process(trial.rig.server.process.pid)):
        trial.pause(0.1, 4.0)


def _kill_client(trial: Trial) -> None:
    trial.stop_and_resume()


def _freeze_client(trial: Trial) -> None:
    with frozen(psutil.Process(trial.client.pid)):
        trial.pause(0.1, 4.0)


def _cut(trial: Trial) -> None:
    trial.rig.proxy.reset()


def _half_open(trial: Trial) -> None:
    trial.rig.proxy.freeze()


def _slow(trial: Trial) -> None:
    trial.rig.proxy.delay = 0.1
    trial.pause(0.5, 2.0)
    trial.rig.proxy.delay = 0.0


EVENTS: tuple[Callable[[Trial], None], ...] = (
    _kill_worker,
    _kill_classifying,
    _freeze_worker,
    _kill_server,
    _freeze_server,
    _kill_client,
    _freeze_client,
    _cut,
    _half_open,
    _slow,
)

FAULTS = (Fault("random-mix", _mix, limit=40),)
