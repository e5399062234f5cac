"""`digitmill models` as users see it, beside a real mill."""

import dataclasses
import hashlib
import json
import os
import re
import signal

import numpy as np
import pytest

from model.cards.card import BASELINE, CARD, MODEL, WEIGHTS, Card, Score
from model.cards.changes import CHANGES, ChangedImage, Changes
from model.cards.decision import DECISION, Comparison, Decision, ModelAssessment
from producer.cli.display.model_versions import describe_live
from tests.support.command import CommandLine
from tests.support.models import Harm, harmful, write_model
from worker.contract.registry import keys as registry_keys

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def changing(start_mill):
    """A mill for one test alone, so that the test may change its models."""
    with start_mill(2) as mill:
        yield mill


@pytest.fixture
def digitmill(tmp_path, changing):
    """Run `digitmill models …` beside that mill. Return what it printed."""
    return runner(tmp_path, changing)


def runner(tmp_path, mill):
    """Return a function that runs `digitmill models …` beside a mill and returns what it printed."""
    command = CommandLine(tmp_path, mill.stack.url)

    def run(*arguments, code=0):
        printed = command("models", *arguments, code=code)
        return printed.errors if code else printed.output

    return run


@pytest.fixture
def folder(tmp_path, variant):
    """The folder of a model, as a training writes it."""
    return write_model(tmp_path / "soft", *variant("soft"))


@pytest.mark.slow
def test_a_model_is_pushed_compared_promoted_rolled_back_and_pulled(digitmill, folder, tmp_path):
    """Each command prints what it changed, for people and as JSON, and the pulled files equal the pushed ones."""
    version = Card.read(folder).version
    assert f"{version} is published, candidate" in digitmill("push", folder)
    assert (
        digitmill("push", folder, "--json")
        == json.dumps({"format": 1, "model": version, "aliases": ["candidate"]}) + "\n"
    )
    compared = json.loads(digitmill("compare", "candidate", "live", "--json"))
    assert compared["models"] == [version, BASELINE_VERSION]
    assert compared["in_service"][0]["images"] == 0
    text = digitmill("compare", "soft", "baseline")
    assert version in text
    assert "left for review" in text

    assert f"{version} is live; 2 of 2 workers serve it" in digitmill("promote", "candidate", "--reason", "to see")
    listed = json.loads(digitmill("list", "--json"))
    assert [(row["model"], row["aliases"], len(row["workers"])) for row in listed["models"]] == [
        (version, ["live"], 2),
        (BASELINE_VERSION, ["previous", "best", "baseline"], 0),
    ]
    assert listed["history"][0]["reason"] == "to see"
    assert [each["model"] for each in listed["over_time"]] == [BASELINE_VERSION, version]
    text = digitmill("list")
    assert version in text
    assert "99." in text
    assert "to see" in text
    assert "is live already" in digitmill("promote", version, code=2)
    for names in ((), ("live",), ("live", "previous")):
        assert json.loads(digitmill("compare", *names, "--json"))["models"] == [version, BASELINE_VERSION]
    assert json.loads(digitmill("compare", "baseline", "--json"))["models"] == [BASELINE_VERSION, version]

    said = json.loads(digitmill("rollback", "--json"))
    assert said == {
        "format": 1,
        "live": BASELINE_VERSION,
        "previous": version,
        "candidate": None,
        "best": BASELINE_VERSION,
        "workers": 2,
        "serving": 2,
    }
    shown = digitmill("show", "previous")
    assert version in shown
    assert "rolled back" in shown
    assert json.loads(digitmill("show", "previous", "--json"))["card"]["version"] == version

    pulled = digitmill("pull", "previous", "--out", tmp_path / "pulled")
    for name in (CARD, MODEL, WEIGHTS):
        assert (tmp_path / "pulled" / name).read_bytes() == (folder / name).read_bytes()
        assert name in pulled
    digitmill("push", tmp_path / "pulled")


@pytest.mark.slow
def test_show_compare_and_report_have_the_decision_of_the_gate(digitmill, folder, tmp_path):
    """Each version stands above its own figures in either order, and the reason of the gate comes last.

    The gate compared the candidate with the best version, too.
    """
    card = Card.read(folder)
    assessments = [
        ModelAssessment(version, Score.of(right, 50), Score.of(right - 10, 40), [0.5] * 10, 2048, rate)
        for version, right, rate in (
            (card.version, 49, 30_000.0),
            ("live-in-between", 15, 1.0),
            (BASELINE_VERSION, 47, 31_000.0),
        )
    ]
    compared = [Comparison("live-in-between", "validation", 2, 0)]
    candidate, live, best = assessments
    content = Decision(True, "Passed: better.", candidate, live, Score.of(50, 50), best, compared).dumps()
    seven = ChangedImage.of("validation", 7, 1, 7, np.zeros((28, 28), np.uint8))
    contents = {DECISION: content, CHANGES: Changes("live-in-between", [seven]).dumps()}
    for name, written in contents.items():
        (folder / name).write_bytes(written)
    files = card.files | {name: hashlib.sha256(written).hexdigest() for name, written in contents.items()}
    dataclasses.replace(card, files=files).write(folder)
    digitmill("push", folder)
    assert "gate        Passed: better." in digitmill("show", "candidate")
    shown = ["49of50(98.0%)", "47of50(94.0%)"]
    for names, scores in ((("candidate", "best"), shown), (("live", "candidate"), reversed(shown))):
        lines = digitmill("compare", *names).replace(" ", "").splitlines()
        assert f"atthegate,validation{''.join(scores)}" in lines
        assert any("held-outtaught" in line for line in lines)
        assert lines[-1] == "Passed:better."
    assert json.loads(digitmill("compare", "candidate", "live", "--json"))["gate"]["reason"] == "Passed: better."

    page = tmp_path / "reports" / f"{card.version}.html"
    said, charts = digitmill("report", "candidate").splitlines()
    assert said == f"The report of {card.version} is {page.relative_to(tmp_path)}"
    assert all((page.parent / name).exists() for name in re.findall(r"[\w.-]+\.png", charts))
    assert "Passed: better." in page.read_text()
    assert "A 7. Before it was read as 1, now it is read as 7." in page.read_text()
    said = json.loads(digitmill("report", "baseline", "--out", tmp_path / "baseline.html", "--json"))
    pngs = [str(tmp_path / f"baseline-{chart}.png") for chart in ("training", "accuracy", "digits")]
    assert said == {"format": 1, "model": BASELINE_VERSION, "report": str(tmp_path / "baseline.html"), "pngs": pngs}
    assert "Not judged by the gate" in (tmp_path / "baseline.html").read_text()


@pytest.mark.slow
def test_a_damaged_version_is_refused_and_reported(digitmill, folder, changing, eventually):
    """It cannot be promoted, pulled or rolled back to. If it is live, workers that cannot load it replace it."""
    version = Card.read(folder).version
    digitmill("push", folder)
    digitmill("promote", version)
    digitmill("rollback")
    changing.connection.client.hset(registry_keys.model(version), registry_keys.file(MODEL), b"altered")
    for arguments in (["promote", version], ["pull", version], ["rollback"]):
        assert "not what its card vouches for" in digitmill(*arguments, code=2)
    assert changing.connection.registry.live() == BASELINE_VERSION

    # Running workers have the version in memory. A worker that starts again does not.
    changing.connection.client.hset(registry_keys.ALIASES, "live", version)
    process = changing.connection.ledger.workers()[0].process
    eventually(lambda: all(worker.model == version for worker in changing.connection.ledger.workers()), seconds=30)
    os.kill(process, signal.SIGKILL)
    registry = changing.connection.registry
    change = eventually(
        lambda: registry.live() == BASELINE_VERSION and registry.history()[0], seconds=60, what="the rollback"
    )
    assert (change.action, change.before) == ("rollback", version)
    assert "not what its card vouches for" in change.reason
    assert "not what its card vouches for" in digitmill("list")
    assert f"{BASELINE_VERSION} goes on serving" in changing.worker_logs()
    rollback = describe_live(registry)
    assert rollback.startswith(f"{BASELINE_VERSION}, rolled back from {version}")
    assert "not what its card vouches for" in rollback


def test_push_and_promote_try_a_model_in_a_process_with_limits(start_mill, tmp_path):
    """One that does harm is not published, or not promoted if an older release published it. Redis alone is enough."""
    card, files = harmful(Harm.CRASH)
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    card.write(folder)
    with start_mill(0) as mill:
        registry, digitmill = mill.connection.registry, runner(tmp_path, mill)
        assert "did not pass its trial" in digitmill("push", folder, code=2)
        assert [each.version for each in registry.versions()] == [BASELINE_VERSION]
        registry.publish(card, files)
        assert "SIGFPE" in digitmill("promote", card.version, code=2)
        assert registry.live() == BASELINE_VERSION
        assert "nothing to publish" in digitmill("push", BASELINE)
        registry.condemn(card.version, "it ended three processes")
        assert "out of service, because it ended three processes" in digitmill("list")
        assert digitmill("list", "--json").count("it ended three processes") == 1


def test_versions_are_deleted_unless_something_holds_one(start_mill, tmp_path, variant):
    """Where nobody can be asked, the command ends with 2 and names `--yes`. The error names what holds a version."""
    with start_mill(0) as mill:
        registry, digitmill = mill.connection.registry, runner(tmp_path, mill)
        for name in ("first", "second", "third"):
            registry.publish(*variant(name))
        registry.promote(registry.resolve("third"), reason="test")
        for words in (["delete", "first"], ["delete", "first", "--json"]):
            assert "Add --yes" in digitmill(*words, code=2)
        assert "third-" in (error := digitmill("delete", "first", "live", "--yes", code=2))
        assert error == digitmill("delete", "first", "live", code=2), "nobody is asked about what cannot be"
        assert "cannot be deleted: it is live. First promote another version" in error
        assert "does not have model fourth" in digitmill("delete", "fourth", "--yes", code=2)
        assert len(registry.versions()) == 4
        first, second = registry.resolve("first"), registry.resolve("second")
        assert digitmill("delete", "first", first, "--yes") == f"{first} is deleted\n"
        assert json.loads(digitmill("delete", "second", "--yes", "--json")) == {"format": 1, "deleted": [second]}
        assert len(registry.versions()) == 2
