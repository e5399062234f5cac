"""True labels, from the names of folders or from a label file."""

import os
import posixpath
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import Failure, FailureCode, UsageError
from producer.sources.label_file import LabelFile, Truth, not_utf8, read_label
from worker.contract.wire import Label


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a source's images: digits, or numbers if those were asked for.

    Attributes:
        known: Label of each labelled image, by name.
        absent: Label, or None, of each image that a label file names and the source does not have.
        note: Sentence that tells the user how labels were chosen, or None.
    """

    known: Mapping[str, Label] = field(default_factory=dict)
    absent: Mapping[str, Label | None] = field(default_factory=dict)
    note: str | None = None


def from_folders(names: Collection[str], *, required: bool, numbers: bool = False) -> Labels:
    """Return the names of the images' folders as labels, if all these names are 0 to 9, or numbers.

    The name of the submitted folder itself does not count, so an image has the same label however it is submitted.

    Args:
        names: Names of all readable images.
        required: Whether an image in another folder is an error. If not, one such image means that no image gets a
            label, because the names of the other folders may then mean something else.
        numbers: Whether folders are named by numbers, such as 042, and not only by digits.

    Raises:
        UsageError: Labels are required, and an image lies in another folder. The message names the first one.
    """
    known = {name: label for name in names if (label := _folder_label(name, numbers=numbers)) is not None}
    wanted = "by a number" if numbers else "0 to 9"
    if len(known) == len(names):
        return Labels(known)
    stray = next(name for name in names if name not in known)
    if required:
        raise UsageError(
            f"{stray!r} lies in no folder named {wanted}, so it has no label. Move it into one, exclude it, or give "
            "labels by a CSV file."
        )
    if not known:
        return Labels()
    return Labels(
        note=f"No labels: {len(known):,} of {len(names):,} images lie in folders named {wanted}, but {stray!r} does "
        "not."
    )


def from_file(path: Path, names: Collection[str], root: str, *, numbers: bool = False) -> Labels:
    r"""Return the labels in a CSV file; see `LabelFile.read`. Images that it does not name have no label.

    A name in the file is relative to the source. If the source does not have it, the name may also begin with the
    source's path or with `./`, have backslashes, have bytes that are not UTF-8 written as `\udc80` to `\udcff`, or
    compose its accents differently. The tables of a report write such bytes in this way, and macOS decomposes accents.

    Args:
        path: Path of the CSV file.
        names: Names of all images, including those that are not wanted or cannot be read.
        root: Text before a name that makes it a path; see `Source.root`.
        numbers: Whether the labels are numbers.

    Raises:
        UsageError: The file cannot be read, two of its names mean the same image and have different labels, or a name
            that the source does not have is not UTF-8.
    """
    label_file = LabelFile.read(path, numbers=numbers)
    there = set(names)
    alike: dict[str, str] | None = None
    truths: dict[str, Truth] = {}
    for written, truth in label_file.truths.items():
        name = written
        if name not in there:
            if alike is None:  # built on demand, because most files do not need it
                alike = {_canonical(_as_utf8(name)): name for name in names}
                alike |= {_canonical(name): name for name in names}
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


def _folder_label(name: str, *, numbers: bool) -> Label | None:
    folder = name.rpartition("/")[0]
    return read_label(folder.rpartition("/")[2], numbers=numbers)


def _canonical(name: str) -> str:
    escaped = name.encode("utf-8", "backslashreplace").decode()
    return unicodedata.normalize("NFC", posixpath.normpath(escaped.replace("\\", "/")))


def _as_utf8(name: str) -> str:
    """Return a name as a label file has it, if the locale decodes the bytes of file names otherwise."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # the name comes from an archive
        return name


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
"""Failure of an image that only the label file names."""
