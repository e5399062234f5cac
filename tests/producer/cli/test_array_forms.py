"""Arrays of other forms as users submit them: what is printed, what the report says, and how the job is resumed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from model.inference.classifier import Classifier
from producer.cli.main import main
from producer.jobs.kept.order import read_order
from tests.support.command import Printed
from worker.contract.connection import connect
from worker.contract.ledger import Part
from worker.settings import Settings


class Here:
    """Runs `digitmill` in this process, which saves most of the time that a command takes.

    Args:
        folder: Current folder; the data folder is in it.
        url: URL of Redis.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.data = folder / "data"

    def __call__(self, *arguments: str, code: int = 0, data: str = "data") -> Printed:
        """Run a command, and check its exit code. Return what it printed."""
        variables = {"DIGITMILL_REDIS_URL": self.url, "DIGITMILL_DATA": str(self.folder / data)}
        result = CliRunner(env=variables).invoke(main, arguments)
        assert result.exit_code == code, (result.output, result.exception)
        return Printed(result.stdout, result.stderr)


@pytest.fixture
def digitmill(tmp_path, mill, monkeypatch):
    """The command line beside the tests' mill."""
    monkeypatch.chdir(tmp_path)
    return Here(tmp_path, mill.stack.url)


@pytest.fixture
def workless(tmp_path, server, monkeypatch):
    """The command line beside an empty server without workers."""
    monkeypatch.chdir(tmp_path)
    connect(server.url).flushall()
    return Here(tmp_path, server.url)


@pytest.fixture(scope="session")
def read_in_process(digits):
    """The digits that the model reads in the first 40 images, in this process and without a queue."""
    return Classifier.baseline().classify(digits.images[:40]).digits.astype(int).tolist()


def predicted(folder: Path) -> list[int]:
    """Return the digits in the report."""
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        return [int(row["digit"]) for row in csv.DictReader(file)]


def test_an_inverted_array_is_put_right_and_the_sentence_is_printed_and_recorded(digitmill, digits, read_in_process):
    """It is read as the original is, byte for byte. The terminal, report.json, the page and Redis say what was done."""
    labels = np.eye(10)[digits.labels[:40]]
    np.savez(digitmill.folder / "inverted.npz", images=255 - digits.images[:40], labels=labels)
    printed = digitmill("submit", "inverted.npz", "--out", "out")
    said = "it has dark ink on white, so its images are inverted. --as-is sends its values as they are."
    assert said in printed.errors
    assert predicted(digitmill.folder / "out") == read_in_process
    figures = json.loads((digitmill.folder / "out" / "report.json").read_text())
    assert said in figures["read_as"]
    assert figures["labelled"] == 40
    assert said in (digitmill.folder / "out" / "report.html").read_text()
    assert said in digitmill("show", "last", "--json").json["options"]["form"]["sentence"]
    assert said in digitmill("show", "last").output


def test_as_is_sends_the_values_as_they_are(digitmill, digits):
    """An inverted array then is what it is, and the report says that somebody wanted it so."""
    np.save(digitmill.folder / "inverted.npy", 255 - digits.images[:40])
    printed = digitmill("submit", "inverted.npy", "--as-is", "--out", "out", "--json")
    assert "because of --as-is" in printed.json["read_as"]
    undisturbed = Classifier.baseline().classify(255 - digits.images[:40]).digits.astype(int).tolist()
    assert predicted(digitmill.folder / "out") == undisturbed


def test_labels_in_another_order_are_doubted_in_the_end(digitmill, digits):
    """The accuracy of 0 % does not stand alone: terminal, page and report.json say that the labels seem wrong."""
    np.savez(digitmill.folder / "a.npz", images=digits.images[:40], labels=(digits.labels[:40] + 1) % 10)
    printed = digitmill("submit", "a.npz", "--out", "out")
    assert "most of them are 1 too high" in printed.errors
    assert "1 too high" in json.loads((digitmill.folder / "out" / "report.json").read_text())["label_warning"]
    assert "1 too high" in (digitmill.folder / "out" / "report.html").read_text()


def test_an_array_in_mnists_form_has_nothing_to_say(digitmill, digits, read_in_process):
    """Then `read_as` is null, and no notice is printed."""
    np.save(digitmill.folder / "a.npy", digits.images[:40])
    printed = digitmill("submit", "a.npy", "--out", "out", "--json")
    assert printed.json["read_as"] is None
    assert printed.errors == ""
    assert predicted(digitmill.folder / "out") == read_in_process


def test_a_detached_job_is_reported_elsewhere_with_the_sentence(digitmill, digits, read_in_process):
    """Where its order is not, Redis says how its array was read. Where it is, the pictures are read in that form."""
    np.save(digitmill.folder / "a.npy", (255 - digits.images[:40]) / 255)
    job = digitmill("submit", "a.npy", "--detach", "--json").json["job"]
    here = digitmill("report", job, "--out", "here", "--json").json
    there = digitmill("report", job, "--out", "there", "--json", data="elsewhere").json
    assert here["read_as"] == there["read_as"]
    assert "stretched to 0 to 255 and inverted" in here["read_as"]
    assert predicted(digitmill.folder / "there") == read_in_process


def test_a_resumed_job_keeps_the_form_that_was_decided_when_it_was_made(workless, digits):
    """The order has it, so a version that would decide otherwise sends the same images again."""
    np.save(workless.folder / "a.npy", 255 - digits.images[:40])
    job = workless("submit", "a.npy", "--detach", "--batch-size", "10", "--json").json["job"]
    settings = Settings.from_environment({"DIGITMILL_DATA": str(workless.data)})
    order = read_order(settings, job)
    assert order is not None
    assert order.options.form is not None
    assert (order.options.form.background, order.options.form.ink) == (255, 0)
    client = connect(workless.url)
    client.delete(Part(job, 1, 0, 10).key)
    path = workless.data / "jobs" / f"{job}.order"
    # An order of an earlier version has no form, and the images of its job were sent as they were.
    body = json.loads(path.read_text())
    old = {**body, "options": {key: value for key, value in body["options"].items() if key not in ("form", "as_is")}}
    path.write_text(json.dumps(old))
    assert "changed" in workless("resume", job, code=5).errors
    path.write_text(json.dumps(body))
    workless("resume", job)
    assert client.exists(Part(job, 1, 0, 10).key)


def test_a_dry_run_and_classify_say_how_an_array_is_read(digitmill, digits, read_in_process):
    """Neither needs a report for that. The rows of `classify` have the right digits."""
    np.save(digitmill.folder / "a.npy", 255 - digits.images[:40])
    assert "inverted" in digitmill("submit", "a.npy", "--dry-run", "--json").json["notes"][0]
    printed = digitmill("classify", "a.npy", "--json")
    assert [row["digit"] for row in printed.json["predictions"]] == read_in_process
    assert "inverted" in printed.errors
    assert "because of --as-is" in digitmill("classify", "a.npy", "--as-is").errors


@pytest.mark.parametrize("arguments", [["submit"], ["submit", "--detach"], ["teach", "--label", "3"]])
def test_a_file_that_cannot_be_read_makes_no_job(workless, arguments):
    """The command ends with 2 and one sentence before anything is in Redis, and no order is kept."""
    (workless.folder / "digits.json").write_text("[]")
    command, *options = arguments
    assert "a JSON file" in workless(command, "digits.json", *options, code=2).errors
    assert not (workless.data / "jobs").exists()
    assert connect(workless.url).keys("*job*") == []


def test_taught_arrays_are_put_right_as_submitted_ones_are(workless, digits):
    """`teach` says what was done. Inverted images are taught as what they show, and removed by the same file."""
    np.savez(workless.folder / "a.npz", images=255 - digits.images[:40], labels=digits.labels[:40])
    np.savez(workless.folder / "b.npz", images=digits.images[:40], labels=digits.labels[:40])
    assert "inverted" in workless("teach", "a.npz").errors
    assert workless("teach", "b.npz", "--json").json["known"] == 40
    assert workless("teach", "a.npz", "--as-is", "--json").json["new"] == 40
    assert workless("teach", "--remove", "b.npz", "--json").json["removed"] == 40
