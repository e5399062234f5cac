"""Connections are cut, fall silent, or become slow."""

from tests.system.chaos.trial import Fault, Trial


def _cut_again_and_again(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.1)
    for _ in range(10):
        if not trial.runs:
            break
        trial.rig.proxy.reset()
        trial.pause(0.3, 1.2)


def _half_open(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    trial.rig.proxy.freeze()


def _slow(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.3)
    trial.rig.proxy.delay = trial.random.uniform(0.02, 0.15)
    trial.pause(3.0, 6.0)
    trial.rig.proxy.delay = 0.0


def _silent(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    trial.rig.proxy.stop_flow()
    trial.pause(2.0, 12.0)
    trial.rig.proxy.start_flow()


def _refusing(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    trial.rig.proxy.refusing = True
    trial.rig.proxy.reset()
    trial.pause(1.0, 6.0)
    trial.rig.proxy.refusing = False


FAULTS = (
    Fault("connections-cut-each-second", _cut_again_and_again),
    Fault("connections-half-open", _half_open, limit=30),
    Fault("connections-slow", _slow),
    Fault("network-silent", _silent, limit=30),
    Fault("connections-refused", _refusing),
)
