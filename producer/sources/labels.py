"""Where true labels come from: folders' names, a label file, the container itself, or nowhere."""

import posixpath
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import Failure, FailureCode, UsageError
from producer.sources.label_file import DIGITS, LabelFile, Truth, not_utf8


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a source's images.

    Attributes:
        known: true digits by name; other images have none.
        absent: images that a label file names but that are not there, with their labels.
        note: what a user should know of how labels were chosen, if anything.
    """

    known: Mapping[str, int] = field(default_factory=dict)
    absent: Mapping[str, int | None] = field(default_factory=dict)
    note: str | None = None


def from_folders(names: Collection[str], *, required: bool) -> Labels:
    """Take each image's label from the folder that it lies in directly, if for all of them that is named 0 to 9.

    The folder that was submitted does not count: an image has the same label however its name is reached.

    Args:
        names: of all readable images.
        required: whether it is a fault if an image lies elsewhere; otherwise no image then gets a label, because a
            folder named by a digit may mean anything.

    Raises:
        UsageError: it is; names the first such image.
    """
    known = {name: digit for name in names if (digit := _folder_digit(name)) is not None}
    if len(known) == len(names):
        return Labels(known)
    stray = next(name for name in names if name not in known)
    if required:
        raise UsageError(
            f"{stray!r} lies in no folder named 0 to 9, so it has no label. Move it into one, exclude it, or give "
            "labels by a CSV file."
        )
    if not known:
        return Labels()
    return Labels(
        note=f"No labels: {len(known):,} of {len(names):,} images lie in folders named 0 to 9, but {stray!r} does not."
    )


def from_file(path: Path, names: Collection[str], root: str) -> Labels:
    r"""Take labels from a CSV file, see `LabelFile.read`; images that it does not name have none.

    A name there is meant relative to the source. If it is not found so, it may also begin with the source's path, have
    backslashes, a leading `./`, bytes that are no UTF-8 written as `\udc80` to `\udcff` (the report's tables have the
    last two), or its accents composed otherwise (macOS decomposes them).

    Args:
        path: of the CSV file.
        names: of all images, also of those that are not wanted or cannot be read.
        root: what stands before names when they are not relative.

    Raises:
        UsageError: as `LabelFile.read`; or two of its names mean the same image and disagree; or a name that is not
            found is no UTF-8.
    """
    label_file = LabelFile.read(path)
    there = set(names)
    alike: dict[str, str] | None = None
    truths: dict[str, Truth] = {}
    for written, truth in label_file.truths.items():
        name = written
        if name not in there:
            if alike is None:  # built only now, as most files never need it
                alike = {_canonical(name): name for name in names}
            name = _canonical(written.strip().removeprefix(root))
            name = alike.get(name, name)
        earlier = truths.setdefault(name, truth)
        if earlier.label != truth.label:
            raise UsageError(
                f"{str(path)!r}, line {truth.line}: {name!r} has another label here than on line {earlier.line}. "
                "Correct the label file."
            )
        if name not in there and not _is_unicode(written):
            raise not_utf8(path, truth.line)
    return Labels(
        known={name: truth.label for name, truth in truths.items() if name in there and truth.label is not None},
        absent={name: truth.label for name, truth in truths.items() if name not in there},
    )


def _folder_digit(name: str) -> int | None:
    folder = name.rpartition("/")[0]
    return DIGITS.get(folder.rpartition("/")[2])


def _canonical(name: str) -> str:
    escaped = name.encode("utf-8", "backslashreplace").decode()
    return unicodedata.normalize("NFC", posixpath.normpath(escaped.replace("\\", "/")))


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


MISSING = Failure(
    FailureCode.MISSING,
    "The label file names it, but it is not among the images. Correct the label file, or put the image there.",
)
"""What becomes of an image that only the label file knows."""
