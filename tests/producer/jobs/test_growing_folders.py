"""Facts about jobs whose folder is listed while they run: whatever happens meanwhile, each image has one row."""

from collections.abc import Callable
from pathlib import Path

import pytest

from producer.jobs import packing
from producer.jobs.collecting import collect_job
from producer.jobs.kept.listed import ListedImages
from producer.jobs.kept.order import SubmitOptions, job_file
from producer.jobs.results import Results
from producer.jobs.sending import JobProgress
from producer.jobs.submission import create_job, gather_job, open_submitted, reopen_submitted, send_job
from producer.sources import GrowingFolder, open_source
from producer.sources.folders import growing
from tests.producer.jobs.conftest import BATCH, Workless
from tests.support.answering import answering
from worker.contract.errors import JobFailed
from worker.contract.ledger import keys

COUNT = 30


class Interrupted(Exception):
    """Ends a client in the middle, as a kill does: it tells Redis nothing."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files end with the byte of their digit. Ten of them make a run."""
    monkeypatch.setattr(growing, "RUN", 10)
    place = tmp_path / "scans"
    place.mkdir()
    for index in range(COUNT):
        write(place, index)
    return place


def write(folder: Path, index: int) -> None:
    """Write a file."""
    (folder / f"{index:02d}.png").write_bytes(bytes([1, index % 10]))


def options_of(folder: Path) -> SubmitOptions:
    """Return the options that submit a folder."""
    return SubmitOptions(path=str(folder), batch_size=BATCH)


def run(mill: Workless, folder: Path, job: str, *, after: int | None = None, detached: bool = False) -> Results | None:
    """Send a job's images, and gather its answers unless it is detached. Interrupt it after a number of images."""

    def note(progress: JobProgress) -> None:
        if after is not None and progress.sent >= after:
            raise Interrupted

    options = options_of(folder)
    source = reopen_submitted(options, mill.settings, job)
    assert isinstance(source, GrowingFolder)
    if detached:
        send_job(mill.connection, job, options, source, mill.settings, timeout=20.0, on_progress=note)
        return None
    with answering(mill.client, mill.connection.ledger):
        return gather_job(
            mill.connection, job, options, source, mill.settings, timeout=20.0, on_progress=note, take_over=True
        ).results


def create(mill: Workless, folder: Path, *, detached: bool = False) -> str:
    """Create a job of the folder."""
    options = options_of(folder)
    source = open_submitted(options, mill.settings)
    return create_job(mill.connection, options, source.description, mill.settings, detached=detached)


def check(results: Results, gone: set[str], *, at_least: int) -> None:
    """Check that each image has one row, with its digit, or an error row where its file was gone."""
    assert len(set(results.names)) == len(results) >= at_least
    for row, name in enumerate(results.names):
        if row in results.failures:
            assert name in gone
        else:
            assert results.digits[row] == int(name[:2]) % 10


@pytest.mark.parametrize("after", [0, BATCH, 5 * BATCH, COUNT])
def test_an_interrupted_job_goes_on_in_its_order(workless: Workless, folder: Path, after: int) -> None:
    """Files that vanished meanwhile get error rows, unless they have answers. The answers of others do not move."""
    job = create(workless, folder)
    with pytest.raises(Interrupted):
        run(workless, folder, job, after=after)
    gone = {path.name for path in sorted(folder.iterdir())[::4]}
    for name in gone:
        (folder / name).unlink()
    for index in range(COUNT, COUNT + 15):
        write(folder, index)
    results = run(workless, folder, job)
    assert results is not None
    check(results, gone, at_least=COUNT)
    assert results.failures or after == COUNT
    assert workless.status(job).images == len(results)


def test_a_job_is_interrupted_again_and_again(workless: Workless, folder: Path) -> None:
    """Each client begins where the last one stopped, and a file that grew too much gets an error row."""
    job = create(workless, folder)
    for after in (3, 9, 14, 21):
        with pytest.raises(Interrupted):
            run(workless, folder, job, after=after)
    results = run(workless, folder, job)
    assert results is not None
    check(results, set(), at_least=COUNT)
    assert len(results) == COUNT
    assert not results.failures


def test_a_file_may_grow_while_its_job_is_interrupted(
    workless: Workless, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its batch has no more room for it, it gets an error row, and the others of the batch their answers."""
    monkeypatch.setattr(packing, "MAX_BYTES", 2**20 + 100)
    job = create(workless, folder, detached=True)
    with pytest.raises(Interrupted):
        run(workless, folder, job, after=BATCH, detached=True)
    workless.client.delete(*workless.client.scan_iter(f"digitmill:batch:{job}/*"), keys.OPEN)  # they are sent again
    for path in folder.iterdir():
        path.write_bytes(bytes(2**20 - 1) + path.read_bytes()[-1:])
    run(workless, folder, job, detached=True)
    with answering(workless.client, workless.connection.ledger):
        wait_for_end(workless, job)
    results = collect_job(workless.connection, workless.status(job), workless.settings).results
    check(results, {path.name for path in folder.iterdir()}, at_least=COUNT)
    assert len(results) == COUNT
    assert len(results.failures) >= BATCH - 1
    assert set(results.failures) < set(range(BATCH * 3)), "what was not sent before is packed by its new size"


@pytest.mark.parametrize("after", [1, 2 * BATCH])
def test_files_that_stay_the_same_find_room_in_the_batches_of_another_version(
    workless: Workless, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """A version whose batches have more bytes began the job. None of its files is said to have grown."""
    job = create(workless, folder)
    with pytest.raises(Interrupted):
        run(workless, folder, job, after=after)
    monkeypatch.setattr(packing, "BYTES", 3)
    results = run(workless, folder, job)
    assert results is not None
    check(results, set(), at_least=COUNT)
    assert not results.failures


@pytest.mark.parametrize("loses", ["all batches", "everything"])
def test_a_detached_job_sends_lost_images_again(workless: Workless, folder: Path, loses: str) -> None:
    """A file that is gone then travels as an empty one, because other images of its batch may have answers."""
    job = create(workless, folder, detached=True)
    with pytest.raises(Interrupted):
        run(workless, folder, job, after=2 * BATCH, detached=True)
    run(workless, folder, job, detached=True)
    if loses == "everything":
        workless.client.flushall()
    else:
        workless.client.delete(*workless.client.scan_iter(f"digitmill:batch:{job}/*"), keys.OPEN)
    gone = {path.name for path in sorted(folder.iterdir())[::4]}
    for name in gone:
        (folder / name).unlink()
    run(workless, folder, job, detached=True)
    with answering(workless.client, workless.connection.ledger):
        wait_for_end(workless, job)
    results = collect_job(workless.connection, workless.status(job), workless.settings).results
    check(results, gone, at_least=COUNT)
    assert len(results.failures) == len(gone)


def wait_for_end(mill: Workless, job: str) -> None:
    """Wait until a job has ended."""
    done: Callable[[], bool] = lambda: mill.status(job).state.ended  # noqa: E731
    while not done():
        mill.connection.reconciler.tick()


def test_a_job_without_a_list_goes_on_in_the_order_of_names(workless: Workless, folder: Path) -> None:
    """An earlier version began it, or its folder had labels then. It notices a new file, which changes the order."""
    job, options = create(workless, folder), options_of(folder)

    def note(progress: JobProgress) -> None:
        if progress.answered >= 2 * BATCH:
            raise Interrupted

    with answering(workless.client, workless.connection.ledger), pytest.raises(Interrupted):
        gather_job(workless.connection, job, options, open_source(folder), workless.settings, on_progress=note)

    def go_on() -> Results:
        source = reopen_submitted(options, workless.settings, job)
        with answering(workless.client, workless.connection.ledger):
            return gather_job(
                workless.connection, job, options, source, workless.settings, timeout=20.0, take_over=True
            ).results

    first = folder / "00 new.png"
    first.write_bytes(b"\1\1")
    with pytest.raises(JobFailed, match="source has changed"):
        go_on()
    first.unlink()
    results = go_on()
    check(results, set(), at_least=COUNT)
    assert len(results) == COUNT


def test_a_list_that_is_too_short_is_refused(workless: Workless, folder: Path) -> None:
    """It does not tell which images have answers."""
    job = create(workless, folder)
    with pytest.raises(Interrupted):
        run(workless, folder, job, after=3 * BATCH)
    job_file(workless.settings, job, "list").write_bytes(b"")
    with pytest.raises(JobFailed, match="source has changed"):
        run(workless, folder, job)


def test_a_report_reads_the_list_while_a_client_has_it_open(workless: Workless, folder: Path) -> None:
    """A job has ended for others a moment before its client has."""
    (folder / "notes.txt").write_text("x")
    job = create(workless, folder)
    run(workless, folder, job)
    with ListedImages(job_file(workless.settings, job, "list")):
        source = reopen_submitted(options_of(folder), workless.settings, job)
    assert (source.total, source.is_listed, sum(source.left_out.values())) == (COUNT, True, 1)


def test_nothing_is_read_again_of_what_is_answered(
    workless: Workless, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resuming a large job costs only what is left of it."""
    job = create(workless, folder)
    whole = run(workless, folder, job)
    assert whole is not None
    monkeypatch.setattr(GrowingFolder, "load", lambda *_: iter(()))
    again = run(workless, folder, job)
    assert again is not None
    assert again.names == whole.names
    assert job_file(workless.settings, job, "list").exists()
