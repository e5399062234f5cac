"""The output is the truth about what is done, and the record follows it."""

import fcntl
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import Failure, FailureCode, UsageError
from producer.calls.prediction import Prediction
from producer.watching.output import Extent, Found, Output, locked
from producer.watching.record import Record
from producer.watching.rows import CsvRows, JsonRows, Row, RowFormat
from producer.watching.tree import Version
from tests.support.clock import Clock

SURE = Prediction(7, 0.9, None, "baseline-1", review=False)
BLANK = Prediction.failed(Failure(FailureCode.BLANK, "It is blank."))
FORMATS: dict[str, RowFormat] = {
    ".jsonl": JsonRows(probabilities=False, numbers=False),
    ".csv": CsvRows(probabilities=False, numbers=False),
}
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# A file by its number of pages, or 0 if it is not a document, and whether it failed.
files = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=8)


def rows_of(index, pages, failed):
    """Return a file and its rows."""
    version = Version(f"sub/{index}.tif", 100 + index, 10**18 + index)
    names = [f"{version.name}#page={page}" for page in range(1, pages + 1)] or [version.name]
    return version, [Row(name, BLANK if failed and name == names[-1] else SURE) for name in names]


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    """An output of each format."""
    return tmp_path / f"results{request.param}"


def opened(path, **options):
    """Open an output."""
    return Output(path, FORMATS[path.suffix], **options)


def write(path, given, record=None, **options):
    """Write files to an output, and perhaps into a record. Return them."""
    output = opened(path, **options)
    written = [rows_of(index, *each) for index, each in enumerate(given)]
    for (version, rows), (_, failed) in zip(written, given, strict=True):
        name, extent = output.append([(version, rows)])
        if record is not None:
            record.finish([Found(version, failed)], [version], name, extent)
    output.close()
    return [version for version, _ in written]


def read(path, index):
    """Return a record after it has read an output."""
    record = Record(index)
    record.read(opened(path))
    return record


@same_folder
@given(files, st.data())
def test_a_torn_output_is_cut_after_its_last_whole_file(path, given, data):
    """Wherever the writer was killed. The record then has exactly the files before, whatever it had."""
    index = path.with_name("index")
    for each in (path, index, *path.parent.glob("index-*")):
        each.unlink(missing_ok=True)
    record = Record(index)
    known = data.draw(st.integers(0, len(given)), label="files that the record knows")
    write(path, given[:known], record)
    record.close()
    whole = []
    path.unlink(missing_ok=True)
    output = opened(path)
    for version, rows in (rows_of(number, *each) for number, each in enumerate(given)):
        output.append([(version, rows)])
        whole.append(path.stat().st_size)
    output.close()
    versions = [rows_of(number, *each)[0] for number, each in enumerate(given)]
    at = data.draw(st.integers(0, whole[-1]), label="bytes that are left")
    os.truncate(path, at)
    if data.draw(st.booleans(), label="the record is lost"):
        index.unlink()
    record = read(path, index)
    kept = [failed if size <= at else None for (_, failed), size in zip(given, whole, strict=True)]
    assert [record.failed(version) for version in versions] == kept
    header = len(FORMATS[path.suffix].header)
    assert path.stat().st_size == max([size for size in whole if size <= at], default=header if at >= header else 0)
    record.close()


def test_what_a_user_deletes_from_the_output_is_not_done_any_more(path, tmp_path):
    """The record notices it, although it has read the output before. So one can ask for a file again."""
    index = tmp_path / "index"
    record = Record(index)
    versions = write(path, [(0, False)] * 5, record)
    record.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"sub/1.tif" not in line))
    record = read(path, index)
    assert [record.failed(version) for version in versions] == [False, None, False, False, False]
    record.close()
    path.unlink()
    record = read(path, index)
    assert [record.failed(version) for version in versions] == [None] * 5
    record.close()


def test_an_output_that_has_changed_is_read_again_without_losing_what_is_known_of_contents(path, tmp_path):
    """A row that a user deletes does not give all files whose time was set back another row."""
    index = tmp_path / "index"
    record, output = Record(index), opened(path)
    versions = []
    for number in range(3):
        version, rows = rows_of(number, 0, failed=False)
        name, extent = output.append([(version, rows)])
        record.finish([Found(version, False, b"digest")], [version], name, extent)
        versions.append(version)
    record.close()
    output.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"sub/1.tif" not in line))
    record = read(path, index)
    earlier = [version._replace(modified=1) for version in versions]
    assert [record.failed_by_content(version, lambda: b"digest") for version in earlier] == [False, None, False]
    record.close()


def test_only_what_is_new_in_the_output_is_read(path, tmp_path, monkeypatch):
    """A long output costs a checksum at the start, and not more."""
    index = tmp_path / "index"
    record = Record(index)
    write(path, [(0, False)] * 5, record)
    record.close()
    kind, decoded = type(FORMATS[path.suffix]), []
    monkeypatch.setattr(kind, "decode", lambda _, line: decoded.append(line))
    monkeypatch.setattr(kind, "begins", lambda *_: True)  # which may read the first row
    read(path, index).close()
    assert decoded == []
    index.unlink()
    read(path, index).close()
    assert len(decoded) >= 5


def test_a_damaged_record_is_replaced(path, tmp_path):
    """So is one of another version. The output has all that matters."""
    index = tmp_path / "index"
    record = Record(index)
    versions = write(path, [(0, True)], record)
    record.close()
    index.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    record = read(path, index)
    assert record.failed(versions[0]) is True
    record._database.execute("PRAGMA user_version = 99")
    record.close()
    record = read(path, index)
    assert record.failed(versions[0]) is True
    record.close()


def test_each_day_has_a_file_of_its_own(path, tmp_path):
    """All of them say what is done. A day that a user deletes stays done, because that is how one keeps house."""
    index, clock = tmp_path / "index", Clock(1764136800.0)
    record = Record(index)
    output = opened(path, by_day=True, clock=clock)
    versions = []
    for number in range(3):
        version, rows = rows_of(number, 0, failed=False)
        record.finish([Found(version, False)], [version], *output.append([(version, rows)]))
        versions.append(version)
        clock.sleep(86400)
    output.close()
    record.close()
    days = opened(path).paths()
    assert all(re.fullmatch(r"results-2025-11-2\d\.\w+", day.name) for day in days)
    assert len(days) == 3
    days[0].unlink()
    record = read(path, index)
    assert [record.failed(version) for version in versions] == [False] * 3
    record.close()
    index.unlink()
    record = read(path, index)
    assert [record.failed(version) for version in versions] == [None, False, False]
    record.close()


@pytest.mark.parametrize("content", [b"my notes\n", b"name,label\na.png,3\n", b'{"some": "thing"}\n', b"torn notes"])
def test_a_file_of_somebody_else_is_neither_cut_nor_continued(path, tmp_path, content):
    """The message says to name another file."""
    path.write_bytes(content)
    with pytest.raises(UsageError, match="Name another file"):
        read(path, tmp_path / "index")
    assert path.read_bytes() == content


def test_a_table_with_other_columns_is_refused(tmp_path):
    """It was written with other options."""
    path = tmp_path / "results.csv"
    write(path, [(0, False)])
    other = Output(path, CsvRows(probabilities=True, numbers=False))
    record = Record(tmp_path / "index")
    with pytest.raises(UsageError, match="same options"):
        record.read(other)
    record.close()


def test_files_under_way_are_remembered(tmp_path):
    """Also those whose names are not UTF-8."""
    index = tmp_path / "index"
    record = Record(index)
    names = ["a.png", os.fsdecode(b"\xff.png"), "b\n.png"]
    record.begin(Version(name, 1, number) for number, name in enumerate(names))
    record.finish([Found(Version("a.png", 1, 0), False)], [Version("a.png", 1, 0)], "results.jsonl", Extent())
    record.close()
    record = Record(index)
    assert [version.name for version in record.under_way()] == names[1:]
    record.give_up([Version(names[1], 1, 1)])
    assert record.under_way() == [Version(names[2], 1, 2)]
    record.close()


def test_a_file_whose_time_was_set_back_is_known_by_its_content(tmp_path):
    """From then on it is known by its new time. A later time means that somebody has written it, and gets a row."""
    record = Record(tmp_path / "index")
    old, new = Version("a.png", 4, 100), Version("a.png", 4, 50)
    record.finish([Found(old, True, b"digest")], [], "results.jsonl", Extent())
    reads = []

    def read(digest):
        reads.append(digest)
        return digest

    assert record.failed_by_content(new, lambda: read(b"other")) is None
    assert record.failed_by_content(new, lambda: read(b"")) is None  # it cannot be read
    assert record.failed(new) is None
    assert record.failed_by_content(new, lambda: read(b"digest")) is True
    assert record.failed(new) is True
    assert len(reads) == 3
    for other in (Version("a.png", 4, 200), Version("a.png", 5, 50), Version("b.png", 4, 50)):
        assert record.failed_by_content(other, lambda: read(b"digest")) is None
    assert len(reads) == 3
    record.finish([Found(Version("c.png", 4, 100), False)], [], "results.jsonl", Extent())  # as read from an output
    assert record.failed_by_content(Version("c.png", 4, 50), lambda: read(b"")) is None
    record.close()


def test_a_second_watcher_is_refused(path):
    """While the first runs. A lock file that is left over does not matter."""
    for _ in range(2):
        with locked(path), pytest.raises(UsageError, match="Another `digitmill watch` writes to"), locked(path):
            pass
    with path.with_name(f"{path.name}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_output_that_was_moved_away_is_not_written_to(path):
    """A new one begins."""
    output = opened(path)
    output.append([rows_of(0, 0, failed=False)])
    path.rename(path.with_name("old"))
    output.append([rows_of(1, 0, failed=False)])
    output.close()
    assert b"sub/1.tif" in path.read_bytes()
    assert path.read_bytes().startswith(FORMATS[path.suffix].header)
    assert b"sub/1.tif" not in path.with_name("old").read_bytes()
