"""A whole mill in which each role has its own Redis user, and no user has more rights than its role needs."""

import json
import os
import subprocess
from datetime import UTC, datetime

import pytest

from producer.mill.stack import Stack
from tests.support.command import CommandLine, run_here
from tests.support.http_server import serving
from tests.support.mill import start_role
from tests.support.models import write_model
from tests.support.users import add_users, refusals, url_for
from tests.system.faults.injected.marks import MARK_KILL
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.registry import Registry
from worker.contract.teaching import Teaching
from worker.contract.training import Trainings, TrainingState
from worker.contract.users import RedisUser
from worker.health import live_processes
from worker.roles import Role
from worker.scheduler.firing import Firing
from worker.settings import Settings

SERVERS = os.environ.get("DIGITMILL_TEST_SERVERS", "").split()
"""URLs of servers to test beside the embedded one. The tests delete everything in them, and change their users."""

IMAGES = 30

USERS = {
    Role.WORKER: RedisUser.WORKER,
    Role.TRAINER: RedisUser.TRAINER,
    Role.SCHEDULER: RedisUser.SCHEDULER,
}


@pytest.fixture(scope="module", params=["embedded", *SERVERS])
def url(request, tmp_path_factory):
    """A server with the users of digitmill. The URL is that of its owner."""
    if request.param != "embedded":
        yield request.param
        return
    with Stack(tmp_path_factory.mktemp("server"), 0) as stack:
        yield stack.url


@pytest.fixture
def owner(url):
    """The connection of the server's owner. The server holds nothing but users."""
    client = connect(url)
    client.flushall()
    client.script_flush()
    add_users(client)
    return client


@pytest.fixture
def digitmill(url, tmp_path):
    """Run `digitmill …` as one of the users. Return what it printed."""

    def run(user, *arguments, code=0):
        done = run_here(*arguments, DIGITMILL_REDIS_URL=url_for(url, user), DIGITMILL_DATA=str(tmp_path / user))
        assert done.exit_code == code, done.output
        return done.stderr if code else done.stdout

    return run


@pytest.fixture
def start(url, tmp_path):
    """Start a process of a role, as its user. All end with the test."""
    started = []

    def begin(role, **variables):
        user = USERS[role]
        environment = {"DIGITMILL_REDIS_URL": url_for(url, user), "DIGITMILL_DATA": str(tmp_path / user), **variables}
        process = start_role(role, {**os.environ, **environment}, tmp_path / f"{role}.log")
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path, digits, png):
    """A folder with a few images of sevens."""
    folder = tmp_path / "images" / "7"
    folder.mkdir(parents=True)
    for index in range(IMAGES):
        (folder / f"{index:02d}.png").write_bytes(png(digits.images[index]))
    return folder.parent


@pytest.fixture
def model(tmp_path, variant):
    """The folder of a model, as a training writes it."""
    return write_model(tmp_path / "soft", *variant("soft"))


@pytest.fixture
def refuses_nothing(owner):
    """Check at the end of the test that Redis has refused nothing."""
    yield
    assert refusals(owner) == []


@pytest.fixture
def workers(url, start, eventually):
    """Start a worker that dies of the images with a mark. Return a function that stops it, or starts another."""
    running: list[subprocess.Popen[bytes]] = []

    def scale(number):
        while len(running) > number:
            running[-1].terminate()
            assert running.pop().wait(30) == 0
        if len(running) < number:
            running.append(start(Role.WORKER))
        at = url_for(url, RedisUser.WORKER)
        eventually(lambda: len(live_processes(Role.WORKER, at)) == number, seconds=60, what=f"{number} workers")

    scale(1)
    return scale


@pytest.mark.slow
@pytest.mark.usefixtures("refuses_nothing")
def test_submitters_and_workers_do_their_work_with_their_users(digitmill, workers, folder, tmp_path):
    """A submitter sends, waits, lists, reports and cancels. A worker answers all, also an image that kills it."""
    poison = folder / "7" / "00.png"
    poison.write_bytes(poison.read_bytes() + MARK_KILL)
    (pair := tmp_path / "pair").mkdir()
    for name in ("00.png", "01.png"):
        (folder / "7" / name).rename(pair / name)

    def submitter(*words, code=0):
        return digitmill(RedisUser.SUBMITTER, *words, code=code)

    report = json.loads(submitter("submit", folder, "--out", tmp_path / "report", "--json"))
    assert report["classified"] == IMAGES - 2
    job = json.loads(submitter("submit", pair, "--detach", "--json"))["job"]
    submitter("wait", job, code=1)
    submitter("report", job, "--out", tmp_path / "poison", code=1)
    assert json.loads((tmp_path / "poison" / "report.json").read_text())["failed"] == 1
    submitter("jobs")
    submitter("show", "last")
    submitter("status")
    workers(0)
    waiting = json.loads(submitter("submit", folder, "--detach", "--json"))["job"]
    submitter("cancel", waiting)
    workers(1)
    submitter("classify", pair / "01.png")


@pytest.mark.slow
@pytest.mark.usefixtures("refuses_nothing", "workers")
def test_a_submitter_serves_http(url, folder, tmp_path, digitmill):
    """It classifies with any version, and shows jobs."""
    digitmill(RedisUser.SUBMITTER, "submit", folder, "--out", tmp_path / "report")
    image = (folder / "7" / "01.png").read_bytes()
    with serving(CommandLine(tmp_path, url_for(url, RedisUser.SUBMITTER))) as server:
        server.await_ready()
        for parameters in ({}, {"model": "baseline"}, {"several": "read"}):
            assert server.post(image, params=parameters).status_code == 200
        [newest, *_] = server.client.get("/v1/jobs").json()["jobs"]
        assert server.client.get("/v1/jobs/last").json() == newest | {"format": 1, "lost": None}


@pytest.mark.slow
@pytest.mark.usefixtures("refuses_nothing", "workers")
def test_an_admin_changes_the_model_and_everybody_follows(owner, url, digitmill, folder, model, eventually, tmp_path):
    """A submitter may look at the versions, and a worker may roll back the canary."""
    admin, submitter = RedisUser.ADMIN, RedisUser.SUBMITTER
    digitmill(admin, "models", "push", model)
    version = json.loads(digitmill(admin, "models", "promote", "candidate", "--json"))["live"]
    for words in (("list",), ("show", "live"), ("compare", "live", "previous")):
        digitmill(submitter, "models", *words)
    digitmill(submitter, "models", "pull", "live", "--out", tmp_path / "pulled")
    digitmill(submitter, "submit", folder, "--model", "live", "--out", tmp_path / "report")
    eventually(lambda: Registry(owner).service_counts(version).images, what="counts of the canary's answers")
    Registry(connect(url_for(url, RedisUser.WORKER))).rollback(reason="it fails", expected=version)
    digitmill(admin, "models", "promote", version)
    digitmill(admin, "models", "rollback")


@pytest.mark.slow
@pytest.mark.usefixtures("refuses_nothing")
def test_admin_trainer_and_scheduler_teach_and_train(owner, url, digitmill, start, folder, eventually, variant):
    """The trainer keeps what an admin teaches, trains what an admin or the scheduler requests, and publishes that."""
    admin = RedisUser.ADMIN
    trainer = start(Role.TRAINER)
    start(Role.SCHEDULER, DIGITMILL_RETRAIN_CRON="0 3 1 1 *")
    for role in (Role.TRAINER, Role.SCHEDULER):
        at = url_for(url, USERS[role])
        eventually(lambda role=role, at=at: live_processes(role, at), seconds=60, what=f"a {role}")
    digitmill(admin, "teach", folder)
    eventually(lambda: Teaching(owner).summary().images == IMAGES, seconds=30, what="the account of the taught images")
    digitmill(RedisUser.SUBMITTER, "teach", "--list")
    digitmill(admin, "teach", "--remove", next(iter(Teaching(owner).labels())))
    digitmill(admin, "train", "--data", "samples", "--epochs", "500")
    eventually(lambda: (now := Trainings(owner).latest()) and now.held, seconds=60, what="a training")
    digitmill(admin, "train", "--cancel")
    trainer.terminate()
    assert trainer.wait(30) == 0

    # The test goes on in the trainer's place, because TensorFlow would take too long.
    settings, at = Settings.from_environment({"DIGITMILL_RETRAIN_ALWAYS": "1"}), url_for(url, RedisUser.SCHEDULER)
    assert "is asked for" in Firing(connect(at), Doorbell(connect(at)), settings, "test")(datetime.now(UTC))
    as_trainer = connect(url_for(url, RedisUser.TRAINER))
    trainings, registry = Trainings(as_trainer), Registry(as_trainer)
    claim = trainings.claim(holder="test", lease_seconds=60)
    assert claim
    card, files = variant("trained", temperature=1.5)
    registry.publish(card, files, fence=claim.fence)
    assert registry.promote(card.version, reason="it passed", expected=registry.live(), fence=claim.fence)
    assert trainings.finish(claim, TrainingState.DONE, version=card.version)


def test_a_submitter_is_told_that_only_an_admin_may(owner, digitmill, folder, model):
    """One sentence names the user, the reason and the user who may. Nothing has changed, and no traceback is left."""
    digitmill(RedisUser.ADMIN, "models", "push", model)
    digitmill(RedisUser.ADMIN, "models", "promote", "candidate")
    digitmill(RedisUser.ADMIN, "teach", folder)
    digitmill(RedisUser.ADMIN, "train")
    before = {key: owner.dump(key) for key in owner.scan_iter()}
    sha256 = next(iter(Teaching(owner).inbox()))[0]
    for words in (
        ("models", "push", model),
        ("models", "promote", "soft"),
        ("models", "rollback"),
        ("teach", folder / "7", "--label", "3"),
        ("teach", "--remove", sha256),
        ("train",),
        ("train", "--cancel"),
    ):
        said = digitmill(RedisUser.SUBMITTER, *words, code=2)
        assert f"does not let its user {RedisUser.SUBMITTER} do this (" in said, words
        assert f"The user {RedisUser.ADMIN} may do it: " in said, words
        assert len(said.splitlines()) == 1, words
        assert {key: owner.dump(key) for key in owner.scan_iter()} == before, words
