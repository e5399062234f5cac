"""Facts about backups: a whole mill goes into one file, and comes back into an empty Redis and an empty folder."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from model.data.digits import Digits
from model.errors import UsageError
from producer.backup import LIST, back_up, restore
from tests.support import tars
from worker.contract.backup import StoredKey
from worker.contract.errors import WireError
from worker.contract.gate import GateState, QueueGate
from worker.contract.ledger import JobRecord, Ledger, Part, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.registry import Registry
from worker.contract.registry import keys as registry_keys
from worker.contract.training import Schedule, Trainings
from worker.contract.training import keys as training_keys
from worker.contract.wire import Batch, Manifest


def dump(client):
    """Return what Redis holds, by key: types, contents, and whether it expires."""
    readers = {b"hash": client.hgetall, b"string": client.get}
    found = {}
    client.delete(ledger_keys.SENDING)  # which expires in a second
    for key in client.keys("digitmill:*"):
        kind = client.type(key)
        if kind == b"zset":
            content = client.zrange(key, 0, -1, withscores=True)
        elif kind == b"list":
            content = client.lrange(key, 0, -1)
        else:
            content = readers[kind](key)
        found[key] = kind, content, client.pttl(key) > 0
    return found


@pytest.fixture
def filled(client, digitmill, variant, png, digits: Digits):
    """A mill with two models, a taught image, a training, a schedule, and a job with an open batch; and files."""
    registry, ledger = Registry(client), Ledger(client)
    for name in ("soft", "softer"):
        card, files = variant(name)
        registry.publish(card, files)
        registry.promote(card.version, reason="test", canary=False)
    corrections = digitmill.folder / "corrections" / "7"
    corrections.mkdir(parents=True)
    (corrections / "one.png").write_bytes(png(digits.images[0]))
    digitmill("teach", corrections.parent)
    digitmill("train", "--anyway")
    Schedule(client).begin("0 3 * * *")
    ledger.create("job", JobRecord("scans/", "live", "host-1", {}, ""))
    client.hset(registry_keys.service_counts(registry.baseline.version), "images", 5)
    ledger.submit(Part("job", 0, 0, 1), Batch((b"x",)), Manifest(("a",), (None,), {}), Window(9, 10**6), detached=True)
    data = digitmill.folder / "data"
    for name, content in {"jobs/job.journal": b"\x00rows", "taught/7/a.png": b"pixels", "mill/server.log": b""}.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)
    return dump(client)


def test_a_mill_comes_back_as_it_was(client, digitmill, filled):
    """Redis and files are those of the backup. The restored mill serves its model, and knows its training and job."""
    made = digitmill("backup", "mill.tar", "--json").json
    assert made["keys"] >= 10
    assert made["files"] >= 2
    assert (digitmill.folder / "mill.tar").stat().st_mode & 0o077 == 0
    live, training = Registry(client).live(), Trainings(client).latest()
    client.flushall()
    elsewhere = {"DIGITMILL_DATA": str(digitmill.folder / "elsewhere")}
    assert digitmill("restore", "mill.tar", "--json", **elsewhere).json == made
    assert dump(client) == filled
    assert (Registry(client).live(), Trainings(client).latest()) == (live, training)
    assert Registry(client).fetch(live)
    assert Ledger(client).job("job").open == 1
    folder = digitmill.folder / "elsewhere"
    assert (folder / "jobs" / "job.journal").read_bytes() == b"\x00rows"
    assert (folder / "taught" / "7" / "a.png").read_bytes() == b"pixels"
    assert not (folder / "mill").exists()


@pytest.mark.usefixtures("filled")
def test_nothing_is_written_over(client, digitmill):
    """A Redis with data, and a folder with one of the files, are refused and stay as they are. So is an old backup."""
    digitmill("backup", "mill.tar")
    before = dump(client)
    assert "holds data of digitmill already" in digitmill("restore", "mill.tar", code=2).errors
    assert dump(client) == before
    assert "exists. Name a new file." in digitmill("backup", "mill.tar", code=2).errors
    client.flushall()
    assert "Restore into an empty data folder" in digitmill("restore", "mill.tar", code=2).errors
    assert dump(client) == {}


@pytest.mark.usefixtures("filled")
def test_a_restoration_keeps_what_running_processes_leave_and_says_it(client, digitmill):
    """A schedule that is there stays. A drained queue comes back drained, and the command says so."""
    digitmill("queue", "drain", "--reason", "backup")
    digitmill("backup", "mill.tar")
    client.flushall()
    Schedule(client).begin("30 4 * * *")
    before = client.hgetall(training_keys.SCHEDULE)
    said = digitmill("restore", "mill.tar", DIGITMILL_DATA=str(digitmill.folder / "elsewhere")).errors
    assert "digitmill:schedule" in said
    assert "The queue is drained by" in said
    assert client.hgetall(training_keys.SCHEDULE) == before
    assert QueueGate(client).read().state is GateState.DRAINED


@pytest.mark.usefixtures("filled")
def test_backups_in_the_data_folder_do_not_have_each_other(client, digitmill):
    """A container may have no other place for them, and each would be twice as large as the one before."""
    data = digitmill.folder / "data"
    counts = back_up(client, data, digitmill.folder / "outside.tar")
    for name in ("first.tar", "second.tar"):
        assert back_up(client, data, data / name) == counts


def test_a_file_of_any_name_comes_back(client, digitmill, tmp_path):
    """People put files into the folder of taught images, and a name need not be UTF-8."""
    names = ["ü.png", "\udcff.png", f"{'long' * 60}.png", "line\nbreak"]
    folder = digitmill.folder / "data" / "taught" / "7"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(os.fsencode(name))
    back_up(client, digitmill.folder / "data", tmp_path / "mill.tar")
    restore(client, tmp_path / "new", tmp_path / "mill.tar")
    found = {path.name: path.read_bytes() for path in (tmp_path / "new" / "taught" / "7").iterdir()}
    assert found == {name: os.fsencode(name) for name in names}


def test_a_file_that_cannot_be_read_is_named(client, digitmill, tmp_path, monkeypatch):
    """A backup without it would not be whole, so there is none."""
    folder = digitmill.folder / "data" / "jobs"
    folder.mkdir(parents=True)
    (folder / "job.journal").write_bytes(b"rows")

    read = Path.read_bytes

    def fail(path):
        if path.suffix == ".journal":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail)  # the tests may run as root, who can read everything
    with pytest.raises(UsageError, match=r"job\.journal cannot be read \(Permission denied\)"):
        back_up(client, digitmill.folder / "data", tmp_path / "mill.tar")
    assert not list(tmp_path.glob("*.tar"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.usefixtures("filled")
def test_a_damaged_backup_restores_nothing(client, digitmill, tmp_path):
    """One that is cut off, has another byte, or lacks a part is refused before anything is written."""
    path = tmp_path / "mill.tar"
    back_up(client, digitmill.folder / "data", path)
    content = path.read_bytes()
    client.flushall()
    with tarfile.open(path) as archive:
        entries = [(entry, _content(archive, entry)) for entry in archive]
        last = archive.getmember(LIST)
    flipped = bytearray(content)
    flipped[entries[0][0].offset_data + 3] ^= 1
    damaged = {"cut": content[: last.offset], "short": content[:700], "flipped": bytes(flipped), "none": b"no tar"}
    for name, text in (damaged | tars.HOSTILE).items():
        (tmp_path / name).write_bytes(text)
        printed = digitmill("restore", tmp_path / name, code=2, DIGITMILL_DATA=str(tmp_path / "new"))
        assert "backup" in printed.errors, name
    with tarfile.open(tmp_path / "lacking", "w") as archive:
        for entry, body in entries[1:]:
            archive.addfile(entry, io.BytesIO(body))
    assert "differs" in digitmill("restore", tmp_path / "lacking", code=2).errors
    assert dump(client) == {}
    assert not (tmp_path / "new").exists()


def test_a_backup_has_no_key_that_is_not_of_digitmill():
    """Keys of others, types that digitmill does not store, and contents that Redis cannot store are refused."""
    for key in (
        StoredKey("others", "string", b"x", -1),
        StoredKey("digitmill:x", "stream", b"x", -1),
        StoredKey("digitmill:x", "hash", b"x", -1),
        StoredKey("digitmill:x", "hash", {}, -1),
        StoredKey("digitmill:x", "hash", {b"a": 1}, -1),
        StoredKey("digitmill:x", "list", [b"a", [b"b"]], -1),
        StoredKey("digitmill:x", "zset", [b"a", b"b"], -1),
        StoredKey("digitmill:x", "zset", [[b"a", float("nan")]], -1),
        StoredKey("digitmill:x", "zset", [[b"a", 1.0, 2.0]], -1),
    ):
        with pytest.raises(WireError, match="not one of digitmill"):
            StoredKey.from_bytes(key.to_bytes())
    with pytest.raises(WireError, match="not a key"):
        StoredKey.from_bytes(b"\xc1")


def test_a_backup_writes_no_file_elsewhere(client, tmp_path):
    """A file whose name leads out of the data folder is refused, although its list says that it is whole."""
    path = tmp_path / "mill.tar"
    content = {"data/../outside": b"x"}
    digests = {name: hashlib.sha256(body).hexdigest() for name, body in content.items()}
    with tarfile.open(path, "w") as archive:
        for name, body in {**content, LIST: json.dumps({"format": 1, "entries": digests}).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    with pytest.raises(UsageError, match="leads out of the data folder"):
        restore(client, tmp_path / "data", path)
    assert not (tmp_path / "outside").exists()


def _content(archive, entry):
    """Return the content of an entry."""
    return archive.extractfile(entry).read()
