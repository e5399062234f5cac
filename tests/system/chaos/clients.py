"""Clients are killed, frozen, interrupted and resumed, or two of them want the same job."""

import shutil
import signal

import psutil

from tests.support.images import as_png
from tests.support.processes import frozen
from tests.support.waiting import eventually
from tests.system.chaos.trial import Fault, Trial
from worker.contract.ledger import keys


def _kill_client(trial: Trial) -> None:
    trial.submit(trial.random.choice([trial.works.files, trial.works.array]))
    for _ in range(3):
        trial.await_share(0.0, 0.8)
        trial.stop_and_resume()


def _kill_client_early(trial: Trial) -> None:
    trial.submit()
    for _ in range(3):
        assert trial.job
        trial.pause(0.0, 0.8)
        trial.stop_and_resume()


def _interrupt_client(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.05, 1.0)
    by = trial.random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    said = trial.stop_client(by)
    if not trial.client.returncode:
        return
    trial.expect(trial.client.returncode == 130, f"exit code {trial.client.returncode} after {by.name}")
    trial.expect(f"digitmill resume {trial.job}" in said, f"it does not say how to go on: {said!r}")
    trial.resume()
    trial.pause(0.0, 1.5)
    trial.stop_and_resume(by)  # perhaps before it can say anything


def _freeze_client(trial: Trial) -> None:
    trial.submit(trial.works.array)
    trial.await_share(0.1, 0.5)
    with frozen(psutil.Process(trial.client.pid)):
        trial.pause(2.0, 8.0)
        status = trial.rig.ledger.job(trial.job)
        outstanding = status.open + status.unacknowledged
        trial.expect(outstanding <= 64, f"{outstanding} batches are outstanding")


def _second_client(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.05, 0.4)
    elsewhere = trial.folder / "elsewhere"
    trial.refused("resume", trial.job)
    trial.refused("resume", trial.job, data=elsewhere)
    shutil.copytree(trial.folder / "data" / "jobs", elsewhere / "jobs")
    if trial.runs:
        trial.refused("resume", trial.job, data=elsewhere)


def _take_over(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.05, 0.4)
    trial.stop_client()
    if not trial.client.returncode:
        return
    trial.refused("resume", trial.job, data=trial.folder / "elsewhere")
    (trial.folder / "data").rename(trial.folder / "moved")
    trial.command.environment["DIGITMILL_DATA"] = str(trial.folder / "moved")
    (trial.folder / "data").symlink_to("moved")  # where this suite looks for the journal
    eventually(lambda: not _seen(trial), seconds=30, what="the silence of the first client")
    trial.resume("--take-over")


def _seen(trial: Trial) -> bool:
    """Return whether the owner of the job was seen lately, as Redis tells time."""
    seconds, _ = trial.rig.client.time()
    return bool((trial.rig.ledger.job(trial.job).owner_seen or 0) > seconds - 6)


def _other_pixels(trial: Trial) -> None:
    work = trial.works.folder_of(f"pixels-{trial.random.random()}", {})
    trial.submit(work)
    trial.await_share(0.3, 0.7)
    trial.stop_client()
    if not trial.client.returncode:
        return
    first = work.path / "00000.png"
    before = first.read_bytes()
    first.write_bytes(as_png(trial.works.images[1] // 2))
    trial.refused("resume", trial.job, codes=(2, 5), says="changed")
    first.write_bytes(before)
    trial.resume()


def _lose_detached(trial: Trial) -> None:
    trial.submit(None, "--detach")
    trial.end_client(0)
    for _ in range(trial.random.randint(1, 5)):
        part = trial.rig.waiting()
        if part:
            trial.rig.client.delete(part.key)
            trial.rig.client.zrem(keys.OPEN, part.member)
    trial.resume()
    trial.end_client(0)
    trial.report()


FAULTS = (
    Fault("client-killed", _kill_client),
    Fault("client-killed-while-it-starts", _kill_client_early),
    Fault("client-interrupted", _interrupt_client),
    Fault("client-frozen", _freeze_client),
    Fault("second-client", _second_client),
    Fault("client-killed-and-its-files-moved", _take_over, limit=30),
    Fault("other-pixels", _other_pixels),
    Fault("detached-job-partly-lost", _lose_detached),
)
