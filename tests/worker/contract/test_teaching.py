"""Facts about teaching: each image is kept once, under its last label, whatever is killed or repeated."""

import contextlib
import logging
from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from redis.exceptions import OutOfMemoryError

from model.data.taught import TaughtFolder, fingerprint
from model.errors import UsageError
from model.inference.classifier import Classifier
from model.training.options import TrainingOptions
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.teaching import LabelChange, Settled, Teaching, records, teaching
from worker.contract.teaching import keys as teaching_keys
from worker.contract.training import Trainings, TrainingState
from worker.trainer.taught_keeper import MAX_SETTLED, TaughtKeeper

images = arrays.arrays(np.uint8, (28, 28))
names = st.one_of(st.text(max_size=500), st.binary(max_size=99).map(lambda data: data.decode(errors="surrogateescape")))
times = st.floats(0, 2**33)
changes = st.one_of(
    st.builds(LabelChange.of, images, st.integers(0, 9), names, times),
    st.builds(
        lambda looks_like, *parts: replace(LabelChange.of(*parts), looks_like=looks_like),
        *(st.integers(0, 9), images, st.integers(0, 9), names, times),
    ),
    st.builds(LabelChange, st.binary(min_size=32, max_size=32).map(bytes.hex), st.none(), names, times),
)


@given(changes)
def test_a_label_change_comes_back_as_it_was_sent(change):
    """Its pixels, its label or None, and its name are the same. The name may be of any kind."""
    back = LabelChange.from_wire(change.sha256, change.to_wire())
    assert (back.sha256, back.label, back.name, back.when) == (change.sha256, change.label, change.name, change.when)
    assert ((back.image is None), back.looks_like) == ((change.image is None), change.looks_like)
    if change.image is not None:
        np.testing.assert_array_equal(back.image, change.image)


def read(sha256, data):
    """Read data as a label change. It raises only `WireError`, or returns a valid change of the image with that key."""
    with contextlib.suppress(WireError):
        change = LabelChange.from_wire(sha256, data)
        assert change.label is None or 0 <= change.label <= 9
        assert change.looks_like is None or 0 <= change.looks_like <= 9
        assert change.image is None or fingerprint(change.image) == sha256


@given(st.binary(), st.text(max_size=70))
def test_arbitrary_bytes_raise_nothing_but_wire_errors(data, sha256):
    """A reader survives whatever lies in Redis, under whatever key."""
    read(sha256, data)
    read("0" * 64, b"7" + data)


@given(changes, st.data())
@settings(max_examples=100)
def test_a_record_with_a_wrong_byte_is_damaged_or_another_right_one(change, data):
    """With one altered byte or a missing end, it never has the pixels of another image."""
    record = change.to_wire()
    position = data.draw(st.integers(0, len(record) - 1))
    read(change.sha256, record[:position])
    read(change.sha256, record[:position] + bytes([data.draw(st.integers(0, 255))]) + record[position + 1 :])


def test_a_record_of_another_version_is_told_from_damage():
    """A newer client may have sent it to an older trainer."""
    change = LabelChange.of(np.eye(28, dtype=np.uint8), 3, "a", 1.0)
    body = {**msgpack.unpackb(change.to_wire()[1:]), "v": records.VERSION + 1}
    with pytest.raises(UnknownFormat, match="same version of digitmill everywhere"):
        LabelChange.from_wire(change.sha256, b"3" + msgpack.packb(body))


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 63, "A" * 64, ""])
def test_a_key_that_is_not_a_sha256_is_refused(name):
    """Such a key could lead out of the folder, so the record is refused."""
    with pytest.raises(WireError):
        LabelChange.from_wire(name, LabelChange("0" * 64, None, "", 1.0).to_wire())


@pytest.fixture
def taught(client):
    """Inbox and account. Nothing is taught yet."""
    return Teaching(client)


@pytest.fixture
def folder(tmp_path):
    """The trainer's folder of taught images. It does not exist yet."""
    return TaughtFolder(tmp_path / "taught")


@pytest.fixture
def keeper(taught, tmp_path):
    """A trainer's keeper of `folder`."""
    return TaughtKeeper(taught, tmp_path)


@pytest.fixture
def change(digits):
    """Make the change that teaches the digit at an index, under its own label or another one."""

    def make(index, label=None, *, when=1.0):
        label = int(digits.labels[index]) if label is None else label
        return LabelChange.of(digits.images[index], label, f"{index}.png", when)

    return make


def listed(folder):
    """Return the label of each image in a folder, by SHA-256."""
    return {each.sha256: each.label for each in folder.list()}


def test_what_is_sent_is_kept_and_accounted_for(taught, keeper, folder, change, digits):
    """Changes wait until a keeper runs. Then the folder, the account and the list of names have the images."""
    some = [change(index) for index in range(5)]
    assert taught.send(some) == [None] * 5
    assert (taught.waiting(), taught.labels()) == (5, {})
    assert not keeper.keep()
    assert taught.waiting() == 0
    assert taught.labels() == listed(folder) == {each.sha256: each.label for each in some}
    kept, waiting, _ = taught.label_changes()
    assert ({each.name for each in kept}, waiting) == ({f"{index}.png" for index in range(5)}, [])
    train, held = folder.load()
    assert {image.tobytes() for part in (train, held) for image in part.images} == {
        image.tobytes() for image in digits.images[:5]
    }


def test_sending_again_changes_nothing(taught, keeper, change):
    """It changes nothing while the first change waits or after it is kept. A repeated change gets the same reply."""
    assert taught.send([change(0)]) == taught.send([change(0)]) == [None]
    assert taught.send([change(0, when=2.0)]) == [change(0).label]
    keeper.keep()
    assert taught.send([change(0, when=3.0)]) == [change(0).label]
    assert taught.waiting() == 0
    assert taught.changes() == 1


def test_the_last_label_counts(taught, keeper, folder, change):
    """An image may be corrected while it waits or after it is kept, removed, and taught again."""
    taught.send([change(0, 3)])
    assert taught.send([change(0, 5)]) == [3]
    keeper.keep()
    sha256 = change(0).sha256
    assert listed(folder) == taught.labels() == {sha256: 5}
    assert taught.send([change(0, 8)]) == [5]
    assert taught.send([LabelChange(sha256, None, "", 2.0)]) == [8]
    assert taught.send([change(0, 9)]) == [None]
    keeper.keep()
    assert listed(folder) == taught.labels() == {sha256: 9}
    assert taught.send([LabelChange(sha256, None, "", 3.0)]) == [9]
    keeper.keep()
    assert listed(folder) == taught.labels() == {}
    assert taught.find(sha256[:6]) == []


def test_what_changes_while_it_is_settled_waits_on(taught, keeper, folder, change):
    """The trainer has written the former label, so it removes only that change from the inbox."""
    first, second = change(0, 3), change(0, 5)
    taught.send([first])
    folder.store(first.image, 3)
    taught.send([second])
    taught.settle([Settled(first.sha256, first.to_wire(), first)])
    assert (taught.waiting(), taught.labels()) == (1, {first.sha256: 3})
    keeper.keep()
    assert (taught.waiting(), taught.labels()) == (0, {first.sha256: 5})
    assert listed(folder) == {first.sha256: 5}


def test_a_keeper_that_died_after_writing_is_repeated_harmlessly(taught, tmp_path, keeper, folder, change):
    """The file exists, but Redis does not know. The next keeper reports it, and the image counts once."""
    taught.send([change(0), change(1)])
    folder.store(change(0).image, change(0).label)
    keeper.keep()
    TaughtKeeper(taught, tmp_path).keep()
    assert listed(folder) == taught.labels() == {each.sha256: each.label for each in (change(0), change(1))}
    assert (taught.changes(), taught.waiting()) == (2, 0)


def held(taught):
    """Return the label of each image that is held back, and the digit that it looks like, by SHA-256."""
    return {each.sha256: (each.label, each.looks_like) for each in taught.label_changes().held}


def test_what_is_held_back_is_listed_with_its_picture_and_no_training_uses_it(taught, keeper, folder, change, digits):
    """It is not a change for a training. It survives the loss of Redis and counts as taught only when confirmed."""
    suspicious = replace(change(0, 3), looks_like=7)
    taught.send([suspicious, change(1)])
    keeper.keep()
    assert held(taught) == {suspicious.sha256: (3, 7)}
    np.testing.assert_array_equal(taught.label_changes().held[0].image, digits.images[0])
    assert sum(map(len, folder.load())) == 1
    assert (taught.summary().images, taught.summary().held, taught.new_since_last_training()) == (1, 1, 1)
    taught._redis.flushall()
    keeper._accounted = None  # as for a trainer that has just started
    keeper.keep()
    assert held(taught) == {suspicious.sha256: (3, 7)}

    assert taught.send([LabelChange(suspicious.sha256, 3, "", 2.0)]) == [3]
    keeper.keep()
    assert (held(taught), listed(folder)) == ({}, taught.labels())
    assert taught.labels()[suspicious.sha256] == 3
    assert taught.changes() == 2
    taught.send([replace(suspicious, when=3.0)])
    keeper.keep()
    assert held(taught) == {}, "a confirmed label is not doubted again"


def test_what_is_held_back_is_removed_corrected_or_moved_by_hand(taught, keeper, folder, change):
    """Each of these ends it. A confirmation with a label that it does not have does nothing."""
    suspicious = [replace(change(index, 3), looks_like=7) for index in range(4)]
    taught.send(suspicious)
    keeper.keep()
    taught.send([LabelChange(suspicious[0].sha256, None, "", 2.0), change(1, 7, when=2.0)])
    taught.send([LabelChange(suspicious[2].sha256, 4, "", 2.0)])
    keeper.keep()
    assert held(taught) == {each.sha256: (3, 7) for each in suspicious[2:]}
    for each in folder.held_back():
        each.path.rename(folder.folder / "7" / each.path.name)
    keeper.keep()
    assert held(taught) == {}
    assert taught.labels() == listed(folder) == {each.sha256: 7 for each in suspicious[1:]}


def test_what_was_taught_is_held_back_before_it_is_used_unless_it_was_confirmed(taught, keeper, digits):
    """No worker may have run when it was taught. Ones taught as sevens are held back. Other digits stay."""
    ones = np.flatnonzero(digits.labels == 1)[:30]
    wrong = [LabelChange.of(digits.images[index], 7, "", 1.0) for index in ones]
    right = [LabelChange.of(digits.images[index], int(digits.labels[index]), "", 1.0) for index in range(30)]
    taught.send([*wrong, *(each for each in right if each.label != 1)])
    while keeper.keep():
        pass
    before = taught.changes()

    def read(images):
        return Classifier.baseline().classify(images), []

    assert keeper.hold_back(read) > 20
    keeper.keep()
    found = held(taught)
    assert set(found.values()) == {(7, 1)}
    assert found.keys() <= {each.sha256 for each in wrong}
    assert taught.changes() == before, "nothing new for a training"
    taught.send([LabelChange(sha256, 7, "", 2.0) for sha256 in found])
    keeper.keep()
    assert (keeper.hold_back(read), held(taught)) == (0, {})
    assert taught.changes() == before + len(found)


def test_what_is_done_to_the_folder_by_hand_is_accounted_for(taught, keeper, folder, change, tmp_path):
    """Removing a file, moving it to another label and adding one each count as a change for the next training."""
    taught.send([change(index) for index in range(4)])
    keeper.keep()
    paths = {each.sha256: each.path for each in folder.list()}
    paths[change(0).sha256].unlink()
    wrong = (change(1).label + 1) % 10
    (folder.folder / str(wrong)).mkdir(exist_ok=True)
    paths[change(1).sha256].rename(folder.folder / str(wrong) / paths[change(1).sha256].name)
    TaughtFolder(folder.folder).store(change(4).image, 6, "by hand")
    keeper.keep()
    assert taught.labels() == listed(folder)
    assert taught.labels()[change(1).sha256] == wrong
    assert change(0).sha256 not in taught.labels()
    assert taught.new_since_last_training() == taught.changes() == 4 + 3
    keeper.keep()
    TaughtKeeper(taught, tmp_path).keep()
    assert taught.changes() == 7


def test_the_account_is_made_anew_after_redis_was_lost(taught, client, keeper, folder, change, tmp_path):
    """The folder holds everything, even the names."""
    taught.send([change(0), change(1)])
    keeper.keep()
    client.flushall()
    TaughtKeeper(taught, tmp_path).keep()
    kept = taught.label_changes().kept
    assert {each.name for each in kept} == {"0.png", "1.png"}
    assert taught.labels() == listed(folder)


def test_nothing_counts_as_known_while_there_is_no_keeper(taught, keeper, folder, change):
    """A user may have emptied the folder since the trainer ended, so every change is sent then."""
    taught.send([change(0)])
    keeper.keep()
    keeper.release()
    folder.remove(change(0).sha256)
    taught.send([change(0, when=2.0)])
    keeper.keep()
    assert listed(folder) == taught.labels() == {change(0).sha256: change(0).label}


def test_all_that_waits_is_settled_in_steps(taught, keeper, folder, change, digits):
    """After each step the trainer can send its heartbeat."""
    count = MAX_SETTLED + 10
    taught.send([change(index) for index in range(count)])
    assert keeper.keep()
    assert taught.waiting() == 10
    assert not keeper.keep()
    assert len(listed(folder)) == len({image.tobytes() for image in digits.images[:count]})


def test_the_inbox_is_bounded(taught, keeper, change, monkeypatch):
    """A call sends everything or nothing. Known changes pass. Settling makes room."""
    monkeypatch.setattr(teaching, "MAX_WAITING", 3)
    assert taught.send([change(0), change(1)]) == [None, None]
    assert taught.send([change(2), change(3)]) is None
    assert taught.waiting() == 2
    assert taught.send([change(0), change(1)]) == [None, None]
    keeper.keep()
    assert taught.send([change(2), change(3)]) == [None, None]


def test_what_is_kept_is_bounded(taught, keeper, change, monkeypatch):
    """More images are refused with the remedy. Those that are kept can still be corrected and removed."""
    monkeypatch.setattr(teaching, "MAX_TAUGHT", 2)
    taught.send([change(0), change(1)])
    keeper.keep()
    with pytest.raises(UsageError, match="Remove some"):
        taught.send([change(2)])
    assert taught.send([change(0, (change(0).label + 1) % 10)]) == [change(0).label]
    taught.send([LabelChange(change(1).sha256, None, "", 2.0)])
    keeper.keep()
    assert taught.send([change(2)]) == [None]


def test_damage_harms_no_neighbour_and_a_newer_format_waits(taught, client, keeper, folder, change, caplog):
    """A damaged record is dropped and logged. A newer one waits for a trainer that can read it."""
    newer = b"3" + msgpack.packb({"v": records.VERSION + 1})
    client.hset(teaching_keys.INBOX, mapping={"../x": b"7?", "0" * 64: b"nonsense", "1" * 64: newer})
    taught.send([change(0)])
    with caplog.at_level(logging.ERROR):
        keeper.keep()
        keeper.keep()
    assert listed(folder) == {change(0).sha256: change(0).label}
    assert client.hkeys(teaching_keys.INBOX) == [b"1" * 64]
    assert len([each for each in caplog.records if each.message.startswith(("passed over", "deleted ../x"))]) == 2
    assert len([each for each in caplog.records if "format" in each.message]) == 1


def test_one_folder_keeps_what_is_taught(taught, keeper, folder, change, tmp_path, caplog):
    """A trainer with another folder takes nothing and logs why, until the first trainer has ended."""
    taught.send([change(0)])
    keeper.keep()
    other = TaughtKeeper(taught, tmp_path / "other")
    taught.send([change(1)])
    assert not other.keep()
    assert "share one data folder" in caplog.text
    assert (taught.waiting(), other.changes(), keeper.changes()) == (1, 0, 1)
    assert not TaughtKeeper(taught, tmp_path).keep(), "the same folder"
    assert len(listed(folder)) == 2
    keeper.release()
    taught.send([change(2)])
    other.keep()
    assert listed(TaughtFolder(tmp_path / "other" / "taught")) == taught.labels() == {change(2).sha256: change(2).label}


def test_a_folder_that_cannot_be_written_loses_nothing(taught, keeper, change, tmp_path):
    """The error names the folder, and the change waits."""
    (tmp_path / "taught").write_text("in the way")
    taught.send([change(0)])
    with pytest.raises(UsageError, match=f"Cannot keep what is taught in {tmp_path}"):
        keeper.keep()
    assert taught.waiting() == 1
    (tmp_path / "taught").unlink()
    keeper.keep()
    assert taught.waiting() == 0


def test_a_full_redis_refuses_what_is_sent_and_lets_it_be_settled(taught, client, keeper, folder, change):
    """A full Redis refuses a new change, but the keeper can still settle those that wait."""
    taught.send([change(0)])
    client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        taught.send([change(1)])
    keeper.keep()
    assert (taught.waiting(), len(listed(folder))) == (0, 1)


@pytest.mark.parametrize(
    ("state", "new"),
    [
        (TrainingState.DONE, 1),
        (TrainingState.REFUSED, 1),
        (TrainingState.FAILED, 4),
        (TrainingState.CANCELLED, 4),
    ],
)
def test_what_a_training_saw_is_not_new_any_more_if_it_made_a_model(taught, client, keeper, change, state, new):
    """Later changes are new. After a failed or cancelled training, all are. Waiting changes count from the start."""
    assert taught.new_since_last_training() == 0
    taught.send([change(0), change(1), change(2)])
    assert taught.new_since_last_training() == 3
    keeper.keep()
    assert taught.new_since_last_training() == 3
    trainings = Trainings(client)
    trainings.ask("a", TrainingOptions(), who="test")
    claim = trainings.claim(holder="one", lease_seconds=30)
    assert claim
    trainings.renew(claim, lease_seconds=30, changes=keeper.changes())
    taught.send([LabelChange(change(0).sha256, None, "", 2.0)])
    keeper.keep()
    assert taught.new_since_last_training() == 4
    trainings.finish(claim, state)
    assert taught.new_since_last_training() == new
    summary = taught.summary()
    assert (summary.images, summary.waiting, summary.new) == (2, 0, new)


steps = st.one_of(
    st.tuples(st.just("teach"), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("remove"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["keep", "die", "leave", "edit"])),
)


@given(st.lists(steps, max_size=14))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_label_of_each_image_counts_whatever_happens(taught, client, change, tmp_path_factory, course):
    """Hypothesis teaches, corrects and removes images, kills and stops keepers, and edits the folder by hand."""
    client.flushall()
    data = tmp_path_factory.mktemp("data")
    keeper, folder, expected = TaughtKeeper(taught, data), TaughtFolder(data / "taught"), {}
    for number, (what, *arguments) in enumerate(course):
        match what:
            case "teach":
                index, label = arguments
                taught.send([change(index, label, when=float(number))])
                expected[change(index).sha256] = label
            case "remove":
                sha256 = change(arguments[0]).sha256
                taught.send([LabelChange(sha256, None, "", float(number))])
                expected.pop(sha256, None)
            case "keep":
                keeper.keep()
            case "die":
                list(keeper._settled())
                keeper = TaughtKeeper(taught, data)
            case "leave":
                keeper.release()
            case "edit" if not taught.waiting() and folder.list():
                expected.pop(folder.list()[0].sha256)
                folder.list()[0].path.unlink()
                keeper.keep()
    keeper.keep()
    TaughtKeeper(taught, data).keep()
    assert listed(folder) == taught.labels() == expected
    assert taught.waiting() == 0


def test_the_folder_of_a_dead_trainer_is_replaced_when_the_clock_goes_back(taught, client):
    """Its lease would last for an hour, and no keeper asks for so much."""
    assert taught.claim_keeper("dead")
    assert not taught.claim_keeper("other")
    client.pexpire(teaching_keys.KEEPER, 3_600_000)
    assert taught.claim_keeper("other")
    client.persist(teaching_keys.KEEPER)
    assert taught.claim_keeper("third"), "somebody else wrote a keeper without an end"


def test_the_account_mends_what_others_wrote_into_it(taught, client, keeper, change):
    """The folder is the truth. Damaged records, strange keys and counts are replaced by what it says."""
    taught.send([change(0)])
    keeper.keep()
    sha256 = change(0).sha256
    client.hset(teaching_keys.TAUGHT, mapping={sha256: "nonsense", "0" * 64: b"\xff", "../x": b"7", b"\xff\xfe": b"7"})
    client.set(teaching_keys.CHANGES, "nonsense")
    keeper._accounted = None  # as for a trainer that has just started
    keeper.keep()
    assert client.hkeys(teaching_keys.TAUGHT) == [sha256.encode()]
    assert taught.labels() == {sha256: change(0).label}
    assert taught.changes() > 0
