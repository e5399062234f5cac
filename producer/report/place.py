"""The place of a report: a folder in which nothing of anybody else is replaced or removed.

A report may be written into a folder that does not exist, that is empty, or that holds an earlier report. A name proves
nothing, so `report.json` has the SHA-256 of each file that was written with it, and only such a file is replaced. The
report is written into a folder of drafts inside the place, and then moved into the place file by file. If the program
is killed meanwhile, the folder of drafts stays and has the SHA-256 sums of all files that it may have moved.

A table that grows while its job runs does not have a sum yet. The folder of drafts then says which file it is.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from model.errors import UsageError
from producer.report.cards.naming import is_page
from producer.report.files import replacing
from producer.sources.naming import is_clutter

PAGE, FIGURES = "report.html", "report.json"
PREDICTIONS, ERRORS, REVIEW = "predictions.csv", "errors.csv", "review.csv"
CONFUSION, CONFIDENCE, CALIBRATION = "confusion.png", "confidence.png", "calibration.png"
PREDICTED, THROUGHPUT, TRAINING = "predictions.png", "throughput.png", "training.png"

PNGS = frozenset({CONFUSION, CONFIDENCE, CALIBRATION, PREDICTED, THROUGHPUT, TRAINING})
"""Names of the pictures for slides and papers."""

FILES = frozenset({PAGE, FIGURES, PREDICTIONS, ERRORS, REVIEW}) | PNGS
"""Names of the files that a report may have, without the pages that only have cards."""

_DRAFTS = ".digitmill-report"
_SUMS = "sums.json"  # among the drafts: SHA-256 of all files that may have been moved out of there
_GROWING = "growing.json"  # among the drafts: device and inode of a predictions.csv that grew and was not replaced yet
_KEPT = frozenset({_SUMS, _GROWING})
_SUMS_KEY = "files"  # in report.json: SHA-256 of each file, by name; that of report.json itself leaves out this key
_MAX_FIGURES_BYTES = 64 * 1024**2
_LONGEST_NAME = "x" * 32  # longer than any name among the drafts
_EDIT_SECONDS = 60.0  # reports of versions up to 0.2 have no sums; a file so much younger than report.json was edited


def is_report_file(name: str) -> bool:
    """Return whether a file of a report may have this name."""
    return name in FILES or is_page(name)


def check_place(folder: Path) -> None:
    """Check that a report can be written into a folder. Afterwards everything is as it was before.

    The check writes a file, because permissions, limits and file systems cannot be predicted.

    Raises:
        UsageError: Something is in the way, or the folder cannot be written.
    """
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        with _explained(folder), _drafts(folder) as drafts:
            _check_contents(folder, drafts)
            (drafts / _LONGEST_NAME).touch()
    finally:
        _remove_empty(missing)


@contextlib.contextmanager
def replacing_report(folder: Path) -> Iterator[Path]:
    """Yield a folder for the files of a report. They replace the report in `folder` when the block ends.

    Files of the earlier report that the new one does not have are removed. Each file is replaced in one piece, and
    `report.json` is the last.

    Args:
        folder: Folder of the report, created if necessary. It keeps files of other names.

    Raises:
        UsageError: Something is in the way, or the folder cannot be written.
    """
    with _explained(folder), _drafts(folder) as drafts:
        _check_contents(folder, drafts)
        yield drafts
        written = _report_files(drafts)
        sums = _seal(drafts, written)
        with replacing(drafts / _SUMS) as draft:
            draft.write_text(json.dumps(sorted({*sums, *_moved_sums(drafts)})), encoding="utf-8")
        _check_contents(folder, drafts)  # again, because the user may have worked there meanwhile
        for name in sorted(written | _report_files(folder), key=lambda name: name == FIGURES):
            if name in written:
                (drafts / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
        for name in _KEPT:
            (drafts / name).unlink(missing_ok=True)


@contextlib.contextmanager
def adding_to(folder: Path) -> Iterator[None]:
    """Let no other process add to a report while this one looks what it lacks, sends that, and writes the rows.

    Otherwise both would send the same images.

    Args:
        folder: Folder of the report. It is created if necessary, and removed again if nothing was written into it.

    Raises:
        UsageError: Another process is adding to the report, or the folder cannot be written.
    """
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems have no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"Another process is adding to the report in {folder}. Wait until it ends, and run the command "
                    "again, or choose another folder with --out."
                ) from None
        yield
    finally:
        os.close(descriptor)
        _remove_empty(missing)


def is_joined(folder: Path) -> bool:
    """Return whether the report in a folder also has the rows of earlier jobs."""
    figures = _read_figures(folder / FIGURES)
    return bool(figures and figures.get("earlier"))


def find_report(folder: Path, job: str) -> dict[str, Any] | None:
    """Return the content of the report.json of a job's report in a folder, or None if it has no report of this job."""
    figures = _read_figures(folder / FIGURES)
    return figures if figures and figures["job"] == job and (folder / PAGE).is_file() else None


def open_growing_table(folder: Path, begin: Callable[[TextIO], None] = lambda _: None) -> TextIO:
    """Create the `predictions.csv` of a job that runs, in place of an earlier report's. The next report replaces it.

    Args:
        folder: Folder of the report, created if necessary. It keeps files of other names.
        begin: Function that writes the first rows, before the table replaces the other.

    Returns:
        The open file, as `tables` writes it.

    Raises:
        UsageError: Something is in the way, or the folder cannot be written.
    """
    with _explained(folder), _drafts(folder) as drafts:
        _check_contents(folder, drafts)
        file = (drafts / PREDICTIONS).open("w", encoding="utf-8", errors="backslashreplace", newline="")
        begin(file)
        file.flush()
        status = os.fstat(file.fileno())
        with replacing(drafts / _GROWING) as draft:
            draft.write_text(json.dumps([status.st_dev, status.st_ino]), encoding="utf-8")
        (drafts / PREDICTIONS).replace(folder / PREDICTIONS)
    return file


def grows(folder: Path) -> bool:
    """Return whether the `predictions.csv` in a folder grew, and no report has replaced it since."""
    status = (folder / PREDICTIONS).stat()
    return _read_growing(folder / _DRAFTS) == [status.st_dev, status.st_ino]


def _remove_empty(folders: Iterable[Path]) -> None:
    for each in folders:
        with contextlib.suppress(OSError):  # it was not made, or it was used meanwhile
            each.rmdir()


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn an error of the system into one that says what to do."""
    try:
        yield
    except OSError as fault:
        reason = "there is a file in its place" if isinstance(fault, FileExistsError) else fault.strerror or str(fault)
        raise UsageError(
            f"Cannot write the report into {folder} ({reason}). Make the folder writable, or choose another with --out."
        ) from fault


@contextlib.contextmanager
def _drafts(folder: Path) -> Iterator[Path]:
    """Create and lock the folder of drafts, yield it, and remove it unless it has sums that are still needed.

    Raises:
        OSError: It cannot be created.
        UsageError: Another process writes a report there.
    """
    drafts = folder / _DRAFTS
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(drafts)
    try:
        _clear(drafts)
        try:
            yield drafts
        finally:
            with contextlib.suppress(OSError):  # the first error matters more
                _clear(drafts)
                if not any(drafts.iterdir()):
                    drafts.rmdir()
    finally:
        os.close(lock)


def _lock(drafts: Path) -> int:
    """Create the folder of drafts, and return a file descriptor that keeps it locked."""
    while True:
        with contextlib.suppress(FileExistsError):
            drafts.mkdir()
        descriptor = os.open(drafts, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.lexists(drafts) and os.path.samestat(os.fstat(descriptor), drafts.lstat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(
                f"Another process is writing a report into {drafts.parent}. Wait until it ends, or choose another "
                "folder with --out."
            ) from None
        except FileNotFoundError:
            pass
        except OSError:  # this file system has no locks
            return descriptor
        os.close(descriptor)  # the process that had it locked has just removed it


def _clear(drafts: Path) -> None:
    """Remove all drafts, but not what says which files are ours."""
    for path in drafts.iterdir():
        if path.name not in _KEPT:
            path.unlink()


def _report_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if is_report_file(path.name)}


def _seal(drafts: Path, names: Collection[str]) -> list[str]:
    """Add to report.json the sums of all files of a report, and return the sums."""
    figures = json.loads((drafts / FIGURES).read_bytes())
    sums = {name: _sha256(drafts / name) for name in sorted(names) if name != FIGURES}
    figures[_SUMS_KEY] = {**sums, FIGURES: _sum_of_figures(figures)}
    (drafts / FIGURES).write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [*sums.values(), _sha256(drafts / FIGURES)]


def _check_contents(folder: Path, drafts: Path) -> None:
    """Check that a report in this folder replaces nothing but an earlier report.

    Raises:
        OSError: The folder cannot be read.
        UsageError: There are files of somebody else, and not a report; or a file of the report was changed.
    """
    names = sorted(path.name for path in folder.iterdir() if not is_clutter(path.name))
    figures, moved, growing = _read_figures(folder / FIGURES), _moved_sums(drafts), _read_growing(drafts)
    foreign = [
        name for name in names if not is_report_file(name) or not _is_known(folder / name, figures, moved, growing)
    ]
    if figures is None and foreign:
        raise UsageError(
            f"{folder} is not a report of digitmill, and it is not empty: it has {_some(foreign)}. digitmill "
            "replaces only reports. Choose an empty or a new folder with --out."
        )
    if edited := [name for name in foreign if is_report_file(name)]:
        raise UsageError(
            f"{folder / edited[0]} was changed after digitmill wrote it, and a new report would replace it. Move it "
            "away, or choose another folder with --out."
        )


def _is_known(path: Path, figures: Mapping[str, Any] | None, moved: Collection[str], growing: object) -> bool:
    """Return whether digitmill has written a file.

    Args:
        path: File of a name that reports have.
        figures: Content of the report.json beside it, or None if there is not a report.
        moved: SHA-256 sums of files that a killed program may have moved there.
        growing: Device and inode of a table that grew, as a list of two integers; None without one.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    if [status.st_dev, status.st_ino] == growing:
        return True
    sha256 = _sha256(path)
    if sha256 in moved:
        return True
    if figures is None:
        return False
    sums = figures.get(_SUMS_KEY)
    if not isinstance(sums, dict):  # a report of an earlier version
        return path.lstat().st_mtime <= (path.parent / FIGURES).lstat().st_mtime + _EDIT_SECONDS
    return sums.get(path.name) == (_sum_of_figures(figures) if path.name == FIGURES else sha256)


def _read_figures(path: Path) -> dict[str, Any] | None:
    """Return the content of a report.json, or None if there is not a file that digitmill may have written."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FIGURES_BYTES:
            return None
        figures = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    kinds = {"job": str, "state": str, "images": int, "classified": int, "failed": int}
    ours = isinstance(figures, dict) and all(isinstance(figures.get(key), kind) for key, kind in kinds.items())
    return figures if ours else None


def _moved_sums(drafts: Path) -> set[str]:
    """Return the sums of all files that a killed program may have moved out of the folder of drafts."""
    try:
        return set(json.loads((drafts / _SUMS).read_bytes()))
    except FileNotFoundError:
        return set()
    except (ValueError, TypeError):  # the machine stopped before they were on the disk
        return set()


def _read_growing(drafts: Path) -> object:
    """Return device and inode of the table that grew in this place, or None if there is not one."""
    try:
        return json.loads((drafts / _GROWING).read_bytes())
    except (FileNotFoundError, ValueError):  # the machine stopped before it was on the disk
        return None


def _sum_of_figures(figures: Mapping[str, Any]) -> str:
    body = {key: value for key, value in figures.items() if key != _SUMS_KEY}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
