"""Arrivals as Linux tells them: a file has arrived when its writer closes it, or when it is renamed into place.

The kernel tells this about the files of one folder, and only for what happens after the watch on the folder stands. So
each new folder is watched first and listed then. The kernel drops events when its queue is full, and says so: then all
folders are listed. A file that is found in a list may still be written, so it must stay the same for a while.

inotify(7), Linux man-pages.
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from inotify_simple import INotify, flags

from model.errors import UsageError
from producer.sources.naming import is_image
from producer.sources.reading import explain
from producer.watching.arrivals import SETTLED_SECONDS, Settling, Waker
from producer.watching.tree import Tree

_MASK = (
    flags.CLOSE_WRITE
    | flags.MOVED_TO
    | flags.MOVED_FROM
    | flags.CREATE
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
)
_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "vboxsf", "virtiofs"}
    | {"fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"}
)
_GONE = flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT


class InotifyArrivals:
    """Implements `arrivals.Arrivals` for the folders of a local file system. All files that are there arrive first.

    Args:
        tree: The watched folder.
        waker: What ends a wait.
        clock: Function that returns the time in seconds; it must never go back.

    Raises:
        UsageError: The folder cannot be watched.
    """

    problem = ""

    def __init__(self, tree: Tree, waker: Waker, clock: Callable[[], float] = time.monotonic) -> None:
        self._tree = tree
        self._waker = waker
        self._clock = clock
        self._settling = Settling(tree, clock)
        self._folders: dict[int, str] = {}  # names by watch
        self._list_at = float("inf")  # when all folders are listed, because events were lost
        try:
            self._inotify = INotify(nonblocking=True)
        except OSError as fault:
            raise _refused(fault) from fault
        try:
            self._list("")
        except BaseException:
            self.close()
            raise

    def wait(self, seconds: float) -> list[str]:
        """Wait for arrivals; see `arrivals.Arrivals`."""
        due = min(self._settling.seconds, self._list_at - self._clock())
        self._waker.wait(min(seconds, due), self._inotify.fileno())
        arrived: dict[str, None] = {}
        for watch, mask, _, entry in self._inotify.read(timeout=0):
            if mask & flags.Q_OVERFLOW:
                self._list_at = min(self._list_at, self._clock() + SETTLED_SECONDS)  # once for a burst
            else:
                self._take(watch, mask, entry, arrived)
        if self._clock() >= self._list_at:
            self._list_at = float("inf")
            self._list("")
        arrived.update(dict.fromkeys(self._settling.settled()))
        return list(arrived)

    def look_again(self, name: str) -> None:
        """Wait until a file stays the same; see `arrivals.Arrivals`."""
        self._settling.add(name)

    def close(self) -> None:
        """End all watches."""
        self._inotify.close()

    def _take(self, watch: int, mask: int, entry: str, arrived: dict[str, None]) -> None:
        folder = self._folders.get(watch)
        if folder is None:
            return  # it was moved away meanwhile
        if not entry:
            if mask & _GONE and not folder:
                raise UsageError(f"The folder {self._tree.root!r} was deleted, moved or unmounted.")
            if mask & flags.IGNORED:
                del self._folders[watch]
            return
        name = folder + entry
        if not self._tree.takes(name):
            return
        if not mask & flags.ISDIR:
            self._take_file(name, mask, arrived)
        elif mask & flags.MOVED_FROM:
            self._forget(f"{name}/")
        elif mask & (flags.CREATE | flags.MOVED_TO):
            self._list(f"{name}/")

    def _take_file(self, name: str, mask: int, arrived: dict[str, None]) -> None:
        if mask & (flags.CREATE | flags.MOVED_TO) and self._is_link(name):
            if Path(self._tree.path(name)).is_dir():
                self._list(f"{name}/")
            else:
                self._settling.add(name)  # because nobody closes a link
        elif mask & flags.MOVED_TO or (mask & flags.CLOSE_WRITE and is_image(name)):
            self._settling.drop(name)
            arrived[name] = None
        elif mask & flags.CLOSE_WRITE:
            self._settling.add(name)  # because many programs write a file under another name, and rename it then

    def _list(self, folder: str) -> None:
        """Watch a folder and all folders in it, and look at the files that are there."""
        try:
            for name in self._tree.files(folder, self._watch):
                self._settling.add(name)
        except OSError as fault:
            raise _refused(fault) from fault

    def _watch(self, folder: str) -> bool:
        """Watch a folder, and return whether to list it. The same folder under a second name is not listed again."""
        try:
            watch = self._inotify.add_watch(self._tree.path(folder), _MASK)
        except OSError as fault:
            if fault.errno in (errno.ENOSPC, errno.ENOMEM) or not folder:
                raise
            return False  # it is gone again, or not for us
        other = self._folders.setdefault(watch, folder)
        if other != folder and not self._is_same(other, folder):
            other = self._folders[watch] = folder
        return other == folder

    def _is_same(self, one: str, other: str) -> bool:
        """Return whether two names lead to one folder."""
        try:
            return Path(self._tree.path(one)).samefile(self._tree.path(other))
        except OSError:
            return False

    def _forget(self, folder: str) -> None:
        """End the watches on a folder that was moved, and on all folders in it. It may have a new name."""
        for watch, name in list(self._folders.items()):
            if name.startswith(folder):
                del self._folders[watch]
                self._end(watch)

    def _end(self, watch: int) -> None:
        try:
            self._inotify.rm_watch(watch)
        except OSError:  # the folder is deleted
            return

    def _is_link(self, name: str) -> bool:
        try:
            status = os.lstat(self._tree.path(name))
        except OSError:
            return False
        return stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink > 1)


def _refused(fault: OSError) -> UsageError:
    if fault.errno in (errno.ENOSPC, errno.EMFILE):
        setting = "max_user_watches" if fault.errno == errno.ENOSPC else "max_user_instances"
        return UsageError(
            f"The system refuses to watch so many folders. Raise fs.inotify.{setting} with sysctl, or use --poll."
        )
    return UsageError(f"The folder cannot be watched: {explain(fault)}. Correct this, or use --poll.")


def network_file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the kind of the network file system that holds a folder, or "" if none does.

    Such a file system does not tell what other machines write.

    Args:
        folder: The folder.
        mounts: File that lists all mounts; see proc_pid_mountinfo(5).
    """
    try:
        device = folder.stat().st_dev
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for fields in map(str.split, lines):
        if "-" in fields[:-1] and fields[2] == f"{os.major(device)}:{os.minor(device)}":
            kind = fields[fields.index("-") + 1]
            return kind if kind in _NETWORK else ""
    return ""
