"""Users submit images, and get reports."""

import csv
import json
import os

import pytest

from tests.system.compose.project import STRANGER

pytestmark = pytest.mark.usefixtures("three_workers")


@pytest.mark.skipif("DIGITMILL_MNIST" not in os.environ, reason="MNIST is not at hand (set DIGITMILL_MNIST)")
def test_mnist_is_classified_by_its_name(mill, correct, digits):
    """`docker compose run --rm producer submit mnist` gets as many of the 10,000 images right as without a queue."""
    mill("run", "--rm", "-T", "producer", "submit", "mnist", "--out", "reports/mnist")
    report = json.loads((mill.clone / "reports" / "mnist" / "report.json").read_text())
    assert (report["images"], report["classified"], report["failed"]) == (10_000, 10_000, 0)
    assert report["correct"] == correct(len(digits))


def test_a_folder_is_classified_and_the_user_owns_the_report(mill, submit, folder_of, correct):
    """Every file has one row. The report belongs to the user, not to root or a user of the image."""
    folder = folder_of(500)
    report = submit(folder, "folder").result()
    assert (report["images"], report["correct"]) == (500, correct(500))
    out = mill.clone / "reports" / "folder"
    with (out / "predictions.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert sorted(names) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    owner = os.getuid() or STRANGER
    assert {path.stat().st_uid for path in (out, *out.rglob("*"))} == {owner}


def test_a_bad_file_is_a_row_with_its_reason_and_an_exit_code(mill, folder_of):
    """The report gives the file's row, and `docker compose run` passes the exit code on."""
    folder = folder_of(20)
    (folder / "3" / "bad.png").write_bytes(b"no image")
    mounted = ["--volume", f"{folder}:/data:ro"]
    done = mill("run", "--rm", "-T", *mounted, "producer", "submit", "/data", "--out", "reports/bad", check=False)
    assert done.returncode == 1
    report = json.loads((mill.clone / "reports" / "bad" / "report.json").read_text())
    assert (report["images"], report["classified"], report["failed"]) == (21, 20, 1)
