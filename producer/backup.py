"""A backup of a whole mill as one file, and its restoration into an empty one.

The file is a tar archive. It has an entry for each key of Redis, then the files of the data folder, and at the end a
list with the SHA-256 of each entry. Without that list it is not whole.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from model.errors import UsageError
from model.printable import printable
from model.private_files import PRIVATE_UMASK, open_private, whole_file
from model.records import Damaged, from_json
from worker.contract.backup import MADE_BY_USE, StoredKey, store, stored_keys
from worker.contract.errors import WireError

if TYPE_CHECKING:
    import redis

FORMAT = 1
LIST = "digitmill-backup.json"
"""Name of the last entry, which has the SHA-256 of all others."""

KEPT = ("jobs", "taught", "training")
"""Folders of the data folder that a backup has. The others hold logs and the files of the server, whose keys it has.

What users have put beside them, such as earlier backups, is not a part of the mill.
"""

_KEYS, _FILES = "redis/", "data/"


@dataclass(frozen=True, slots=True)
class BackupCounts:
    """What a backup has.

    Attributes:
        keys: Number of keys of Redis.
        files: Number of files of the data folder.
        kept: Keys that a restoration left as they were, because Redis already had them.
    """

    keys: int
    files: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Contents:
    """The last entry: the SHA-256 of each entry by its name."""

    entries: dict[str, str]


def back_up(client: "redis.Redis", data: Path, path: Path) -> BackupCounts:
    """Write a backup. The file is there when it is whole.

    Args:
        client: Connection of `connection.connect`.
        data: Data folder of this machine: orders and journals of its jobs, taught images of its trainer.
        path: New file.

    Raises:
        UsageError: The file exists, or cannot be written.
        WireError: A key holds another type than digitmill stores there.
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    digests: dict[str, str] = {}
    keys = files = 0
    try:
        with whole_file(path, private=True) as file, tarfile.TarFile(fileobj=file, mode="w") as archive:
            for stored in stored_keys(client):
                _add(archive, f"{_KEYS}{keys:06d}", stored.to_bytes(), digests)
                keys += 1
            for found in _files_below(data):
                if (content := _content(found)) is not None:
                    _add(archive, _FILES + found.relative_to(data).as_posix(), content, digests)
                    files += 1
            contents = {"format": FORMAT, **asdict(_Contents(digests))}
            _add(archive, LIST, json.dumps(contents).encode(), {})
    except FileExistsError:
        raise UsageError(f"{path} exists. Name a new file.") from None
    except OSError as fault:
        raise UsageError(f"The backup cannot be written to {path} ({fault.strerror}). Name another file.") from fault
    return BackupCounts(keys, files)


def _content(path: Path) -> bytes | None:
    """Return the content of a file of the data folder, or None if the file has gone.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:  # its job was forgotten meanwhile
        return None
    except OSError as fault:
        raise UsageError(
            f"{path} cannot be read ({fault.strerror}), so the backup would not be whole. Let this user read it, and "
            "run the command again."
        ) from fault


def restore(client: "redis.Redis", data: Path, path: Path) -> BackupCounts:
    """Restore a backup into a Redis without data of digitmill, and a data folder without the files that it has.

    What running processes and operators have put into an otherwise empty Redis stays as it is, such as the schedule and
    whether the queue is paused. Everything is verified before anything is written. If the restoration is interrupted,
    empty both and try again.

    Args:
        client: Connection of `connection.connect`.
        data: Data folder of this machine.
        path: The backup.

    Raises:
        UsageError: The file is not a whole backup, or Redis or the data folder holds something already.
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    names = _verify(path)
    if there := [key for key in MADE_BY_USE if client.exists(key)]:
        raise UsageError(
            f"This Redis holds data of digitmill already ({there[0]}). Restore into an empty one, such as a new "
            "database or a new data folder."
        )
    targets = {name: data / name.removeprefix(_FILES) for name in names if name.startswith(_FILES)}
    if exists := next((target for target in targets.values() if target.exists()), None):
        raise UsageError(f"{exists} exists already. Restore into an empty data folder (DIGITMILL_DATA).")
    before, kept = os.umask(PRIVATE_UMASK), []
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                content = _read(archive, member)
                if member.name.startswith(_KEYS):
                    stored = StoredKey.from_bytes(content)
                    if not store(client, stored):
                        kept.append(stored.key)
                elif member.name in targets:
                    target = targets[member.name]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with open_private(target, "xb") as file:
                        file.write(content)
    except OSError as fault:
        raise UsageError(f"The data folder {data} cannot be written ({fault.strerror}). Correct this.") from fault
    finally:
        os.umask(before)
    return BackupCounts(len(names) - len(targets), len(targets), tuple(kept))


def _verify(path: Path) -> list[str]:
    """Return the names of all entries but the last of a backup, if it is whole.

    Raises:
        UsageError: It is not.
    """
    digests: dict[str, str] = {}
    said: dict[str, str] | None = None
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                content = _read(archive, member)
                if member.name == LIST:
                    said = from_json(_Contents, content, format=FORMAT).entries
                    continue
                if member.name.startswith(_KEYS):
                    StoredKey.from_bytes(content)
                else:
                    _check_name(member.name)
                digests[member.name] = hashlib.sha256(content).hexdigest()
    except OSError as fault:
        raise UsageError(
            f"{path} cannot be read ({fault.strerror or fault}). Name a file of `digitmill backup`."
        ) from None
    # Headers may be nested without end, or say that they are larger than the memory.
    except (tarfile.TarError, WireError, ValueError, EOFError, RecursionError, MemoryError, OverflowError) as fault:
        raise UsageError(f"{path} is not a whole backup ({printable(str(fault))}). Take another one.") from None
    if said is None:
        raise UsageError(f"{path} is not a whole backup: its end is missing. Take another one.")
    if said != digests:
        altered = sorted(name for name in said.keys() | digests.keys() if said.get(name) != digests.get(name))
        raise UsageError(f"{path} was altered or damaged: {printable(altered[0])} differs. Take another backup.")
    return list(digests)


def _check_name(name: str) -> None:
    """Check that a file of a backup belongs into the data folder.

    Raises:
        Damaged: It does not.
    """
    parts = name.removeprefix(_FILES).split("/")
    if not name.startswith(_FILES) or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Damaged(f"{name} leads out of the data folder")


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file: IO[bytes] | None = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise tarfile.TarError(f"{member.name} is not a file")
    return file.read()


def _add(archive: tarfile.TarFile, name: str, content: bytes, digests: dict[str, str]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))
    digests[name] = hashlib.sha256(content).hexdigest()


def _files_below(data: Path) -> Iterator[Path]:
    """Yield the regular files of the data folder that a backup has, sorted."""
    for top in (data / name for name in KEPT):
        if not top.is_symlink():
            yield from (path for path in sorted(top.rglob("*")) if path.is_file() and not path.is_symlink())
