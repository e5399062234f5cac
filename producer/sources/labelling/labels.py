"""True labels, from the names of folders or from a label file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import Failure, FailureCode, UsageError
from producer.sources.labelling.label_text import DIGITS
from worker.contract.wire import Label, is_number

if TYPE_CHECKING:  # only label files need it, which few sources have
    from producer.sources.labelling.label_file import Truth
    from producer.sources.labelling.matching import Matching

_EXAMPLES = 3  # of names, in a message
_COMPARED = 1000  # names with which one is compared, to find the most similar one


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
    known = {name: label for name in names if (label := folder_label(name, numbers=numbers)) is not None}
    wanted = "by a number" if numbers else "0 to 9"
    if len(known) == len(names):
        return Labels(known)
    stray = next(name for name in names if name not in known)
    if required:
        raise UsageError(
            f"{stray!r} does not lie in a folder named {wanted}, so it has no label. Move it into one, exclude it, or "
            "give labels by a CSV file."
        )
    if not known:
        return Labels()
    return Labels(note=some_in_folders(len(known), len(names), stray, numbers=numbers))


def some_in_folders(known: int, count: int, stray: str, *, numbers: bool) -> str:
    """Return the note about images of which some, but not all, lie in folders that look like labels.

    Args:
        known: Number of those that do.
        count: Number of all.
        stray: Name of one that does not.
        numbers: Whether labels are numbers.
    """
    wanted = "by a number" if numbers else "0 to 9"
    return f"No labels: {known:,} of {count:,} images lie in folders named {wanted}, but {stray!r} does not."


def from_file(path: Path, names: Collection[str], root: str, *, numbers: bool = False) -> Labels:
    r"""Return the labels in a CSV file; see `LabelFile.read`. Images that it does not name have no label.

    A name in the file is relative to the source. If the source does not have it, another image may be meant: see
    `matching.match`. Bytes that are not UTF-8 may be written as `\udc80` to `\udcff`, as the tables of a report write
    them.

    Of the names that mean no image, those of images that are not there become rows without content. But if these are
    most names of the file, it is a mistake, or the file is that of a larger set, if it names all images that are here.

    Args:
        path: Path of the CSV file.
        names: Names of all images, including those that are not wanted or cannot be read.
        root: Text before a name that makes it a path; see `Source.root`.
        numbers: Whether the labels are numbers.

    Raises:
        UsageError: The file cannot be read, two of its names mean the same image and have different labels, a name fits
            several images or contradicts the only similar one, most names mean no image, or a name that the source does
            not have is not UTF-8.
    """
    from producer.sources.labelling.label_file import LabelFile, not_utf8
    from producer.sources.labelling.matching import match

    truths = LabelFile.read(path, numbers=numbers).truths
    found = match({name: truth.label for name, truth in truths.items()}, names, root)
    if found.clashes:
        raise _clash(path, truths, found, names)
    known: dict[str, Truth] = {}
    absent: dict[str, Label | None] = {}
    for written, truth in truths.items():
        name = found.images.get(written, written)
        earlier = known.setdefault(name, truth)
        if earlier.label != truth.label:
            raise UsageError(
                f"{str(path)!r}, line {truth.line}: {name!r} has another label here than on line {earlier.line}. "
                "Correct the label file."
            )
        if written not in found.images:
            if not _is_unicode(written):
                raise not_utf8(path, truth.line)
            absent[written] = truth.label
    labels = {name: truth.label for name, truth in known.items() if name not in absent and truth.label is not None}
    unlabelled, unnamed = len(names) - len(labels), len(names) - len(set(found.images.values()))
    few = len(absent) > len(found.images)
    if not found.images or (few and unnamed):
        raise _too_few(path, truths, found, absent, names)
    note = f"Labels: {len(found.images):,} of {len(truths):,} names in {str(path)!r} match an image ("
    note += ", ".join(f"{count:,} {rule}" for rule, count in found.rules.items()) + ")."
    if few:
        note += f" The other {len(absent):,} are not in {root.rstrip('/') or 'the source'!r}, and are left out."
        absent = {}
    elif absent:
        note += _about_absent(absent, names, found)
    if unlabelled:
        note += f" {unlabelled:,} {'image has' if unlabelled == 1 else 'images have'} no label."
    return Labels(labels, absent, note)


def _about_absent(absent: Collection[str], names: Collection[str], found: "Matching") -> str:
    """Return what the note says about names of which no image is there."""
    others = "The other one is" if len(absent) == 1 else f"The other {len(absent):,} are"
    said = f" {others} not there: see the error `missing`."
    if len(set(found.images.values())) < len(names):
        said += f" For example, {_beside(next(iter(absent)), names, found)}."
    return said


def _clash(path: Path, truths: "Mapping[str, Truth]", found: "Matching", names: Collection[str]) -> UsageError:
    """Return the error for names that nobody should guess."""
    spellings = [
        f"on line {truths[written].line} the label file says {written!r}, and there {_are(images)}"
        for written, images in islice(found.clashes.items(), _EXAMPLES)
    ]
    return UsageError(
        f"{len(found.clashes):,} of {len(truths):,} names in {str(path)!r} do not tell which image they mean: "
        f"{'; '.join(spellings)}. Write the names as the images have them ({len(names):,} images)."
    )


def _too_few(
    path: Path, truths: "Mapping[str, Truth]", found: "Matching", absent: Collection[str], names: Collection[str]
) -> UsageError:
    """Return the error for a label file of which most names mean no image."""
    spellings = [_beside(written, names, found) for written in islice(absent, _EXAMPLES)]
    return UsageError(
        f"Only {len(found.images):,} of {len(truths):,} names in {str(path)!r} match one of the {len(names):,} images: "
        f"{'; '.join(spellings)}. Write the names as the images have them, or give another label file."
    )


def _beside(written: str, names: Collection[str], found: "Matching") -> str:
    """Return a name that means no image beside the most similar image without a label, as part of a sentence."""
    from difflib import get_close_matches

    named = set(found.images.values())
    free = list(islice((name for name in names if name not in named), _COMPARED)) or list(islice(names, _COMPARED))
    like = get_close_matches(written, free, 1, 0) or free[:1]
    return f"the label file says {written!r}, and there {_are(like)}"


def _are(images: Sequence[str]) -> str:
    shown = " and ".join(map(repr, images[:_EXAMPLES]))
    if len(images) > _EXAMPLES:
        return f"are {shown} and {len(images) - _EXAMPLES:,} more"
    return f"{'is' if len(images) == 1 else 'are'} {shown or 'no image'}"


def folder_label(name: str, *, numbers: bool) -> Label | None:
    """Return the label of an image that the name of its folder is, or None if it is not one."""
    folder = name.rpartition("/")[0].rpartition("/")[2]
    if numbers:
        return folder if is_number(folder) else None
    return DIGITS.get(folder)


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
