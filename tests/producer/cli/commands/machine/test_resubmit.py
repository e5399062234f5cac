"""Facts about `resubmit`: quarantined images of a job get another try, and its report one row for each image."""

import csv

import numpy as np
import pytest

from tests.support.answering import answering
from tests.support.command import CommandLine
from worker.contract.ledger import Ledger


@pytest.fixture
def ledger(client):
    """The ledger of the server."""
    return Ledger(client)


@pytest.fixture
def digitmill(server, tmp_path):
    """Run `digitmill …` beside that server. `images.npy` has ten images, whose first pixels are 0 to 9."""
    images = np.zeros((10, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(10)
    np.save(tmp_path / "images.npy", images)
    return CommandLine(tmp_path, server.url)


SUBMIT = ("submit", "images.npy", "--as-is", "--batch-size", "4", "--json")


def rows(digitmill, folder):
    """Return digit and error of each row of a report, by the name of the image."""
    with (digitmill.folder / folder / "predictions.csv").open(newline="") as file:
        found = [(row["name"], (row["digit"], row["error"])) for row in csv.DictReader(file)]
    assert len(dict(found)) == len(found), "each image has one row"
    return dict(found)


def test_quarantined_images_get_another_try_and_one_row_each(digitmill, client, ledger):
    """Nothing else is sent, and what is quarantined again can be sent again. Others do not move."""
    with answering(client, ledger, quarantined=(3, 7)):
        first = digitmill(*SUBMIT, "--out", "out", code=1).json
    before = rows(digitmill, "out")
    assert [name for name, (_, error) in before.items() if error == "quarantined"] == ["00003", "00007"]
    with answering(client, ledger, quarantined=(7,)):
        again = digitmill("resubmit", first["job"], "--out", "out", "--json", code=1).json
    assert (again["images"], again["earlier"], again["failed"]) == (10, 8, 1)
    assert ledger.job(again["job"]).images == 2
    assert rows(digitmill, "out") == before | {"00003": ("3", "")}
    with answering(client, ledger):
        assert "Name the folder" in digitmill("resubmit", "last", code=2).errors
        digitmill("resubmit", "last", "--out", "out")
        jobs = len(ledger.jobs())
        assert "No image is quarantined." in digitmill("resubmit", first["job"], "--out", "out").output
    assert rows(digitmill, "out") == before | {"00003": ("3", ""), "00007": ("7", "")}
    assert len(ledger.jobs()) == jobs


def test_a_killed_command_loses_no_row(digitmill, client, ledger, eventually):
    """The same command sends what is left, although the table that grew does not have its row."""
    with answering(client, ledger, quarantined=(3, 7)):
        first = digitmill(*SUBMIT, "--out", "out", code=1).json
    before = rows(digitmill, "out")
    with digitmill.start("resubmit", first["job"], "--out", "out") as killed:
        eventually(lambda: len(rows(digitmill, "out")) == 8, what="a table without the rows of what is sent")
        killed.kill()
    with answering(client, ledger):
        digitmill("resubmit", first["job"], "--out", "out")
    assert rows(digitmill, "out") == before | {"00003": ("3", ""), "00007": ("7", "")}


def test_two_commands_at_once_send_nothing_twice(digitmill, client, ledger, eventually):
    """The second one says that another works there, and afterwards that nothing is left to do."""
    with answering(client, ledger, quarantined=(3, 7)):
        first = digitmill(*SUBMIT, "--out", "out", code=1).json
    with digitmill.start("resubmit", first["job"], "--out", "out") as other:
        eventually(lambda: len(ledger.jobs()) == 2, what="the job of the first command")
        for command in (("resubmit", first["job"]), ("submit", "images.npy", "--as-is", "--new")):
            said = digitmill(*command, "--out", "out", code=2).errors
            assert "Another process is adding to the report" in " ".join(said.split())
        with answering(client, ledger):
            assert other.wait(60) == 0
    assert len(ledger.jobs()) == 2
    assert "No image is quarantined." in digitmill("resubmit", first["job"], "--out", "out").output


def test_a_job_without_a_report_gets_it_first(digitmill, client, ledger):
    """Also a detached one, whose answers are in Redis."""
    with answering(client, ledger, quarantined=(5,)):
        job = digitmill(*SUBMIT[:-1], "--detach", "--json").json["job"]
        digitmill("wait", job, code=1)
    with answering(client, ledger):
        assert digitmill("resubmit", job, "--out", "new", "--json").json["earlier"] == 9
    assert rows(digitmill, "new")["00005"] == ("5", "")


def test_only_who_has_the_order_can_find_the_images(digitmill, client, ledger, tmp_path):
    """Elsewhere, the command says where to run it, and makes no job."""
    with answering(client, ledger, quarantined=(5,)):
        digitmill(*SUBMIT, "--out", "out", code=1)
    said = digitmill("resubmit", "last", code=2, DIGITMILL_DATA=str(tmp_path / "elsewhere")).errors
    assert "Run this where the job was submitted." in " ".join(said.split())
    assert len(ledger.jobs()) == 1
