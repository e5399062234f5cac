"""Images that the user names by their paths: files, and members of archives and array files."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode, UsageError
from producer.sources.folders.folder import SingleFile
from producer.sources.listing import Container, Listing
from producer.sources.naming import document_of
from producer.sources.reading import unreadable
from producer.sources.source import ImageContent

MISSING = Failure(FailureCode.MISSING, "This file does not exist.")
"""Failure of a path at which there is no file."""

_A_FOLDER = Failure(FailureCode.MISSING, "This is a folder. Name its images, or submit the folder itself.")
_NO_MEMBER = Failure(FailureCode.MISSING, "The archive is there, but this image is not in it.")
_FOREIGN_BYTE = re.compile(r"\\u(dc[89a-f][0-9a-f])")  # a byte that is not UTF-8, as the tables of a report write it


MAX_LIST_BYTES = 1024**3
"""Maximum size of a list of paths: ten million paths of a hundred bytes."""


def read_paths(file: BinaryIO, *, null: bool) -> list[str]:
    """Return the paths of a list, in its order.

    Args:
        file: The list, one path on each line. Bytes that are not UTF-8 are read as `os.fsdecode` does.
        null: Whether a NUL ends each path instead of a line break, as `find -print0` writes them.

    Raises:
        UsageError: The list is larger than `MAX_LIST_BYTES`.
    """
    data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise UsageError(f"The list of paths has more than {MAX_LIST_BYTES // 1024**3} GiB. Submit it in parts.")
    parts = data.split(b"\0") if null else (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [os.fsdecode(part) for part in parts if part]


class MemberPlace(NamedTuple):
    """The container of an image, and the image's place in it."""

    container: Container[Any]
    place: Any


class _Archive(NamedTuple):
    container: Container[Any]
    positions: dict[str, int]  # position of each image in the order in which reading is fastest


class PathList:
    """The images at some paths. A path may continue inside an archive or an array file, where it names a member.

    A path with backslashes is also tried with slashes, because Windows programs write it so. A path that ends with
    `#page=2` is that of a page.

    Each archive is listed once and read in its own order.

    Args:
        paths: Paths, as people or the report's tables write them.
        folders: Folders to search for relative paths, in this order.
        open_container: Function that opens an archive or an array file, or raises UsageError.
        pictures: Images that are known, uint8 (28, 28), by their paths, which need not lead anywhere.
    """

    def __init__(
        self,
        paths: Iterable[str],
        folders: Sequence[Path],
        open_container: Callable[[Path], Container[Any]],
        pictures: Mapping[str, NDArray[np.uint8]] = MappingProxyType({}),
    ) -> None:
        self._folders, self._open_container = folders, open_container
        self._archives: dict[Path, _Archive | Failure] = {}
        self.listing: Listing[MemberPlace] = Listing()
        places: dict[str, tuple[int, MemberPlace]] = {}
        if pictures:
            from producer.sources.arrays.container import Array  # here, because few lists have pictures

            known = Array(np.stack([*pictures.values()]))
            places |= {path: (index, MemberPlace(known, index)) for index, path in enumerate(pictures)}
        for path in paths:
            if path in places:
                continue
            found = self._find(path)
            if isinstance(found, Failure):
                self.listing.failures[path] = found
            else:
                places[path] = found
        archives = [id(archive.container) for archive in self._archives.values() if isinstance(archive, _Archive)]
        ranks = {archive: rank for rank, archive in enumerate(archives)}
        ordered = sorted(places, key=lambda path: (ranks.get(id(places[path][1].container), -1), places[path][0]))
        self.listing.images = {path: places[path][1] for path in ordered}

    @contextmanager
    def opened(self) -> Iterator[Callable[[MemberPlace], ImageContent | Failure]]:
        """Yield a reader that opens each container when it reads the first image in it."""
        with ExitStack() as stack:
            readers: dict[int, Callable[[Any], ImageContent | Failure]] = {}

            def read(member: MemberPlace) -> ImageContent | Failure:
                if id(member.container) not in readers:
                    readers[id(member.container)] = stack.enter_context(member.container.opened())
                return readers[id(member.container)](member.place)

            yield read

    def _find(self, written: str) -> tuple[int, MemberPlace] | Failure:
        """Return the position of an image in its archive (0 for a file) and its place, or the failure to find it."""
        for folder in self._folders:
            raw = _FOREIGN_BYTE.sub(lambda byte: chr(int(byte[1], 16)), written)
            # Where the locale is not UTF-8, the file may still have the name in UTF-8.
            names = (written, raw, os.fsdecode(raw.encode("utf-8", "surrogateescape")), written.replace("\\", "/"))
            for name in dict.fromkeys(names):
                path = folder / name
                if _is_file(path):
                    return 0, MemberPlace(SingleFile(path), os.fspath(path))
                document = folder / document_of(name)
                if document != path and _is_file(document):
                    return self._member(document, path.name)
                archive = next((parent for parent in path.parents if _is_file(parent)), None)
                if archive:
                    return self._member(archive, path.relative_to(archive).as_posix())
        return _A_FOLDER if any(os.path.isdir(folder / written) for folder in self._folders) else MISSING  # noqa: PTH112  isdir takes any text

    def _member(self, path: Path, name: str) -> tuple[int, MemberPlace] | Failure:
        archive = self._archives.get(path) or self._archives.setdefault(path, self._opened(path))
        if isinstance(archive, Failure):
            return archive
        if name in archive.positions:
            return archive.positions[name], MemberPlace(archive.container, archive.container.listing.images[name])
        return archive.container.listing.failures.get(name, _NO_MEMBER)

    def _opened(self, path: Path) -> _Archive | Failure:
        try:
            container = self._open_container(path)
        except UsageError as fault:
            return unreadable(str(fault).rstrip("."))
        return _Archive(container, {name: position for position, name in enumerate(container.listing.images)})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # the name is too long, or has a NUL
        return False
