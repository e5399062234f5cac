"""Files and folders that only their user can read, whatever the umask is.

Journals have the names of images, the server's files have their pixels, and a socket gives access to all of them.
"""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

from model.errors import UsageError

PRIVATE_UMASK: Final = 0o077
"""Umask of processes that write only private files."""

_FOLDER, _FILE = 0o700, 0o600
_OTHERS = 0o077  # what a mode allows to everybody else
_SHARED = stat.S_ISVTX | stat.S_ISGID  # modes of folders that several users share on purpose

_OURS = re.compile(
    r"jobs|mill|workers|taught|training"  # in the data folder
    r"|\d{6}-\d{6}-.+"  # what belongs to a job or training
    r"|lock|redis\.sock|server\.out|.+\.log|appendonlydir|dump\.rdb|temp-.+\.(aof|rdb)"  # in the folder of a mill
    r"|\d|held-back|\.keeper"  # in the folder of taught images
    r"|mnist\.npz"  # in the cache
)
"""Names that digitmill and its server give to files and folders."""


def make_private_folder(folder: Path) -> None:
    """Create a folder that only this user can enter, or make an existing one private if it is digitmill's.

    An existing folder is digitmill's if it belongs to this user and holds nothing of another name than digitmill gives.
    Any other folder keeps its mode, because a user may have named a folder with other contents, or one that several
    users share. Whatever digitmill creates in it is private nevertheless. Missing parents get the usual mode.

    Args:
        folder: Absolute path of the folder. A relative one means that this user has no home folder.

    Raises:
        OSError: The folder cannot be created.
        UsageError: There is no home folder, and no setting names another folder.
    """
    if not folder.is_absolute():
        raise UsageError(
            "This user has no home folder. Set DIGITMILL_DATA, and DIGITMILL_CACHE for downloads, to folders of your "
            "own."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(_FOLDER)
    except FileExistsError:
        status = folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise
        if status.st_uid != os.geteuid() or not status.st_mode & _OTHERS or status.st_mode & _SHARED:
            return
        if not all(_OURS.fullmatch(path.name) for path in folder.iterdir()):
            return
    folder.chmod(_FOLDER)  # for a new folder too, because the umask may have taken rights from the user


def open_private(path: Path, mode: Literal["ab", "a+b", "wb", "xb"]) -> BinaryIO:
    """Open a file that only this user can read, for writing. Make an existing file of this user private.

    Raises:
        OSError: The file cannot be opened.
    """
    file = open(path, mode, opener=_open_private)  # noqa: SIM115  Path.open takes no opener
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != _FILE:
        with contextlib.suppress(PermissionError):  # some file systems have no modes
            os.fchmod(file.fileno(), _FILE)
    return file


@contextlib.contextmanager
def whole_file(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """Open a new file, which gets its name at the end of the context, when it is whole and on the disk.

    Several processes may write files of one name. The first that ends gives its file the name, and the others fail.

    Args:
        path: Path of the file.
        private: Whether only this user may read it.

    Raises:
        FileExistsError: Something has that name already.
        OSError: The file cannot be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists")
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open_private(draft, "xb") if private else draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # some file systems have no links
            draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, _FILE)
