"""Facts about formats: this version reads whatever a released version wrote, and damage raises only expected errors."""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.cards.card import BASELINE, Card, Epoch, Score
from model.cards.decision import Decision, ModelAssessment
from model.data.taught import TaughtFolder, fingerprint
from model.errors import DataError, DigitmillError, Failure, FailureCode, ModelError, UsageError
from model.training.assignment import ASSIGNMENT, TrainingAssignment
from model.training.checkpoint import Checkpoint
from model.training.options import TrainingOptions
from producer.jobs.kept.journal import Journal, read_journal
from producer.mill.stack import Stack
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.errors import WireError
from worker.contract.ledger import JobRecord, JobState, JobStatus, Part, WorkerStatus
from worker.contract.queues import CLASSIFY_QUEUE, TRAIN_QUEUE
from worker.contract.registry import Alias, Aliases, Canary, LiveChange, Registry, ServiceCounts
from worker.contract.registry import keys as registry_keys
from worker.contract.teaching import LabelChange
from worker.contract.training import ScheduleStatus, TrainingState, TrainingStatus
from worker.contract.training.records import options_from_json, options_to_json
from worker.contract.wire import Batch, Manifest, Result

OLD = Path(__file__).parent / "fixtures" / "0.1.0"
WITH_NUMBERS = Path(__file__).parent / "fixtures" / "0.3.0"
NOT_UTF8 = b"caf\xe9.png".decode("utf-8", "surrogateescape")
VERSION = "baseline-d522abd4"
BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on this image.")


def old(name: str) -> bytes:
    """Return the content of a file that version 0.1.0 wrote."""
    return (OLD / name).read_bytes()


def old_hash(name: str) -> dict[bytes, bytes]:
    """Return a hash as version 0.1.0 kept it in Redis."""
    return as_hash(old(name))


def as_hash(text: bytes) -> dict[bytes, bytes]:
    """Return the hash that a file describes."""
    return {field.encode(): str(value).encode("utf-8", "replace") for field, value in json.loads(text).items()}


def diagonal(value: int) -> Any:
    """Return an image, uint8 (28, 28), with a diagonal of a given value."""
    return np.diag(np.full(28, value, np.uint8))


# The wire ---------------------------------------------------------------------------------------------------------


def test_raw_batches_are_read() -> None:
    """They have the same pixels, and may ask for probabilities. Written again, they are the same bytes."""
    for name, values, probabilities in (("batch-raw", [1, 2], False), ("batch-probabilities", [1], True)):
        data = old(f"wire/{name}")
        batch = Batch.from_wire(data)
        assert isinstance(batch.images, np.ndarray)
        assert batch.images.dtype == np.uint8
        assert not batch.images.flags.writeable
        np.testing.assert_array_equal(batch.images, [diagonal(value) for value in values])
        assert batch.probabilities is probabilities
        assert batch.to_wire() == data


def test_batches_of_files_are_read() -> None:
    """They have the same files. Written again, they are the same bytes."""
    data = old("wire/batch-files")
    batch = Batch.from_wire(data)
    assert batch.images == (b"\x89PNG first", b"", b"\xff\x00third")
    assert batch.probabilities is False
    assert batch.to_wire() == data


@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("labels", Manifest(("a.png", "b/ü.png", "new\nline.png"), (0, None, 9), {})),
        ("no-labels", Manifest(("1", "2"), (None, None), {})),
        (
            "failures",
            Manifest(
                ("a.png", "empty.png"),
                (3, None),
                {1: Failure(FailureCode.EMPTY, "The file is empty. Submit another.")},
            ),
        ),
        (
            "not-utf8",
            Manifest(
                (NOT_UTF8, "plain.png"),
                (7, 8),
                {0: Failure(FailureCode.UNREADABLE, f"The file {NOT_UTF8} cannot be read.")},
            ),
        ),
    ],
)
def test_manifests_are_read(name: str, manifest: Manifest) -> None:
    """They have the same names, labels and failures. Written again, they are the same bytes."""
    data = old(f"wire/manifest-{name}")
    assert Manifest.from_wire(data) == manifest
    assert manifest.to_wire() == data


@pytest.mark.parametrize(
    ("name", "model", "worker", "count", "failures"),
    [
        ("result", VERSION, "host-1", 3, {}),
        ("result-probabilities", VERSION, "host-1", 3, {}),
        ("result-failures", VERSION, "host-2", 3, {1: Failure(FailureCode.BLANK, "The image is blank.")}),
        (
            "result-unknown-code",
            "later-00000000",
            "host-3",
            1,
            {0: Failure(FailureCode.INTERNAL, "The image has melted.")},
        ),
    ],
)
def test_results_are_read(name: str, model: str, worker: str, count: int, failures: dict[int, Failure]) -> None:
    """Written again, they are the same bytes, unless this version does not know a failure code."""
    data = old(f"wire/{name}")
    result = Result.from_wire(data)
    assert (result.model, result.worker, result.failures) == (model, worker, failures)
    assert result.digits.dtype == np.uint8
    assert result.confidences.dtype == np.float32
    assert result.digits.tolist() == [7, 2, 1][:count]
    assert result.confidences.tolist() == [0.5, 0.25, 1.0][:count]
    if name == "result-probabilities":
        expected = np.zeros((3, 10), np.float32)
        expected[[0, 1, 2], [7, 2, 1]] = [0.5, 0.25, 1.0]
        assert result.probabilities is not None
        np.testing.assert_array_equal(result.probabilities, expected)
    else:
        assert result.probabilities is None
    if name != "result-unknown-code":
        assert result.to_wire() == data


def test_what_travels_for_numbers_is_read() -> None:
    """From 0.3.0 on, a job may read several digits in an image. Written again, the records are the same bytes."""
    batch, manifest, result = (
        kind.from_wire((WITH_NUMBERS / "wire" / name).read_bytes())
        for kind, name in ((Batch, "batch-several"), (Manifest, "manifest-numbers"), (Result, "result-numbers"))
    )
    assert isinstance(batch, Batch)
    assert (batch.images, batch.several) == ((b"\x89PNG first", b"second"), True)
    assert manifest == Manifest(("a.png", "b.png", "c.png"), ("042", None, "7"), {1: BLANK})
    assert isinstance(result, Result)
    assert result.counts is not None
    assert (len(result), result.counts.tolist(), result.digits.tolist()) == (3, [3, 0, 1], [0, 4, 2, 7])
    assert result.confidences.tolist() == [0.5, 0.25, 1.0, 0.75]
    assert (result.model, result.worker, result.failures) == (VERSION, "host-1", {1: BLANK})
    for record, name in ((batch, "batch-several"), (manifest, "manifest-numbers"), (result, "result-numbers")):
        assert record.to_wire() == (WITH_NUMBERS / "wire" / name).read_bytes()


# The journal ------------------------------------------------------------------------------------------------------


def test_journals_are_read() -> None:
    """It has several batches in the order of arrival, one of them split, with names and failures of all kinds."""
    second, first, third = read_journal(OLD / "journal" / "whole.journal").values()
    assert [batch.sequence for batch in (second, first, third)] == [1, 0, 2]
    assert all(batch.complete for batch in (second, first, third))
    assert second.manifest == Manifest(("c", "d"), (3, None), {})
    assert first.manifest == Manifest(("a", NOT_UTF8, "b"), (1, None, 2), {1: Failure(FailureCode.EMPTY, "Empty.")})
    assert third.manifest == Manifest(("e", "f", "g", "h"), (None, 5, 6, 7), {})
    results = [*second.results, *first.results, *third.results]
    assert [result.digits.tolist() for result in results] == [[3, 4], [1, 2], [0, 5], [6], [0]]
    for result in results:
        assert result.confidences.tolist() == [digit / 16 for digit in result.digits.tolist()]
    assert [result.model for result in results] == [VERSION, VERSION, VERSION, "mnist-00c0ffee", VERSION]
    assert [result.worker for result in results] == ["host-1", "host-1", "host-1", "host-2", "host-1"]
    assert [result.failures for result in results] == [
        *[{}] * 4,
        {0: Failure(FailureCode.INTERNAL, "It failed twice.")},
    ]
    assert [result.probabilities is None for result in results] == [True, False, True, True, True]
    np.testing.assert_array_equal(results[1].probabilities, np.full((2, 10), 0.125))


def test_a_torn_journal_goes_on(tmp_path: Path) -> None:
    """An incomplete last record is cut off. The complete records before it stay as they are."""
    path = tmp_path / "251125-101112-abc.journal"
    path.write_bytes(old("journal/torn.journal"))
    with Journal(path) as journal:
        assert set(journal.batches) == {0, 1, 2}
    assert path.read_bytes() == old("journal/whole.journal")


# Cards and the gate -----------------------------------------------------------------------------------------------


def test_the_card_of_the_baseline_is_read() -> None:
    """Every part of it has its type. Written again, it is the same bytes."""
    text = old("cards/baseline.json")
    card = Card.loads(text)
    assert card.dumps().encode() == text
    assert (card.version, card.created, card.parent) == (VERSION, "2026-11-23T12:58:20+00:00", None)
    assert dataclasses.asdict(card.data) == {
        "name": "mnist",
        "sha256": "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
        "train": 55051,
        "validation": 4949,
        "test": 10000,
    }
    assert (card.seed, len(card.epochs), card.recipe["augmentation"]["shear"]) == (1, 50, 0.25)
    assert card.epochs[0].augmentation == 2.2777880969999966
    assert card.test.int8.total == 10000
    assert card.robustness is not None
    assert isinstance(next(iter(card.robustness.network.values())), Score)
    assert card.reliability is not None
    assert len(card.reliability) == 15
    assert card.size is not None
    assert card.size.parameters == 225_034
    assert not card.refined


def test_a_card_without_the_later_fields_is_read() -> None:
    """What it does not state is None or empty. The rest is unchanged."""
    card, whole = Card.loads(old("cards/minimal.json")), Card.loads(old("cards/baseline.json"))
    later = ("reliability", "robustness", "size", "training_seconds", "intended_use", "doubts", "seeds", "not_for")
    assert [getattr(card, name) for name in later] == [None] * 5 + [[]] * 3
    assert card.epochs == [dataclasses.replace(epoch, augmentation=None) for epoch in whole.epochs[:2]]
    for name in ("version", "data", "recipe", "validation", "test", "agreement", "per_class", "confusion", "files"):
        assert getattr(card, name) == getattr(whole, name)


def test_a_refined_card_is_read() -> None:
    """It states that the model was refined, and from which version."""
    text = old("cards/refined.json")
    card = Card.loads(text)
    assert (card.version, card.parent, card.training_seconds) == ("refined-d522abd4", VERSION, 41)
    assert card.refined
    assert (card.recipe["refines"], card.seeds, card.doubts, len(card.epochs)) == (True, [], [], 2)
    assert json.loads(card.dumps()) == json.loads(text)


@pytest.mark.parametrize("taught", [False, True])
def test_decisions_are_read(taught: bool) -> None:
    """They may have held-out taught images, or not. Written again, they are the same bytes."""
    content = old(f"gate/{'taught' if taught else 'no-taught'}.json")
    decision = Decision.loads(content)
    assert decision == Decision(
        passed=not taught,
        reason="Refused: worse on what was taught." if taught else "Passed: more accurate.",
        candidate=ModelAssessment(
            "mnist-00c0ffee",
            Score.of(4940, 4949),
            Score.of(3, 4) if taught else None,
            [0.99] * 10,
            233000,
            51234.5,
        ),
        live=ModelAssessment(
            VERSION, Score.of(4930, 4949), Score.of(4, 4) if taught else None, [0.98] * 10, 233000, 5e4
        ),
        agreement=Score.of(4940, 4949),
    )
    assert decision.dumps() == content


# Trainings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "assignment"),
    [
        (
            "order",
            TrainingAssignment(
                TrainingOptions(quick=True),
                None,
                "/home/me/.cache/digitmill",
                offline=False,
                taught="/data/taught",
                threads=2,
            ),
        ),
        (
            "order-samples",
            TrainingAssignment(
                TrainingOptions("samples", epochs=3, seed=7),
                "/mnist",
                "/home/me/.cache/digitmill",
                offline=True,
                taught="/data/taught",
                threads=2,
            ),
        ),
    ],
)
def test_assignments_are_read(tmp_path: Path, name: str, assignment: TrainingAssignment) -> None:
    """Written again, they have the same keys and values."""
    text = old(f"training/{name}.json")
    (tmp_path / ASSIGNMENT).write_bytes(text)
    assert TrainingAssignment.read(tmp_path) == assignment
    assignment.write(tmp_path)
    assert json.loads((tmp_path / ASSIGNMENT).read_bytes()) == json.loads(text)


def test_checkpoints_are_read() -> None:
    """They have the same epochs and arrays. A checkpoint of another training is ignored."""
    path = OLD / "training" / "checkpoint.safetensors"
    found = Checkpoint(path, "a training").load()
    assert found is not None
    epochs, arrays = found
    assert epochs == [
        Epoch(1, 0.5, 0.75, 0.25, 0.875, 12.5, 2.0),
        Epoch(2, 0.25, 0.875, 0.125, 0.9375, 12.0, None),
    ]
    assert [array.tolist() for array in arrays] == [[0, 1, 2, 3], 7]
    assert Checkpoint(path, "another training").load() is None


@pytest.mark.parametrize(
    ("name", "options"),
    [("options", TrainingOptions()), ("options-samples", TrainingOptions("samples", quick=True, epochs=3, seed=7))],
)
def test_training_options_are_read(name: str, options: TrainingOptions) -> None:
    """Written again they are the same bytes."""
    text = old(f"training/{name}.json")
    assert options_from_json(text) == options
    assert options_to_json(options).encode() == text


def test_records_of_trainings_are_read() -> None:
    """Trainings that wait, run and are done have every field."""
    identifier = "251125-1200-cron"
    asked = TrainingStatus.from_hash(identifier, old_hash("training/asked.json"), held=False)
    assert asdict(asked) == {
        "identifier": identifier,
        "options": asdict(TrainingOptions(quick=True)),
        "state": TrainingState.ASKED,
        "held": False,
        "asked": 1795620520.609,
        "begun": None,
        "ended": None,
        "attempts": 0,
        "holder": "",
        "stage": "",
        "epoch": 0,
        "epochs": 0,
        "accuracy": 0.0,
        "seconds_left": None,
        "version": "",
        "reason": "",
    }
    running = TrainingStatus.from_hash(identifier, old_hash("training/running.json"), held=True)
    assert asdict(running) == asdict(asked) | {
        "state": TrainingState.RUNNING,
        "held": True,
        "begun": 1795620520.61,
        "attempts": 1,
        "holder": "trainer-1",
        "stage": "network",
        "epoch": 3,
        "epochs": 5,
        "accuracy": 0.987,
        "seconds_left": 61.5,
    }
    done = TrainingStatus.from_hash(identifier, old_hash("training/done.json"), held=True)
    assert asdict(done) == asdict(running) | {
        "state": TrainingState.DONE,
        "held": False,
        "ended": 1795620520.612,
        "version": "mnist-00c0ffee",
        "reason": "Passed: more accurate.",
    }


def test_the_schedule_is_read() -> None:
    """It has its cron, its next firing, and the outcome of the last one."""
    assert ScheduleStatus.from_hash(old_hash("training/schedule.json"), ["scheduler-1"]) == ScheduleStatus(
        schedulers=["scheduler-1"],
        cron="0 3 * * *",
        next=1764039600.0,
        handled=1795620520.6153743,
        outcome="training 251125-1200-cron is asked for",
    )


# Teaching ---------------------------------------------------------------------------------------------------------


def test_teaching_records_are_read() -> None:
    """A label, a removal and a line of the account have every field. Written again, they are the same bytes."""
    sha256 = old("teaching/sha256").decode()
    assert sha256 == fingerprint(diagonal(1))
    label, removal, account = (old(f"teaching/{name}") for name in ("label", "removal", "account"))
    taught = LabelChange.from_wire(sha256, label)
    assert (taught.sha256, taught.label, taught.name, taught.when) == (sha256, 4, NOT_UTF8, 1764000000.5)
    np.testing.assert_array_equal(taught.image, diagonal(1))
    removed = LabelChange.from_wire(sha256, removal)
    assert (removed.label, removed.name, removed.when, removed.image) == (None, "4.png", 1764000001.0, None)
    listed = LabelChange.from_wire(sha256, account)
    assert (listed.label, listed.name, listed.when, listed.image) == (4, NOT_UTF8, 1764000000.5, None)
    assert [change.to_wire() for change in (taught, removed, listed)] == [label, removal, account]


def test_the_folder_of_taught_images_is_read() -> None:
    """Its image has the same label, name and pixels."""
    folder = TaughtFolder(OLD / "taught")
    [taught] = folder.list()
    assert (taught.label, taught.sha256, taught.name()) == (4, fingerprint(diagonal(1)), "caf\\udce9.png")
    images = [image for part in folder.load() for image in part.images]
    np.testing.assert_array_equal(images, [diagonal(1)])


# The ledger and the registry --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "record"),
    [
        (
            "attached",
            JobRecord(
                "scans/",
                VERSION,
                "host-4711",
                {"labels": "folder", "probabilities": False, "batch": None, "limit": 12},
                "/home/me/.local/share/digitmill/jobs",
            ),
        ),
        ("detached", JobRecord("mnist", "live", "host-4711", {}, "")),
        ("not-utf8", JobRecord(NOT_UTF8, VERSION, "host-4711", {"paths": [NOT_UTF8]}, "/journal")),
    ],
)
def test_job_records_are_read(name: str, record: JobRecord) -> None:
    """Written again they are the same bytes."""
    text = old(f"ledger/record-{name}.json")
    assert JobRecord.from_json(text) == record
    assert record.to_json().encode() == text


def test_jobs_and_workers_are_read() -> None:
    """A job has every counter, and a worker has every field that it reports."""
    assert JobStatus.from_hash("251125-101112-abc", old_hash("ledger/job.json"), created=7.0) == JobStatus(
        identifier="251125-101112-abc",
        record=JobRecord("scans/", VERSION, "host-4711", {"labels": "folder"}, "/journal"),
        state=JobState.SUBMITTING,
        created=7.0,
        ended=None,
        images=6,
        answered=4,
        failed=2,
        open=1,
        unacknowledged=1,
        problem="A worker failed.",
        batches=2,
    )
    assert WorkerStatus.from_hash("host-1", old_hash("ledger/worker.json")) == WorkerStatus(
        name="host-1",
        ready=True,
        model=VERSION,
        model_fault="",
        images=2,
        started=1764000000.25,
        seen=1795620520.587,
        process=4711,
        startup_seconds=0.75,
    )


def test_the_registry_is_read(server: Stack) -> None:
    """It has the aliases, the canary, the counts of answers and the history of changes."""
    client: Any = connect(server.url)
    client.flushall()
    client.hset(registry_keys.ALIASES, mapping=old_hash("registry/aliases.json"))
    client.hset(registry_keys.service_counts("first"), mapping=old_hash("registry/tally.json"))
    client.rpush(registry_keys.MOVES, *json.loads(old("registry/moves.json")))
    registry = Registry(client)
    baseline = Card.read(BASELINE).version
    assert registry.aliases() == Aliases("first-d522abd4", baseline, "second-d522abd4")
    assert registry.aliases().of("first-d522abd4") == [Alias.LIVE]
    assert registry.canary() == Canary("first-d522abd4", baseline)
    assert registry.service_counts("first") == ServiceCounts(
        images=2000,
        errors=1,
        review=30,
        confidence=1990000,
        shadowed=500,
        disagreed=4,
        review_here=8,
        review_before=9,
    )
    assert registry.history() == [
        LiveChange(1795620520.733, "promote", "first-d522abd4", VERSION, "me@host", "„wirklich“ better"),
        LiveChange(1795620520.702, "rollback", VERSION, "first-d522abd4", "me@host", "worse"),
        LiveChange(1795620520.7, "promote", "first-d522abd4", VERSION, "me@host", "better"),
    ]


@pytest.mark.parametrize(("name", "queue"), [("part", CLASSIFY_QUEUE), ("training", TRAIN_QUEUE)])
def test_doorbells_are_as_they_were(server: Stack, name: str, queue: str) -> None:
    """Old workers understand new clients and the other way round: only the identifiers of messages differ."""
    client: Any = connect(server.url)
    client.delete(queue)
    doorbell = Doorbell(connect(server.url))
    part = Part("251125-101112-abc", 0, 0, 2)
    assert doorbell.ring(part) if name == "part" else doorbell.ring_trainer()
    [message] = client.lrange(queue, 0, -1)
    client.delete(queue)
    assert stable(message) == stable(old(f"doorbell/{name}.json"))


def stable(message: bytes) -> dict[str, Any]:
    """Return a message without the fields that differ between messages."""
    whole: dict[str, Any] = json.loads(message)
    for name in ("id", "root_id", "origin"):
        del whole["headers"][name]
    for name in ("correlation_id", "reply_to", "delivery_tag"):
        whole["properties"].pop(name, None)
    return whole


# Damage -----------------------------------------------------------------------------------------------------------

SHA256 = (OLD / "teaching" / "sha256").read_text()


def read_assignment(data: bytes, folder: Path) -> None:
    """Read a file as an assignment."""
    (folder / ASSIGNMENT).write_bytes(data)
    TrainingAssignment.read(folder)


def read_as_journal(data: bytes, folder: Path) -> None:
    """Read a file as a journal."""
    path = folder / "journal"
    path.write_bytes(data)
    read_journal(path)


def of_hash(read: Callable[[dict[bytes, bytes]], object]) -> Callable[[bytes, Path], object]:
    """Turn a reader of hashes into one of files. A file that is not JSON any more becomes the value of each field."""

    def reader(data: bytes, _: Path) -> object:
        try:
            body = as_hash(data)
        except (ValueError, AttributeError, RecursionError):
            body = {b"state": data, b"order": data, b"record": data, b"seen": data, b"next": data, b"images": data}
        return read(body)

    return reader


READERS: dict[str, tuple[Callable[[bytes, Path], object], tuple[type[DigitmillError], ...]]] = {
    "wire/batch-*": (lambda data, _: Batch.from_wire(data), (WireError,)),
    "wire/manifest-*": (lambda data, _: Manifest.from_wire(data), (WireError,)),
    "wire/result*": (lambda data, _: Result.from_wire(data), (WireError,)),
    "journal/*": (read_as_journal, (WireError, DataError)),
    "cards/[mr]*": (lambda data, _: Card.loads(data), (ModelError,)),
    "gate/*": (lambda data, _: Decision.loads(data), (ModelError,)),
    "training/order*": (read_assignment, (UsageError,)),
    "training/options*": (lambda data, _: options_from_json(data), (WireError,)),
    "training/[ard][!e]*.json": (of_hash(lambda body: TrainingStatus.from_hash("a", body, held=True)), (WireError,)),
    "training/schedule.json": (of_hash(lambda body: ScheduleStatus.from_hash(body, [])), (WireError,)),
    "teaching/[alr]*": (lambda data, _: LabelChange.from_wire(SHA256, data), (WireError,)),
    "ledger/record-*": (lambda data, _: JobRecord.from_json(data), (WireError,)),
    "ledger/job.json": (of_hash(lambda body: JobStatus.from_hash("a", body, created=1.0)), (WireError,)),
    "ledger/worker.json": (of_hash(lambda body: WorkerStatus.from_hash("a", body)), (WireError,)),
    "registry/moves.json": (lambda data, _: LiveChange.from_json(data), (WireError,)),
    "registry/tally.json": (of_hash(lambda body: ServiceCounts.from_hash("a", body)), (WireError,)),
}
RECORDS = [
    (pattern, path.read_bytes())
    for pattern in READERS
    for folder in (OLD, WITH_NUMBERS)
    for path in sorted(folder.glob(pattern))
]
RECORDS += [("registry/moves.json", move.encode()) for move in json.loads(old("registry/moves.json"))]

tokens = st.sampled_from(
    [
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"NaN",
        b"[",
        b"{}",
        b'""',
        b'"\\ud800"',
        b"9" * 5000,
        b"[" * 3000,
        b"\xff",
        b"\xc1",
    ]
)


def test_every_pattern_of_files_matches_one() -> None:
    """A pattern without a file would prove nothing."""
    assert {pattern for pattern, _ in RECORDS} == set(READERS)


@given(st.sampled_from(RECORDS), st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_record_raises_an_expected_error(
    tmp_path_factory: pytest.TempPathFactory, original: tuple[str, bytes], data: st.DataObject
) -> None:
    """Hypothesis alters, removes and inserts bytes, or replaces all of them."""
    pattern, record = original
    read, expected = READERS[pattern]
    if data.draw(st.integers(0, 9)) == 0:
        record = data.draw(st.binary(max_size=200))
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(record)))
            stop = min(start + data.draw(st.integers(0, 12)), len(record))
            record = record[:start] + data.draw(st.one_of(st.just(b""), st.binary(max_size=4), tokens)) + record[stop:]
    with contextlib.suppress(*expected):
        read(record, folder_of(tmp_path_factory))


_folders: list[Path] = []


def folder_of(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all examples share."""
    if not _folders:
        _folders.append(factory.mktemp("damaged"))
    return _folders[0]
