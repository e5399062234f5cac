"""Open a path as a source: find its kind, select the wanted images, and choose their labels.

What only archives, arrays and label files need is imported where they are opened, so that a single image opens fast.
"""

import os
import stat
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode, UsageError
from producer.sources.container_source import ContainerSource, JoinedSource, UnopenedSource
from producer.sources.folders.folder import Folder, SingleFile
from producer.sources.folders.growing import GrowingFolder
from producer.sources.form import Form
from producer.sources.kinds import describe_left_out
from producer.sources.labelling import labels as labelling
from producer.sources.labelling.labels import Labels
from producer.sources.listing import Container, Listing
from producer.sources.naming import IMAGE_SUFFIXES, Selection, is_image
from producer.sources.pages import Pages
from producer.sources.path_list import PathList
from producer.sources.reading import explain
from producer.sources.source import Source
from worker.contract.wire import Label

AUTO, FOLDER, NONE = "auto", "folder", "none"

_PATH_COLUMN = "path"
"""Title of the column with complete paths. Names in other columns are relative to what was submitted."""


def open_source(
    path: str | Path,
    *,
    labels: str = AUTO,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    numbers: bool = False,
    as_is: bool = False,
    form: Form | None = None,
) -> Source:
    """Open a folder, an archive, an array file or a single image, and list its images.

    Args:
        path: Path of a folder, which is read recursively (see `Folder`); of a `.zip` or `.tar` archive, the latter also
            compressed (see `Zip`, `Tar`); of an array file (see `open_array_file`); or of any other file, which counts
            as one image whatever its name is.
        labels: Source of the true labels. `auto` takes the labels of an array file, or the names of the images' folders
            if all of them are single digits (see `labels.from_folders`). `folder` requires such names. `none` takes no
            labels. Any other text is the path of a CSV file (see `LabelFile.read`; a file named `none` is `./none`), or
            for an array file also of an array of labels. Images that only the CSV file names are failures with the
            code `missing`.
        include: Globs (see `Selection`). If there are any, the source has only images that match one.
        exclude: Globs. The source has no images that match one.
        numbers: Whether a label is a number of any length, and not only a digit.
        as_is: Whether to send the numbers of an array file as they are, whatever they look like.
        form: Form of the array file that was decided before, or None to decide it now.

    Returns:
        The images that can be read, and a failure for each one that cannot.

    Raises:
        UsageError: The path does not exist, cannot be read or has no image, or the labels are faulty.
    """
    path = Path(path)
    container = _open_container(path, as_is=as_is, form=form)
    return _select(
        container,
        Selection(include, exclude),
        labels=labels,
        numbers=numbers,
        description=str(path),
        root=_root(path, container),
    )


def _select(
    container: Container[Any], selection: Selection, *, labels: str, numbers: bool, description: str, root: str
) -> Source:
    """Return the wanted images of a container with the wanted labels; see `open_source`.

    Raises:
        UsageError: The container has no wanted image, or the labels are faulty.
    """
    listing = container.listing
    wanted = _wanted(listing, selection)
    if not wanted.images and not wanted.failures:
        raise UsageError(_why_empty(Path(description), listing))
    is_array = hasattr(container, "form")
    if is_array and (known := _labels_of_arrays(labels, listing, numbers=numbers)):
        chosen = Labels({name: known[name] for name in wanted.images})
    else:
        chosen = _choose_labels(labels, listing, wanted, root, selection, numbers=numbers)
    decided = getattr(container, "form", None)
    return ContainerSource(container, wanted, chosen, description=description, root=root, form=decided)


def open_growing(
    path: str | Path,
    *,
    labels: str = AUTO,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    numbers: bool = False,
    ordered: bool = False,
) -> Source | None:
    """Open a folder without labels, and list its images while they are read.

    Args:
        path: As for `open_source`.
        labels: As for `open_source`.
        include: As for `open_source`.
        exclude: As for `open_source`.
        numbers: As for `open_source`.
        ordered: Whether a list with the order of its images exists. Then they have no labels, whatever is there now.

    Returns:
        The source, or None if the path is not a folder, or its images must be listed first: for their labels, or to
        say why there are none.

    Raises:
        UsageError: The folder cannot be read.
    """
    path = Path(path)
    if labels not in (AUTO, NONE) or not os.path.isdir(path):  # noqa: PTH112  isdir takes any text
        return None
    whole = partial(open_source, path, labels=labels, include=include, exclude=exclude, numbers=numbers)
    folder = GrowingFolder(path, Selection(include, exclude), whole, by_folder=labels == AUTO, numbers=numbers)
    return folder if ordered or (folder.first and not folder.may_be_labelled) else None


def open_several(
    paths: Sequence[str],
    *,
    labels: str = AUTO,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    numbers: bool = False,
    as_is: bool = False,
) -> Source:
    """Open several paths as one source. Names are relative to the folder that all paths have in common.

    Args:
        paths: Absolute paths, at least two, each as for `open_source`.
        labels: As for `open_source`, for each path. A CSV file may name images of all of them.
        include: Globs, as for `open_source`. They select among the images of each path.
        exclude: Globs, as for `open_source`.
        numbers: As for `open_source`.
        as_is: As for `open_source`. Each array file is read in its own form.

    Raises:
        UsageError: As for `open_source`, of any path.
    """
    from_file = labels not in (AUTO, FOLDER, NONE)
    options: dict[str, Any] = {"include": include, "exclude": exclude, "numbers": numbers, "as_is": as_is}
    sources = [open_source(path, labels=NONE if from_file else labels, **options) for path in paths]
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])  # noqa: PTH100, PTH120
    joined = JoinedSource(sources, root=folder.rstrip(os.sep) + "/")
    if from_file:
        joined.label(_labels_from_file(labels, joined.names, joined.root, Selection(include, exclude), numbers=numbers))
    return joined


def open_listed(
    paths: Sequence[str],
    folder: Path,
    *,
    description: str,
    labels: str = AUTO,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    numbers: bool = False,
    as_is: bool = False,
) -> Source:
    """Open the images at the paths of a list, in its order. Names are the paths as they are written there.

    A path is that of an image, or of one in an archive or an array file. One without an image gives a failure.

    Args:
        paths: The paths. One that is there twice counts once.
        folder: Folder in which relative paths begin.
        description: Description of the list, for people.
        labels: As for `open_source`.
        include: Globs, as for `open_source`.
        exclude: Globs, as for `open_source`.
        numbers: As for `open_source`.
        as_is: As for `open_source`. Each array file is read in its own form.

    Raises:
        UsageError: The list is empty, the globs leave nothing, or the labels are faulty.
    """
    container = PathList(dict.fromkeys(paths), (folder,), partial(_open_container, as_is=as_is))
    listing, selection = container.listing, Selection(include, exclude)
    wanted = _wanted(listing, selection)
    if not wanted.images and not wanted.failures:
        left_out = len(listing.images) + len(listing.failures)
        if left_out:
            raise UsageError(f"--include and --exclude leave none of the paths ({left_out:,}). Change these options.")
        raise UsageError(f"The list of paths ({description}) is empty. Write one path on each line.")
    root = "" if any(map(os.path.isabs, paths)) else f"{folder}/"
    chosen = _choose_labels(labels, listing, wanted, root, selection, numbers=numbers)
    return ContainerSource(container, wanted, chosen, description=description, root=root)


def open_path_list(*paths: str | Path, as_is: bool = False) -> Source:
    """Open the images at the paths in CSV files, with the labels that the files give them.

    A file is the `review.csv` of a report, the `corrections.csv` that its page saves, or a file that a person wrote. It
    has paths in the column `path` or in another column of names, and digits in the column `label`. A relative path is
    looked up in the folders of the CSV files first, and then in the current folder. Rows without a label are skipped,
    and a note says how many. A path without an image gives a failure. If a row has the picture that a person looked at,
    this picture counts, and the path is only its name.

    Args:
        paths: Paths of the CSV files.
        as_is: Whether to send the numbers of array files as they are. Otherwise each file is read in its form.

    Raises:
        UsageError: A file cannot be read (see `LabelFile.read`), two contradict each other, or no row has a label.
    """
    from producer.sources.labelling import corrections
    from producer.sources.labelling.label_file import NAME_COLUMNS

    files = [Path(path) for path in paths]
    description = ", ".join(map(str, paths))
    truths = corrections.merge(files, (_PATH_COLUMN, *NAME_COLUMNS))
    known = {name: truth.label for name, truth in truths.items() if truth.label is not None}
    if not known:
        raise UsageError(
            f"No row of {description!r} has a label, so none is taught. Write digits into its column `label`."
        )
    note = corrections.describe_skipped(truths)
    found = {name: corrections.picture_of(truths[name]) for name in known}
    pictures = {name: picture for name, picture in found.items() if picture is not None}
    folders = dict.fromkeys([*(path.absolute().parent for path in files), Path.cwd()])
    container = PathList(known, tuple(folders), partial(_open_container, as_is=as_is), pictures)
    return ContainerSource(container, container.listing, Labels(known, note=note), description=description, root="")


def array_source(images: NDArray[np.uint8], description: str) -> Source:
    """Return images in memory as a source without labels. Their names are indices.

    Args:
        images: uint8 (n, 28, 28), light ink on black.
        description: Description for people.
    """
    from producer.sources.arrays.container import Array

    listing = (container := Array(images)).listing
    return ContainerSource(container, listing, Labels(listing.labels), description=description, root="")


def mnist_source(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    repeat: int = 1,
    *,
    labelled_by: str = AUTO,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    numbers: bool = False,
) -> Source:
    """Return MNIST's test set as a source, with names such as `test/00042`.

    Args:
        images: uint8 (n, 28, 28), light ink on black.
        labels: uint8 (n,), true digits 0 to 9.
        repeat: Number of times that the source has each image. Above 1, names end in `#1`, `#2`, ….
        labelled_by: Source of the true labels, as `labels` of `open_source`. `auto` takes MNIST's own.
        include: Globs, as for `open_source`.
        exclude: Globs, as for `open_source`.
        numbers: As for `open_source`.

    Raises:
        UsageError: The globs leave nothing, or the labels are faulty.
    """
    from producer.sources.arrays.container import Array
    from producer.sources.arrays.digits import ChosenLabels

    return _select(
        Array(images, ChosenLabels(labels), prefix="test/", repeat=repeat),
        Selection(include, exclude),
        labels=labelled_by,
        numbers=numbers,
        description="mnist test" if repeat == 1 else f"mnist test, {repeat} times",
        root="",
    )


def join_sources(sources: Sequence[Source]) -> Source:
    """Return several sources as one. Each name begins with the path of its source."""
    return JoinedSource(sources)


def open_each(paths: Sequence[str], *, as_is: bool = False) -> Source:
    """Open several paths as one source without labels. A path that cannot be opened gives a failure with the reason.

    Args:
        paths: Paths, each as for `open_source`.
        as_is: Whether to send the numbers of array files as they are.
    """
    sources: list[Source] = []
    for path in paths:
        try:
            sources.append(open_source(path, labels=NONE, as_is=as_is))
        except UsageError as fault:
            sources.append(UnopenedSource(path, Failure(FailureCode.UNREADABLE, str(fault))))
    return join_sources(sources)


def _open_container(path: Path, *, as_is: bool = False, form: Form | None = None) -> Container[Any]:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the path
        leads_nowhere = isinstance(fault, FileNotFoundError) and path.is_symlink()
        reason = "it is a link that leads nowhere" if leads_nowhere else explain(fault)
        raise UsageError(f"Cannot open {str(path)!r}: {reason}. Give a folder, an archive or an image.") from None
    if stat.S_ISDIR(mode):
        return Pages(Folder(path))
    if not stat.S_ISREG(mode):
        raise UsageError(f"{str(path)!r} is neither a folder nor a file. Give a folder, an archive or an image.")
    return Pages(SingleFile(path)) if is_image(path.name) else _open_other(path, as_is=as_is, form=form)


def _open_other(path: Path, *, as_is: bool, form: Form | None) -> Container[Any]:
    """Open a file whose name is not that of an image."""
    from producer.sources.arrays.deciding import form_chooser
    from producer.sources.arrays.opening import open_array_file
    from producer.sources.tars import TAR_SUFFIXES, Tar
    from producer.sources.zips import ZIP_SUFFIXES, Zip

    name = path.name.lower()
    if name.endswith(ZIP_SUFFIXES):
        return Pages(Zip(path))
    if name.endswith(TAR_SUFFIXES):
        return Pages(Tar(path))
    return open_array_file(path, form_chooser(as_is=as_is, form=form)) or Pages(SingleFile(path))


def _wanted(listing: Listing[Any], selection: Selection) -> Listing[Any]:
    images = listing.images  # nobody changes it any more, so a million names need not be in memory twice
    if not selection.takes_all:
        images = {name: place for name, place in images.items() if selection.takes(name)}
    return Listing(
        images=images,
        failures={name: failure for name, failure in listing.failures.items() if selection.takes(name)},
        gaps={name: failure for name, failure in listing.gaps.items() if not selection.excludes(name)},
        left_out=listing.left_out,
    )


def _root(path: Path, container: Container[Any]) -> str:
    text = str(path)
    if isinstance(container, Pages) and isinstance(container.files, SingleFile):
        return text.removesuffix(path.name)
    return text.rstrip(os.sep) + "/"


def _why_empty(path: Path, listing: Listing[Any]) -> str:
    left_out = len(listing.images) + len(listing.failures)
    if left_out:
        return (
            f"--include and --exclude leave none of the images in {str(path)!r} ({left_out:,}). Change these options."
        )
    if listing.gaps:
        name, failure = next(iter(listing.gaps.items()))
        return f"No image was found in {str(path)!r}, and {name!r} may hide some. {failure.sentence}"
    if path.is_dir():
        from producer.sources.arrays.opening import arrays_in

        if offer := arrays_in(path):
            return offer
    others = describe_left_out(listing.left_out)
    return (
        f"No images were found in {str(path)!r} ({', '.join(sorted(IMAGE_SUFFIXES))}){'; ' * bool(others)}{others}. "
        "Give another path."
    )


def _labels_of_arrays(asked: str, listing: Listing[Any], *, numbers: bool) -> dict[str, Label]:
    """Return the labels of the images of an array file that another array file gives, or none if it is not one."""
    path = Path(asked)
    if asked in (AUTO, FOLDER, NONE) or not path.is_file():
        return {}
    from producer.sources.arrays.opening import read_label_array

    given = read_label_array(path, len(listing.images), numbers=numbers)
    return dict(zip(listing.images, given, strict=True)) if given else {}


def _choose_labels(
    asked: str,
    listing: Listing[Any],
    wanted: Listing[Any],
    root: str,
    selection: Selection,
    *,
    numbers: bool,
) -> Labels:
    if asked == NONE:
        return Labels()
    if asked == AUTO and (known := listing.labels or (listing.numbers if numbers else {})):
        return Labels({name: known[name] for name in wanted.images})
    if asked == AUTO and listing.label_note:
        return Labels(note=listing.label_note)
    if asked in (AUTO, FOLDER):
        return labelling.from_folders(wanted.images, required=asked == FOLDER, numbers=numbers)
    return _labels_from_file(asked, [*listing.images, *listing.failures], root, selection, numbers=numbers)


def _labels_from_file(path: str, names: Collection[str], root: str, selection: Selection, *, numbers: bool) -> Labels:
    given = labelling.from_file(Path(path), names, root, numbers=numbers)
    absent = {name: label for name, label in given.absent.items() if selection.takes(name)}
    return Labels(given.known, absent, given.note)
