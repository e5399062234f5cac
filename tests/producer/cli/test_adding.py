"""`submit --new` adds rows to a report: those of images that the report lacks, and of files that have changed."""

import csv
import os
import zipfile

import pytest

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job
from producer.report.earlier import versions_of
from producer.report.tables.tables import growing_table
from producer.sources import open_source
from tests.support.command import CommandLine
from worker.settings import Settings


@pytest.fixture
def digitmill(tmp_path, mill):
    """The command line beside the tests' mill, in a folder with three scans."""
    return CommandLine(tmp_path, mill.stack.url)


@pytest.fixture
def scan(tmp_path, digits, png):
    """Write a digit as a file, whose time is an hour ago."""

    def write(name, index=0, *, age=3600):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(digits.images[index]))
        then = path.stat().st_mtime_ns - age * 10**9
        os.utime(path, ns=(then, then))

    return write


def rows(report):
    """Return name and digit of each row, in order."""
    with (report / "predictions.csv").open(newline="") as file:
        return [(row["name"], row["digit"]) for row in csv.DictReader(file)]


def test_only_new_and_rewritten_files_are_classified(digitmill, scan, tmp_path, mill, digits):
    """Their rows follow the others, which stay as they were. If nothing is new, the command creates no job."""
    for index in range(3):
        scan(f"scans/{index}.png", index)
    (tmp_path / "scans/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    add, settings = (
        ("submit", "scans", "--new", "--out", "out", "--json"),
        Settings.from_environment(digitmill.environment),
    )
    first = digitmill(*add, code=1).json
    assert (first["images"], first["earlier"]) == (4, 0)
    before = rows(tmp_path / "out")
    jobs = len(mill.connection.ledger.jobs())
    unchanged = digitmill(*add)
    assert (unchanged.json["images"], unchanged.json["earlier"]) == (4, 4)
    assert "has rows of 4 of 4 images" in unchanged.errors
    assert "Nothing is new" in digitmill(*add[:-1]).output
    assert len(mill.connection.ledger.jobs()) == jobs

    scan("scans/1.png", 7)
    scan("scans/3.png", 3)
    (tmp_path / "scans/0.png").unlink()
    again = digitmill(*add)
    assert "has rows of 2 of 4 images" in again.errors
    assert (again.json["images"], again.json["earlier"], again.json["failed"]) == (5, 3, 1)
    kept = [row for row in before if row[0] != "1.png"]
    assert rows(tmp_path / "out") == [*kept, ("1.png", str(digits.labels[7])), ("3.png", str(digits.labels[3]))]
    scan("scans/4.png", 4)
    assert "images    6, 1 of them new, in" in digitmill(*add[:-1]).output
    assert digitmill("submit", "scans", "--new", "--out", "out", "--dry-run", "--json").json["images"] == 0
    refused = digitmill("report", "last", "--out", "out", code=2).errors
    assert "would replace all of its rows" in " ".join(refused.split())
    all_rows = rows(tmp_path / "out")
    assert digitmill("review", "last", "--no-open", "--out", "out").output == f"{tmp_path / 'out' / 'report.html'}\n"
    digitmill("review", first["job"], "--no-open", "--out", "out", code=2)
    for command in (("submit", "scans"), ("resume", "last")):
        create_job(mill.connection, SubmitOptions(path=str(tmp_path / "scans")), "scans", settings, detached=False)
        assert "would replace all of its rows" in digitmill(*command, "--out", "out", code=2).errors
        digitmill("cancel", "last")
    assert rows(tmp_path / "out") == all_rows, "which the report of one job would lack"


def test_a_killed_client_keeps_the_rows_that_it_has_written(digitmill, scan, tmp_path):
    """The same command goes on after them. The last row may be torn, so it is written again."""
    for index in range(4):
        scan(f"scans/{index}.png", index)
    digitmill("submit", "scans", "--probabilities", "--new", "--out", "whole")
    folder, whole = tmp_path / "out", (tmp_path / "whole" / "predictions.csv").read_bytes()
    source = open_source(tmp_path / "scans")
    with growing_table(folder, None, None, versions_of(source)):
        (folder / "predictions.csv").write_bytes(whole[: len(whole) * 5 // 8])
    assert "would replace all of its rows" in digitmill("submit", "scans", "--out", "out", code=2).errors
    printed = digitmill("submit", "scans", "--probabilities", "--new", "--out", "out")
    assert "has rows of 2 of 4 images" in printed.errors
    assert (folder / "predictions.csv").read_bytes() == whole
    assert "Nothing is new" in digitmill("submit", "scans", "--probabilities", "--new", "--out", "out").output


def test_a_report_that_began_without_new_tells_what_is_new_by_the_time_of_its_job(digitmill, scan):
    """Files that were modified since its job began are new. Afterwards, rows tell their files."""
    scan("scans/0.png")
    scan("scans/1.png")
    digitmill("submit", "scans", "--out", "out")
    scan("scans/1.png", 5, age=-5)
    for known in (1, 2):
        printed = digitmill("submit", "scans", "--new", "--out", "out")
        assert f"has rows of {known} of 2 images" in printed.errors
    assert "Nothing is new" in printed.output


def test_an_archive_is_new_when_it_is_written_again(digitmill, scan, tmp_path):
    """All its images are, because an archive has one time for all of them."""
    scan("0.png")
    scan("1.png", 1)
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.write(tmp_path / "0.png", "0.png")
    digitmill("submit", "scans.zip", "0.png", "--new", "--out", "out")
    with zipfile.ZipFile(tmp_path / "scans.zip", "a") as archive:
        archive.write(tmp_path / "1.png", "1.png")
    printed = digitmill("submit", "scans.zip", "0.png", "--new", "--out", "out")
    assert "has rows of 1 of 3 images" in printed.errors
    assert [name for name, _ in rows(tmp_path / "out")] == ["0.png", "scans.zip/0.png", "scans.zip/1.png"]


def test_a_report_of_other_images_or_columns_is_not_added_to(digitmill, scan):
    """Otherwise names would mean two images, or rows would lack cells."""
    scan("scans/0.png")
    scan("others/0.png")
    digitmill("submit", "scans", "--new", "--out", "out")
    digitmill("submit", "scans", "--out", "plain")
    for report in ("out", "plain"):
        printed = digitmill("submit", "others", "--new", "--out", report, code=2)
        assert "about other images" in printed.errors
    printed = digitmill("submit", "scans", "--new", "--out", "out", "--probabilities", code=2)
    assert "other columns" in printed.errors
    for arguments in ((), ("--out", "out", "--detach")):
        assert (
            "Name its folder, and leave out --detach"
            in digitmill("submit", "scans", "--new", *arguments, code=2).errors
        )


def test_a_job_that_adds_is_not_resumed():
    """The same command goes on instead, so nobody is told to resume it."""
    assert not SubmitOptions(path="/scans", new=True).resumable
