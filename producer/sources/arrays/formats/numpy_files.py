"""NumPy's files: one array (.npy) or an archive of some (.npz). Pickles in them are never loaded."""

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError
from producer.sources.arrays.container import Array
from producer.sources.arrays.conversion import ChooseForm
from producer.sources.arrays.digits import as_digits, choose_labels
from producer.sources.arrays.faults import MAX_BYTES, damaged, other_content, too_large
from producer.sources.arrays.shapes import find_layout
from producer.sources.listing import MAX_IMAGES, too_many
from producer.sources.reading import explain
from producer.sources.zips import check_member

_USUAL = ("images", "image", "x", "data", "digits", "pixels", "features", "inputs")


def open_npy(path: Path, choose: ChooseForm) -> Array:
    """Open and return a NumPy file of one array. It may have any size, because it is memory-mapped.

    Args:
        path: Path of the file.
        choose: Function that chooses the form of its images.

    Raises:
        UsageError: The file is damaged, or does not hold images.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except Exception as fault:  # NumPy evaluates the header as a literal, which fails in many ways
        raise _unreadable(path, fault) from None
    # A memmap's rows would be memmaps, which are slow to make.
    return make_array(np.asarray(array), path, choose)


def open_npz(path: Path, choose: ChooseForm) -> Array:
    """Open and return a NumPy archive with one array of images, and perhaps one of labels (see `choose_labels`).

    Args:
        path: Path of the archive.
        choose: Function that chooses the form of its images.

    Raises:
        UsageError: The archive is damaged, or it is not clear which array has the images.
    """
    try:
        arrays = load_npz(path)
    except UsageError:
        raise
    except Exception as fault:  # as above, and zipfile's dozen
        raise _unreadable(path, fault) from None
    name = _choose_images(path, arrays)
    return make_array(arrays.pop(name), path, choose, arrays)


def make_array(
    array: NDArray[Any], path: Path, choose: ChooseForm, others: dict[str, NDArray[Any]] | None = None
) -> Array:
    """Return the images of an array in their form.

    Args:
        array: Array of images.
        path: Path of its file.
        choose: Function that chooses the form.
        others: Other arrays of the file by name, of which one may have the labels.

    Raises:
        UsageError: The array does not hold images, or too many, or its numbers cannot be turned into images.
    """
    form = choose(array, path.name)
    layout = find_layout(array, last=form.last)
    if layout is None:
        raise other_content(path, f"{array.dtype} {array.shape}")
    images = layout.arrange(array)
    if len(images) > MAX_IMAGES:
        raise too_many(f"The array file {str(path)!r}")
    return Array(images, choose_labels(others or {}, len(images)), form=form)


def _choose_images(path: Path, arrays: dict[str, NDArray[Any]]) -> str:
    """Return the name of the array that has the images.

    Several images come before a single one, because 784 labels have the size of one, and 28 by 28 pixels before other
    sizes, which may be something else. Of several arrays, the one with a usual name counts.

    Raises:
        UsageError: None has images, or several have.
    """
    layouts = {name: layout for name, array in arrays.items() if (layout := find_layout(array))}
    ranks = {name: (layout.single, not layout.is_mnist) for name, layout in layouts.items()}
    found = [name for name, rank in ranks.items() if rank == min(ranks.values())]
    if len(found) > 1:
        found = [name for name in found if name.casefold() in _USUAL] or found
    if not found:
        raise other_content(path, ", ".join(f"{name}: {array.dtype} {array.shape}" for name, array in arrays.items()))
    if len(found) == 1:
        return found[0]
    images = next((name for name in found if "test" in name.casefold()), found[0])
    count = len(arrays[images])
    pair = next((name for name in arrays if name not in found and as_digits(arrays[name], count) is not None), "")
    keeps = f"images=a[{images!r}]" + (f", labels=a[{pair!r}]" if pair else "")
    raise UsageError(
        f"{str(path)!r} holds several arrays of images ({', '.join(found)}). Save the one you mean as a file of its "
        f"own: python -c \"import numpy as np; a = np.load({path.name!r}); np.savez('{images}.npz', {keeps})\""
    )


def load_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name.

    Raises:
        Exception: The archive is damaged.
        UsageError: It is damaged in a way that is known, or would fill the memory.
    """
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if sum(member.file_size for member in members) > MAX_BYTES:
            raise too_large(path)
        arrays = {}
        for member in members:
            if failure := check_member(member):
                raise damaged(path, f"{member.filename!r}: {failure.sentence}")
            with archive.open(member) as file:
                _check_header(file, member.file_size)
            with archive.open(member) as file:
                arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _check_header(file: IO[bytes], size: int) -> None:
    """Check that an array is not larger than the file that holds it, because NumPy allocates what the header says.

    Raises:
        ValueError: The header is damaged, or says too much.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if math.prod(shape) * dtype.itemsize > size or any(length < 0 for length in shape):
        raise ValueError("its header says that it is larger than it is")


def _unreadable(path: Path, fault: Exception) -> UsageError:
    """Return the error for a file that NumPy does not read, with the remedy for one of Python objects."""
    reason = explain(fault)
    if "Python objects" not in reason:
        return damaged(path, reason)
    return UsageError(
        f"The array file {str(path)!r} cannot be read: it holds Python objects, which can run code when they are "
        "loaded. Save numbers: numpy.save(path, numpy.stack(list(images)).astype(numpy.uint8))."
    )
