"""Parquet files, in which Hugging Face publishes data sets: MNIST with a column of images and one of labels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, UsageError
from model.images.limits import MAX_BYTES as MAX_IMAGE_BYTES
from producer.sources.arrays.container import Array, index_names, listing_of
from producer.sources.arrays.conversion import ChooseForm
from producer.sources.arrays.digits import ChosenLabels, choose_labels
from producer.sources.arrays.faults import MAX_BYTES, damaged, too_large
from producer.sources.arrays.formats.numpy_files import make_array
from producer.sources.listing import MAX_IMAGES, too_many
from producer.sources.reading import TOO_LARGE, explain, unreadable

PARQUET_SUFFIXES = (".parquet", ".pq")
INSTALL = "pip install 'digitmill[parquet]'"

_IMAGES = ("image", "images", "img", "bytes", "png")


class EncodedImages:
    """The encoded images in a column of a Parquet file. Their names are indices with leading zeros.

    Args:
        column: Arrow column of binary values, or of structs with the field `bytes`.
        labels: Labels of the images.
    """

    form = None

    def __init__(self, column: Any, labels: ChosenLabels) -> None:
        self._column = column
        self.listing = listing_of({name: index for index, name in enumerate(index_names(len(column)))}, labels)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], bytes | Failure]]:
        """Yield a function that returns the file at an index."""
        yield self._read

    def _read(self, index: int) -> bytes | Failure:
        value = self._column[index].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            return unreadable(
                "the row has no bytes of an image, perhaps only a path; save the data set with its images"
            )
        return TOO_LARGE if len(content) > MAX_IMAGE_BYTES else content


def open_parquet(path: Path, choose: ChooseForm) -> Array | EncodedImages:
    """Open and return a Parquet file with encoded images, or with 784 pixels in each row; and perhaps labels.

    Args:
        path: Path of the file.
        choose: Function that chooses the form of pixels.

    Raises:
        UsageError: pyarrow is not installed, or the file is damaged or too large, or has no images.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise UsageError(f"{str(path)!r} is a Parquet file, and reading it needs pyarrow: {INSTALL}") from None
    try:
        file = parquet.ParquetFile(path)
        _check_size(path, file.metadata)
        table = file.read(use_threads=False)
        encoded = [name for name in table.column_names if _holds_files(table.schema.field(name).type, pa)]
        encoded = [name for name in encoded if name.casefold() in _IMAGES] or encoded
        numbers = {name: _numbers(table.column(name), pa) for name in table.column_names if name not in encoded}
    except UsageError:
        raise
    except Exception as fault:  # pyarrow has errors of its own
        raise damaged(path, explain(fault)) from None
    arrays = {name: array for name, array in numbers.items() if array is not None}
    if encoded:
        return EncodedImages(table.column(encoded[0]), choose_labels(arrays, len(table)))
    return _open_pixels(path, arrays, table.column_names, choose)


def _check_size(path: Path, metadata: Any) -> None:
    """Check what a file says about itself before any of it is unpacked.

    Raises:
        UsageError: It is too large, or has too many rows.
    """
    if sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)) > MAX_BYTES:
        raise too_large(path)
    if metadata.num_rows > MAX_IMAGES:
        raise too_many(f"The array file {str(path)!r}")


def _open_pixels(path: Path, arrays: dict[str, NDArray[Any]], names: list[str], choose: ChooseForm) -> Array:
    lists = [name for name, array in arrays.items() if array.ndim == 2]
    if len(lists) == 1:
        return make_array(arrays.pop(lists[0]), path, choose, arrays)
    # pandas keeps numbers of rows as `__index_level_0__`.
    pixels = [name for name in arrays if any(map(str.isdigit, name)) and not name.startswith("__")]
    if len(pixels) != 784:
        shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
        raise UsageError(
            f"{str(path)!r} has no column of images ({shown}): neither encoded files, nor 784 pixels. Save one with "
            "the columns image and label, as Hugging Face's `mnist` has them."
        )
    others = {name: array for name, array in arrays.items() if name not in pixels}
    return make_array(np.stack([arrays[name] for name in pixels], axis=1), path, choose, others)


def _holds_files(kind: Any, pa: Any) -> bool:
    """Whether a column holds encoded images: binary values, or structs of bytes and a path."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_files(field.type, pa) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _numbers(column: Any, pa: Any) -> NDArray[Any] | None:
    """Return a column of numbers or texts, (n,), or of lists of equal length, (n, length); None for any other."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _numbers(column.cast(kind.value_type), pa)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return np.asarray(column.to_numpy())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(column.to_pylist(), np.str_)
    flat, depth = column.combine_chunks(), 0
    while _is_list(flat.type, pa) and not flat.null_count:
        flat, depth = flat.flatten(), depth + 1
    numeric = pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)
    if not depth or not numeric or not len(column) or len(flat) % len(column):
        return None
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(column), -1)


def _is_list(kind: Any, pa: Any) -> bool:
    return any(getattr(pa.types, f"is_{size}list")(kind) for size in ("", "large_", "fixed_size_"))
