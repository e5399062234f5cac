"""The record of a watcher, beside its output: an index of the files that are done, and the files that are under way.

The output is the truth about what is done. The record keeps how far it has read the output, with a checksum, so it
notices each change of it and reads it again. Therefore it may be deleted whenever no watcher runs. But the output
has no digests, so a file that the record has no digest of gets another row if its time is set back after its row.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from model.errors import UsageError
from model.private_files import open_private
from producer.watching.output import Extent, Found, Output
from producer.watching.rows import one_line
from producer.watching.tree import Version

_FORMAT = 2
_TABLES = f"""
CREATE TABLE IF NOT EXISTS outputs (name TEXT PRIMARY KEY, size INTEGER, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS done (
  name TEXT, size INTEGER, modified INTEGER, failed INTEGER, digest BLOB, output TEXT,
  PRIMARY KEY (name, size, modified)
) WITHOUT ROWID;
CREATE TEMPORARY TABLE kept (
  name TEXT, size INTEGER, modified INTEGER, digest BLOB, PRIMARY KEY (name, size, modified)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS under_way (
  name BLOB, size INTEGER, modified INTEGER, PRIMARY KEY (name, size, modified)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
"""


class Record:
    """What a watcher knows about files. One process at a time may open it, which the lock of the output ensures.

    Args:
        path: File of the record. A damaged one, or one of another format, is replaced.

    Raises:
        UsageError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            try:
                self._database = _open(path)
            except sqlite3.DatabaseError:
                for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                    each.unlink(missing_ok=True)
                self._database = _open(path)
        except (OSError, sqlite3.Error) as fault:
            raise UsageError(f"{path} cannot be written: {fault}. Correct this and start again.") from fault

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def read(self, output: Output) -> None:
        """Take in what an output has, and what is new or different in it since the last time.

        Files that a deleted output of one day had stay done. Without --rotate, there is only one output, and what it
        no longer has is not done.

        Raises:
            UsageError: The output has something else than rows, or cannot be read.
        """
        paths = output.paths()
        with self._writing() as database:
            if output.path not in paths:
                self._forget(output.path.name)
            for path in paths:
                known = Extent()
                if row := database.execute(
                    "SELECT size, checksum FROM outputs WHERE name = ?", (path.name,)
                ).fetchone():
                    known = Extent(*row)
                for found, extent in output.read(path, known):
                    if not extent.size:
                        self._forget(path.name)
                    self._add(found, path.name, extent)
            database.execute(
                "INSERT OR REPLACE INTO done SELECT name, size, modified, failed, kept.digest, output"
                " FROM done JOIN kept USING (name, size, modified)"
            )
            database.execute("DELETE FROM kept")

    def begin(self, versions: Iterable[Version]) -> None:
        """Note files before they are classified."""
        with self._writing() as database:
            database.executemany(
                "INSERT OR IGNORE INTO under_way VALUES (?, ?, ?)",
                [(os.fsencode(name), size, modified) for name, size, modified in versions],
            )

    def give_up(self, versions: Iterable[Version]) -> None:
        """Note that files are not under way any more, and not done either."""
        with self._writing() as database:
            database.executemany(
                "DELETE FROM under_way WHERE (name, size, modified) = (?, ?, ?)",
                [(os.fsencode(name), size, modified) for name, size, modified in versions],
            )

    def finish(self, found: Sequence[Found], begun: Iterable[Version], output: str, extent: Extent) -> None:
        """Note files after their rows were written.

        Args:
            found: The files.
            begun: The files as they were noted at first.
            output: Name of the output file that has the rows.
            extent: Its extent.
        """
        with self._writing() as database:
            self._add(found, output, extent)
            database.executemany(
                "DELETE FROM under_way WHERE (name, size, modified) = (?, ?, ?)",
                [(os.fsencode(name), size, modified) for name, size, modified in begun],
            )

    def under_way(self) -> list[Version]:
        """Return the files that were noted and are neither done nor given up."""
        rows = self._database.execute("SELECT name, size, modified FROM under_way ORDER BY modified")
        return [Version(os.fsdecode(name), size, modified) for name, size, modified in rows]

    def failed(self, version: Version) -> bool | None:
        """Return whether an image of a file has failed, or None if the file is not done."""
        row = self._database.execute(
            "SELECT failed FROM done WHERE (name, size, modified) = (?, ?, ?)",
            (key_of(version.name), version.size, version.modified),
        ).fetchone()
        return None if row is None else bool(row[0])

    def failed_by_content(self, version: Version, read: Callable[[], bytes]) -> bool | None:
        """Do the same as `failed` for a file whose time was set back after its row was written, and note its new time.

        Some programs, such as FTP clients, keep the time of a file that they copy. They set it last. A program that
        writes a file anew usually gives it a later time.

        Args:
            version: The file with its new time.
            read: Function that returns the digest of the file's content, or nothing if it cannot be read. It is called
                only if the record has a file of this name and size with a later time and a digest.
        """
        found = self._database.execute(
            "SELECT failed, digest, output FROM done WHERE (name, size) = (?, ?) AND modified > ? AND digest != x''"
            " ORDER BY modified DESC",
            (key_of(version.name), version.size, version.modified),
        ).fetchall()
        digest = read() if found else b""
        for failed, known, output in found:
            if known == digest:
                with self._writing():
                    self._insert([Found(version, bool(failed), digest)], output)
                return bool(failed)
        return None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the database, and commit at the end.

        Raises:
            UsageError: It cannot be written.
        """
        try:
            with self._database as database:
                yield database
        except sqlite3.Error as fault:
            raise UsageError(f"{self._path} cannot be written: {fault}. Correct this and start again.") from fault

    def _add(self, found: Sequence[Found], output: str, extent: Extent) -> None:
        self._insert(found, output)
        self._database.execute("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", (output, *extent))

    def _insert(self, found: Sequence[Found], output: str) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?, ?, ?)",
            [
                (key_of(name), size, modified, failed, digest, output)
                for (name, size, modified), failed, digest in found
            ],
        )

    def _forget(self, output: str) -> None:
        """Forget the files of an output, but keep their digests, because the output does not have them."""
        self._database.execute(
            "INSERT OR REPLACE INTO kept SELECT name, size, modified, digest FROM done WHERE output = ?"
            " AND digest != x''",
            (output,),
        )
        for table, column in (("done", "output"), ("outputs", "name")):
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (output,))  # noqa: S608  names of ours


def key_of(name: str) -> str:
    """Return a name as every output has it: with escapes for line breaks and for bytes that are not UTF-8."""
    return one_line(name).encode("utf-8", "backslashreplace").decode()


def _open(path: Path) -> sqlite3.Connection:
    open_private(path, "ab").close()
    with closing(sqlite3.connect(path)) as before:
        if before.execute("PRAGMA user_version").fetchone()[0] not in (0, _FORMAT):
            raise sqlite3.DatabaseError("another format")
    database = sqlite3.connect(path)
    with suppress(sqlite3.OperationalError):
        # No other process reads it, so it needs no shared memory, which network file systems lack.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(_TABLES)
    if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        database.close()
        raise sqlite3.DatabaseError("damaged")
    return database
