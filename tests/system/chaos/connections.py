"""Connections are cut, fall silent, or become slow."""

from tests.system.chaos.trial import Fault, Trial


def _cut_again_and_again(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.1)
    for _ in range(10):
        if not trial.runs:
            break
        trial.plant.proxy.reset()
        trial.pause(0.3, 1.2)


def _half_open(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    trial.plant.proxy.freeze()


def _slow(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.3)
    trial.plant.proxy.delay = trial.random.uniform(0.02, 0.15)
    trial.pause(3.0, 6.0)
    trial.plant.proxy.delay = 0.0


def _silent(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    trial.plant.proxy.stop_flow()
    trial.pause(2.0, 12.0)
    trial.plant.proxy.start_flow()


def _refusing(trial: Trial) -> None:
    trial.submit()
    trial.await_share()
    trial.plant.proxy.refusing = True
    trial.plant.proxy.reset()
    trial.pause(1.0, 6.0)
    trial.plant.proxy.refusing = False


FAULTS = (
    Fault("connections-cut-each-second", _cut_again_and_again),
    Fault("connections-half-open", _half_open, limit=30),
    Fault("connections-slow", _slow),
    Fault("network-silent", _silent, limit=30),
    Fault("connections-refused", _refusing),
)
