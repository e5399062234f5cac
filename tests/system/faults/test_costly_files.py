"""Files that cost more than they look, in a batch with ordinary ones."""

from pathlib import Path

import psutil
import pytest

from model.errors import FailureCode
from model.images.limits import MEMORY_BYTES
from producer.sources import open_source
from tests.model.images.decoding.costly import COSTLY

SLOW = 3
CONTAINER_BYTES = 768 * 2**20  # the limit of a worker in docker-compose.yml
CHEAPLY_REFUSED = ("PNG, 1 × 64,000,000", "TIFF, 1 × 64,000,000", "TIFF, tile of 46,000 × 46,000")


@pytest.mark.slow
def test_twenty_costly_files_harm_neither_their_neighbours_nor_their_worker(
    start_mill, folder_of, begin_job, undisturbed, check, tmp_path: Path
):
    """Each gets an error row. Their neighbours are answered, no process of the worker restarts, and none is left."""
    count = 40
    costly = range(1, count, 2)
    folder_of(count)
    files = [COSTLY[name]() for name in CHEAPLY_REFUSED]
    files = [COSTLY["BMP, RLE of 1.1 kB"]()] * SLOW + files * len(costly)
    for index, data in zip(costly, files, strict=False):
        (tmp_path / "images" / f"{index:05d}.png").write_bytes(data)
    with start_mill(1, installed=True) as mill:
        worker = psutil.Process(mill.stack.supervisor.processes()["worker-1"])
        children = worker.children()  # the classifying process and that of the lane
        results = begin_job(mill, open_source(tmp_path / "images", labels="none"), batch_size=count).result(timeout=170)
        check(results, undisturbed[:count], failed=tuple(costly))
        assert {failure.code for failure in results.failures.values()} == {FailureCode.TOO_COSTLY}
        assert mill.stack.supervisor.restarts() == {"server": 0, "worker-1": 0}
        assert worker.children() == children, "neither has been replaced"
        assert "ready again" not in mill.worker_logs()
        helpers = [helper for child in children for helper in child.children()]
        assert len(helpers) <= 1, "ended helpers leave no zombies"
        idle = sum(process.memory_full_info().pss for process in (worker, *children, *helpers))
        assert idle + 2 * MEMORY_BYTES < CONTAINER_BYTES, "two processes may decode a costly image at a time"
