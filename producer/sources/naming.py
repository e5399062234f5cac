"""Names: which ones are images, which ones are clutter, and which ones the globs of a user select."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

IMAGE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp"}
    | {".avif", ".heic", ".heif", ".hif"}
)
"""Extensions of the images in a folder or archive. Upper and lower case are the same."""

_PAGE = "#page="
_PAGE_NAME = re.compile(rf"(.+?)#*{_PAGE}[1-9][0-9]{{0,5}}", re.DOTALL)

# Kinds of files and folders that operating systems leave behind, by their names in lower case.
_CLUTTER = {
    ".ds_store": ".DS_Store",
    "thumbs.db": "Thumbs.db",
    "ehthumbs.db": "Thumbs.db",
    "desktop.ini": "desktop.ini",
    "__macosx": "__MACOSX",
}
_ANY_FOLDERS = None  # stands for ** in a compiled glob

_Glob: TypeAlias = Sequence[Callable[[str], object] | None]


def suffix_of(name: str) -> str:
    """Return the extension of a name with its dot, in lower case, or "" if it has none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def is_image(name: str) -> bool:
    """Return whether a file of this name counts as an image."""
    return suffix_of(name) in IMAGE_SUFFIXES


def is_clutter(part: str) -> bool:
    """Return whether one part of a path is hidden, or is a file or folder that operating systems leave behind."""
    return part.startswith(".") or part.lower() in _CLUTTER


def clutter_kind(part: str, *, folder: bool = False) -> str:
    """Return the kind of clutter that one part of a path is. See `is_clutter`.

    Args:
        part: Name of a file or a folder.
        folder: Whether it is the name of a folder.
    """
    return _CLUTTER.get(part.lower()) or ("hidden folder" if folder else "hidden file")


def page_name(name: str, page: int) -> str:
    """Return the name of a page of a document of several pages. The first page has number 1."""
    return f"{name}{_PAGE}{page}"


def document_of(name: str) -> str:
    """Return the name of the document to which a page belongs, or the name itself if it is not that of a page."""
    found = _PAGE_NAME.fullmatch(name)
    return found[1] if found else name


class Selection:
    """The images that a user wants: those that match an `include`, if there are any, and do not match an `exclude`.

    A glob without `/` is compared with each part of a name. `*.png`, `rejected` and `IMG_00??.jpg` therefore match at
    any depth, and a folder's name matches everything in the folder. A glob with `/` is compared with the whole name:
    `*`, `?` and `[a-c]` stay within one part, and `**` stands for any number of folders or none (`3/*.png`, `**/raw/*`,
    `raw/**`). A glob that ends with `/` matches everything in that folder. Upper and lower case are different. The name
    of a document stands for its pages, too.

    Args:
        include: Globs. A wanted image matches one or more of them, unless there are none.
        exclude: Globs. A wanted image matches none of them.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = [_compile(glob) for glob in include]
        self._exclude = [_compile(glob) for glob in exclude]

    @property
    def takes_all(self) -> bool:
        """Whether the user wants all images."""
        return not self._include and not self._exclude

    def takes(self, name: str) -> bool:
        """Return whether the user wants the image of this name."""
        if self.takes_all:
            return True
        names = [each.split("/") for each in {name, document_of(name)}]
        return any(map(self._included, names)) and not any(map(self._excluded, names))

    def excludes(self, name: str) -> bool:
        """Return whether the user excludes everything in the folder of this name."""
        return self._excluded(name.rstrip("/").split("/"))

    def _included(self, parts: Sequence[str]) -> bool:
        return not self._include or any(_matches(parts, glob) for glob in self._include)

    def _excluded(self, parts: Sequence[str]) -> bool:
        return any(_matches(parts, glob) for glob in self._exclude)


def _compile(glob: str) -> _Glob:
    anywhere = "/" not in glob.rstrip("/")
    folder = glob.endswith("/")
    parts = glob.strip("/").split("/")
    if anywhere:
        parts = ["**", *parts, "**"]
    elif folder:
        parts = [*parts, "**"]
    return [_ANY_FOLDERS if part == "**" else re.compile(fnmatch.translate(part)).match for part in parts]


def _matches(parts: Sequence[str], glob: _Glob) -> bool:
    if not glob:
        return not parts
    first, rest = glob[0], glob[1:]
    if first is _ANY_FOLDERS:
        return any(_matches(parts[start:], rest) for start in range(len(parts) + 1))
    return bool(parts) and bool(first(parts[0])) and _matches(parts[1:], rest)
