"""How many cores a process takes for its own."""

from pathlib import Path

import pytest

from worker.cores import cores, granted_cores
from worker.trainer.service import threads


def limited(folder: Path, **files: str) -> Path:
    """A control group's folder with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize("quota", ["50000 100000", "25000 50000"])
def test_a_container_of_half_a_core_is_granted_half_a_core(tmp_path, quota):
    """As control groups of version 2 say it."""
    assert granted_cores(limited(tmp_path, **{"cpu.max": quota})) == pytest.approx(0.5)


def test_version_one_of_control_groups_is_read_as_well(tmp_path):
    """It says the same in two files."""
    files = {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}
    assert granted_cores(limited(tmp_path, **files)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000"},
        {"cpu.max": "nonsense"},
        {"cpu.max": "99900000 100000"},
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
    ],
)
def test_without_a_limit_all_cores_are_granted(tmp_path, files):
    """No control groups, none set, one above what there is, or one that makes no sense."""
    assert granted_cores(limited(tmp_path, **files)) == cores()


def test_the_trainer_leaves_half_of_the_cores_alone():
    """At least one thread it has, and never more than it is granted."""
    assert 1 <= threads() <= max(1, min(cores() // 2, granted_cores()))
