"""`clean` frees what has ended and nobody needs, beside a real server. The tests act as the worker."""

import fcntl
import os
import time

import msgpack
import pytest

from model.errors import Failure, FailureCode
from producer.cleaning import find_items
from producer.jobs.kept.journal import Journal
from producer.jobs.kept.listed import ListedImages
from producer.jobs.kept.order import Order, SubmitOptions, job_file, write_order
from producer.mill.server import ServerFolder
from producer.sources import ListedImage
from tests.support.answering import answer, seal
from tests.support.users import add_users, url_for
from worker.contract.ledger import JobState, Ledger, Part, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.ledger.disposal import forget_job
from worker.contract.users import RedisUser
from worker.contract.wire import Batch, Manifest
from worker.settings import Settings


@pytest.fixture
def job(client, digitmill):
    """Make a job of one image with files here and, unless Redis has lost it, a record there."""
    settings = Settings.from_environment(digitmill.environment)

    def make(name, *, state=JobState.DONE, detached=False, lost=False, answered=True):
        order = Order(name, SubmitOptions("/scans"), detached, "/scans", "m", "host-1", "host", "/data", 0.0, 1)
        write_order(settings, order)
        files = [job_file(settings, name, "order"), job_file(settings, name, "sent" if detached else "journal")]
        row = [0, Manifest(("a",), (None,), {0: Failure(FailureCode.BLANK, "…")}).to_wire(), []] if answered else None
        files[1].write_bytes(msgpack.packb(row) if row and not detached else b"")
        if not lost:
            ledger, part = Ledger(client), Part(name, 0, 0, 1)
            ledger.create(name, order.record())
            if detached:
                ledger.submit(part, Batch((b"x",)), Manifest(("a",), (None,), {}), Window(9, 10**6), detached=True)
                answer(ledger, part)
                seal(ledger, name)
            client.hset(ledger_keys.job(name), mapping={"state": state, "ended": int(time.time() * 1000)})
        return files

    return make


def kept(printed):
    """Return why each item stays, by its name, and None for what may be freed."""
    return {item["name"]: item["kept"] for kind in printed.json["kinds"] for item in kind["items"]}


def test_jobs_that_may_go_on_stay(client, digitmill, job):
    """Without --yes nothing is freed, and with it only what has ended, as the table said."""
    gone, lost_whole = job("ended"), job("whole", lost=True)
    staying = {
        "open": (job("open", state=JobState.RUNNING), "not ended"),
        "torn": (job("torn", lost=True, answered=False), "not finished, but can be resumed"),
        "detached": (job("detached", detached=True), "answers still in Redis"),
    }
    with job("used")[1].open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = digitmill("clean", "jobs", "--json")
        shown = digitmill("clean")
        assert kept(said) == {
            "ended": None,
            "whole": None,
            "used": "in use by a client",
            **{name: why for name, (_, why) in staying.items()},
        }
        assert (said.json["kinds"][0]["chosen"], said.json["freed"]) == (2, 0)
        assert "digitmill clean --yes  frees" in shown.output
        assert "2 jobs" in shown.output
        assert "digitmill clean answers --yes  frees" in shown.output
        assert "kept      1 job: not ended" in shown.output
        assert all(path.exists() for path in (*gone, *lost_whole))
        freed = digitmill("clean", "--yes").output
        assert freed.rstrip().splitlines()[-1].startswith("freed     ")
    assert not any(path.exists() for path in (*gone, *lost_whole))
    assert all(path.exists() for files, _ in staying.values() for path in files)
    assert client.exists(ledger_keys.job("ended"))


def test_answers_are_freed_only_by_their_name(client, digitmill, job):
    """Then Redis forgets the job, and its files here go too. An open job stays in Redis."""
    files = job("detached", detached=True)
    job("open", state=JobState.RUNNING)
    digitmill("clean", "--yes")
    assert client.exists(ledger_keys.results("detached"))
    said = digitmill("clean", "answers", "--yes", "--json").json
    assert (said["freed"], said["kinds"][0]["kind"]) == (1, "answers")
    assert said["freed_bytes"] > 500
    assert client.keys("digitmill:*:detached") == []
    assert client.zrange(ledger_keys.JOBS, 0, -1) == [b"open"]
    assert not any(path.exists() for path in files)
    assert not forget_job(client, "open")
    assert client.exists(ledger_keys.job("open"))


def test_answers_to_detached_jobs_of_others_are_freed_only_if_that_is_asked_for(client, digitmill, job, tmp_path):
    """Somebody may still want them. What another client has gathered may go."""
    job("theirs", detached=True)
    job("gathered")
    there = {"DIGITMILL_DATA": str(tmp_path / "elsewhere")}
    said = digitmill("clean", "answers", "--yes", "--json", **there)
    assert (said.json["freed"], kept(said)["gathered"]) == (1, None)
    assert "--elsewhere frees them" in kept(said)["theirs"]
    assert client.exists(ledger_keys.results("theirs"))
    command = ("clean", "answers", "--elsewhere")
    assert f"digitmill {' '.join(command)} --yes  frees" in digitmill(*command, **there).output
    assert digitmill(*command, "--yes", "--json", **there).json["freed"] == 1
    assert not client.exists(ledger_keys.results("theirs"))


def test_a_client_that_has_begun_meanwhile_keeps_its_files(digitmill, job):
    """The files are looked at again, under the lock of the client, when they are freed."""
    files = job("ended", lost=True)
    [item] = find_items(Settings.from_environment(digitmill.environment), None)
    with Journal(files[1]):
        assert not item.free()
    assert all(path.exists() for path in files)
    assert item.free()
    assert not any(path.exists() for path in files)


def test_a_job_stays_if_its_list_has_more_images(digitmill, job):
    """Its folder may have had more when it was resumed than when it was submitted."""
    files = job("grown", lost=True)
    with ListedImages(files[0].with_suffix(".list")) as record:
        record.add([ListedImage("a"), ListedImage("b")])
        record.finish({})
    assert kept(digitmill("clean", "jobs", "--json")) == {"grown": "not finished, but can be resumed"}


def test_an_age_limits_what_is_freed(digitmill, job):
    """What has changed since then stays."""
    for path in job("old", lost=True):
        os.utime(path, (1, 1))
    young = job("young", lost=True)
    said = digitmill("clean", "--older-than", "1", "--yes").output
    assert said.splitlines()[-1].endswith(": 1 job")
    assert young[0].exists()
    assert "Nothing can be freed." in digitmill("clean", "--older-than", "1").output


def test_a_running_mill_keeps_its_logs(digitmill, tmp_path):
    """Those that were put aside may go, and all of them when the mill has stopped. The data of its server stays."""
    folder = tmp_path / "data" / "mill"
    held = ServerFolder(folder)
    assert held.acquire()
    for name in ("worker-1.log", "worker-1.log.1", "server.rdb"):
        (folder / name).write_bytes(b"x" * 2048)
    said = digitmill("clean", "logs", "--yes", "--json", DIGITMILL_REDIS_URL="")
    assert kept(said) == {"mill/worker-1.log": "in use, because the mill is running", "mill/worker-1.log.1": None}
    held.release()
    digitmill("clean", "logs", "--yes")
    assert [path.name for path in folder.iterdir() if path.name != "lock"] == ["server.rdb"]


def test_downloads_are_freed_by_their_name(digitmill, tmp_path):
    """And nothing else in that folder, because the user may have chosen it."""
    (tmp_path / "cache").mkdir()
    for name in ("mnist.npz", "mine.txt"):
        (tmp_path / "cache" / name).write_bytes(b"x")
    digitmill("clean", "--yes")
    assert digitmill("clean", "downloads", "--yes").output.splitlines()[-1] == "freed     0 kB: 1 file"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["mine.txt"]


def test_without_redis_only_whole_jobs_may_go(digitmill, job):
    """Nobody else knows whether the others have ended."""
    job("whole", lost=True)
    job("torn", lost=True, answered=False)
    said = digitmill("clean", "jobs", "--json", DIGITMILL_REDIS_URL="redis://127.0.0.1:1/0")
    assert kept(said) == {"whole": None, "torn": "not known to have ended, because Redis does not answer"}
    assert "is not shown" in said.errors


def test_a_submitter_sees_sizes_and_may_forget_jobs(client, server, digitmill, job):
    """Its Redis user has the rights. A record that nobody can read stays, because nobody knows whether it has ended."""
    add_users(client)
    job("ended")
    client.hset(ledger_keys.job("bad"), "record", "nonsense")
    client.zadd(ledger_keys.JOBS, {"bad": 1})
    said = digitmill(
        "clean", "answers", "--yes", "--json", DIGITMILL_REDIS_URL=url_for(server.url, RedisUser.SUBMITTER)
    )
    assert kept(said) == {"bad": "damaged record in Redis, so not known to have ended", "ended": None}
    assert all(item["bytes"] for item in said.json["kinds"][0]["items"])
    assert said.json["freed"] == 1
