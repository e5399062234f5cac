"""An upgrade from version 0.1.0 under load, and the way back. `make upgrade-test` runs it."""

import csv
import shutil

import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.inference.classifier import Classifier
from tests.support.models import write_model

IMAGES = 1500


@pytest.fixture
def scans(tmp_path, digits, png):
    """A folder with images of digits."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for index in range(IMAGES):
        (folder / f"{index:05d}.png").write_bytes(png(digits.images[index % len(digits.images)]))
    return folder


@pytest.fixture
def expected(digits):
    """What the model that the old version gets reads in them: it has this version's weights."""
    images = digits.images[np.arange(IMAGES) % len(digits.images)]
    read = Classifier.baseline().classify(images).digits
    return {f"{index:05d}.png": str(digit) for index, digit in enumerate(read)}


def answers(folder):
    """Return the digit of each image of a report, which has no error row."""
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["name"] for row in rows}) == len(rows)
    assert not any(row["error"] for row in rows)
    return {row["name"]: row["digit"] for row in rows}


@pytest.mark.slow
def test_an_upgrade_under_load_loses_nothing_and_can_be_undone(
    versions, scans, expected, variant, tmp_path, eventually
):
    """What the old version began ends with the new one; its model, its taught images and its journals carry over.

    After draining, the old version works with the model and the jobs that are there.
    """
    new, old, ledger = versions.new, versions.old, versions.ledger
    versions.start_workers(1, old=True)
    done = old("submit", scans, "--out", "done", "--json")["job"]
    before = answers(tmp_path / "done")
    assert len(before) == IMAGES
    card, files = variant("carried", temperature=Card.read(BASELINE).temperature)  # or else its canary fails
    old("models", "push", write_model(tmp_path / "model", card, files))
    old("models", "promote", card.version)
    (tmp_path / "taught" / "7").mkdir(parents=True)
    shutil.copy(scans / "00000.png", tmp_path / "taught" / "7")
    old("teach", tmp_path / "taught")

    # Jobs of the old version are in the middle when its worker stops. One of them has lost its client.
    versions.stop_workers()
    in_pieces = ("--batch-size", "5", "--patience", "300")
    killed = versions.start_old("submit", scans, "--out", "killed", *in_pieces)
    [begun] = eventually(lambda: running(ledger), what="its job runs")
    killed.kill()
    killed.wait()
    attached = versions.start_old("submit", scans, "--out", "attached", *in_pieces)
    detached = versions.start_old("submit", scans, "--detach", "--json", *in_pieces)
    eventually(lambda: len(running(ledger)) == 3, what="all jobs run")
    versions.start_workers(1, old=True)
    eventually(lambda: any(job.answered for job in running(ledger)), what="the old worker answers")
    versions.stop_workers()
    assert len(running(ledger)) == 3, "the upgrade would not be under load"
    versions.start_workers(2, old=False)
    versions.end(attached)
    job = versions.end(detached, as_json=True)["job"]
    new("wait", job)
    new("report", job, "--out", "detached")
    assert answers(tmp_path / "attached") == answers(tmp_path / "detached") == expected

    said = " ".join(new("resume", begun.identifier, code=2).errors.split())
    assert begun.identifier in said
    new("cancel", begun.identifier)

    assert {worker.model for worker in ready(ledger)} == {card.version}
    assert new("models", "list", "--json").json["models"][0]["aliases"] == ["live"]
    assert new("teach", "--list", "--json").json["waiting"] == 1
    new("report", done, "--out", "again")
    assert answers(tmp_path / "again") == before
    new("submit", scans, "--out", "new")
    assert answers(tmp_path / "new") == expected

    # The way back.
    new("queue", "drain", "--wait")
    versions.stop_workers()
    versions.start_workers(1, old=True)
    old("submit", scans, "--out", "back")
    assert answers(tmp_path / "back") == expected
    assert card.version in old("models", "list")


def running(ledger):
    """Return the jobs that have not ended."""
    return [job for job in ledger.jobs() if not job.state.ended]


def ready(ledger):
    """Return the workers that are ready."""
    return [worker for worker in ledger.workers() if worker.ready]
