"""Find the kind of an array file by its name and its first bytes, and open it."""

import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np

from model.data import idx
from model.errors import DataError, UsageError
from model.images.decoding.formats import START_BYTES, format_of
from producer.sources.arrays.container import Array
from producer.sources.arrays.conversion import ChooseForm
from producer.sources.arrays.digits import choose_labels
from producer.sources.arrays.faults import damaged, refuse_other
from producer.sources.arrays.formats.idx_files import open_idx
from producer.sources.arrays.formats.numpy_files import load_npz, open_npy, open_npz
from producer.sources.arrays.formats.parquet import PARQUET_SUFFIXES, EncodedImages, open_parquet
from producer.sources.arrays.formats.tables import TABLE_SUFFIXES, open_table
from producer.sources.arrays.formats.unpacking import read_unpacked
from producer.sources.naming import is_clutter
from producer.sources.reading import explain
from worker.contract.wire import Label

ArrayFile: TypeAlias = Array | EncodedImages

_ARRAY_SUFFIXES = (".npy", ".npz", *TABLE_SUFFIXES, *PARQUET_SUFFIXES)
_IDX = "idx3-ubyte"
_DEPTH = 3  # torchvision puts MNIST's files into MNIST/raw
_MAX_ENTRIES = 2000
_MAX_SHOWN = 4
_IDX_LABELS = b"\0\0\x08\x01"
_PARQUET_START, _NPY_START, _ZIP_START = b"PAR1", b"\x93NUMPY", b"PK\x03\x04"


def open_array_file(path: Path, choose: ChooseForm) -> ArrayFile | None:
    """Open an array file, and return its images, or None if the file is not of such a kind.

    Args:
        path: Path of a file that has not the name of an image.
        choose: Function that chooses the form of its images.

    Raises:
        UsageError: The file is damaged, has no images, or is of a kind that digitmill does not read.
    """
    name = path.name.lower()
    try:
        start = read_unpacked(path, START_BYTES)
    except (OSError, EOFError, zlib.error):  # the file itself will be the error, where it is read
        start = b""
    if name.endswith(".npz"):
        return open_npz(path, choose)
    if name.endswith(".gz") and start.startswith((_NPY_START, _PARQUET_START, _ZIP_START)):
        raise UsageError(f"{str(path)!r} is gzipped. Unpack it first: gunzip {path.name}")
    if name.endswith(".npy") or start.startswith(_NPY_START):
        return open_npy(path, choose)
    if name.endswith(TABLE_SUFFIXES):
        return open_table(path, choose)
    if name.endswith(PARQUET_SUFFIXES) or start.startswith(_PARQUET_START):
        return open_parquet(path, choose)
    if format_of(start):
        return None
    refuse_other(path, start)
    return open_idx(path, start, choose)


def read_label_array(path: Path, count: int, *, numbers: bool = False) -> list[Label] | None:
    """Return the labels in a file of an array, or None if the file is not of such a kind.

    Args:
        path: Path of a `.npy` or IDX file, or of a `.npz` file with one array of labels.
        count: Number of images, in the order of the labels.
        numbers: Whether the labels may be numbers, and not only digits.

    Raises:
        UsageError: The file is damaged, or does not have a digit (or a number) for each image.
    """
    try:
        start = read_unpacked(path, 8)
        if path.name.lower().endswith(".npz"):
            arrays = load_npz(path)
        elif start.startswith(_NPY_START):
            arrays = {path.name: np.load(path, allow_pickle=False)}
        elif start.startswith(_IDX_LABELS):
            arrays = {path.name: idx.read(path, (int.from_bytes(start[4:8]),))}
        else:
            return None
    except UsageError:
        raise
    except DataError as error:
        raise UsageError(str(error)) from None
    except Exception as fault:  # NumPy and zipfile have many
        raise damaged(path, explain(fault)) from None
    if len(arrays) == 1:
        (array,) = arrays.values()
        arrays = {"labels": array}  # whatever its name is
    chosen = choose_labels(arrays, count)
    found = chosen.numbers if numbers and chosen.digits is None else chosen.digits
    if found is None:
        content = ", ".join(f"{array.dtype} {array.shape}" for array in arrays.values())
        wanted = "a number" if numbers else "a digit 0 to 9"
        raise UsageError(
            f"{str(path)!r} holds {content}, and not {wanted} for each of the {count:,} images. Give the labels of "
            "these images, in their order."
        )
    return list(found.tolist())


def arrays_in(folder: Path) -> str:
    """Return a sentence that offers the array files in a folder without images, or "" if it has none."""
    found: list[Path] = []
    waiting, seen = [(folder, 0)], 0
    while waiting and seen < _MAX_ENTRIES:
        current, depth = waiting.pop(0)
        try:
            entries = sorted(current.iterdir())
        except OSError:
            continue
        for path in entries[: _MAX_ENTRIES - seen]:
            seen += 1
            if is_clutter(path.name):
                continue
            if path.is_dir():
                if depth < _DEPTH:
                    waiting.append((path, depth + 1))
            elif _is_array(path.name.lower()):
                found.append(path)
    if not found:
        return ""
    # A test set is what people want to see first.
    found.sort(key=lambda path: ("t10k" not in path.name and "test" not in path.name, str(path)))
    names = ", ".join(str(path) for path in found[:_MAX_SHOWN])
    more = f" and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
    which = "MNIST's files" if any(_IDX in path.name.replace(".", "-") for path in found) else "files of arrays"
    return (
        f"No image files were found in {str(folder)!r}, but {which}: {names}{more}. Submit one of them: "
        f"`digitmill submit {found[0]}`."
    )


def _is_array(name: str) -> bool:
    images = name.removesuffix(".gz").replace(".", "-").endswith(_IDX) and "label" not in name
    return images or name.endswith(_ARRAY_SUFFIXES)
