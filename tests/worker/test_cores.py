"""Facts about cores: how many a process may use, and how many of them a training uses."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.cores import granted_cores
from worker.trainer.service import training_threads


def control_group(folder: Path, files: dict[str, str]) -> Path:
    """Write the files of a control group into a folder, as the kernel shows them."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(
    ("files", "granted"),
    [
        ({"cpu.max": "50000 100000"}, 0.5),
        ({"cpu.max": "25000 50000"}, 0.5),
        ({"cpu.max": "250000 100000"}, 2.5),
        ({"cpu.max": "400000 100000"}, 4.0),
        ({"cpu.max": "99900000 100000"}, 4.0),  # more than there are
        ({"cpu.max": "max 100000"}, 4.0),
        ({"cpu.max": "nonsense"}, 4.0),
        ({}, 4.0),  # the machine has no control groups
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 1.5),  # version 1
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "150000"}, 4.0),
    ],
)
def test_a_process_bound_to_four_cores_is_granted_what_its_control_group_says(
    tmp_path: Path, files: dict[str, str], granted: float
) -> None:
    """Without a limit that can be read, it is granted all four."""
    assert granted_cores(control_group(tmp_path, files), bound=4) == granted


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a process to cores")
def test_a_process_bound_to_one_core_has_one_core(tmp_path: Path) -> None:
    """It is granted that core if its control group does not say less."""
    code = """
import os, sys
from pathlib import Path
from worker.cores import cores, granted_cores
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
print(cores(), granted_cores(Path(sys.argv[1])))
"""
    ran = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert ran.stdout == "1 1\n"


@pytest.mark.parametrize(
    ("bound", "granted", "threads"),
    [(1, 1.0, 1), (2, 2.0, 1), (3, 3.0, 1), (4, 4.0, 2), (16, 16.0, 8), (16, 2.5, 2), (16, 0.5, 1)],
)
def test_a_training_leaves_half_of_the_cores_to_others(bound: int, granted: float, threads: int) -> None:
    """It uses at least one thread, and no more than its container grants."""
    assert training_threads(bound, granted) == threads
