"""Errors about array files, each with a remedy: damaged, too large, without images, or of another program."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from model.errors import UsageError

MAX_BYTES = 2 * 1024**3
"""Maximum size of arrays that are loaded into memory as a whole: 2.7 million images."""

_SAVE = "numpy.savez('digits.npz', images=…, labels=…)"


class _Kind(NamedTuple):
    """A kind of file, with a remedy that completes `Save its images as a NumPy file: …`."""

    words: str
    remedy: str


_PICKLE = _Kind(
    "a pickle, which can run any code when it is loaded",
    f"where you trust it, load it in Python and {_SAVE}",
)
_TORCH = _Kind("a PyTorch file", f"data = torch.load(path, weights_only=True), then {_SAVE}")
_HDF5 = _Kind("an HDF5 file", f"data = h5py.File(path), then {_SAVE}")
_MATLAB = _Kind("a MATLAB file", f"data = scipy.io.loadmat(path), then {_SAVE}")
_JSON = _Kind("a JSON file", f"data = json.load(open(path)), then {_SAVE}")
_ARROW = _Kind("an Arrow file", "datasets.Dataset.from_file(path).to_parquet('digits.parquet')")
_SHEET = _Kind("a spreadsheet", "save it as CSV, with 784 pixels in a row")
_RECORDS = _Kind("a TFRecord file", f"read it with tensorflow.data.TFRecordDataset, then {_SAVE}")
_TENSORS = _Kind("a safetensors file", f"data = safetensors.numpy.load_file(path), then {_SAVE}")
_R = _Kind("a file of R", "write.csv(digits, 'digits.csv', row.names=FALSE), with 784 pixels in a row")
_DATABASE = _Kind("a database", f"read it in Python, then {_SAVE}")

_SUFFIXES: Mapping[str, _Kind] = {
    **dict.fromkeys((".pkl", ".pickle", ".p", ".joblib", ".dill"), _PICKLE),
    **dict.fromkeys((".pt", ".pth"), _TORCH),
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".he5"), _HDF5),
    ".mat": _MATLAB,
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), _JSON),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), _ARROW),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _SHEET),
    **dict.fromkeys((".tfrecord", ".tfrecords", ".tfrec"), _RECORDS),
    ".safetensors": _TENSORS,
    **dict.fromkeys((".rda", ".rdata", ".rds"), _R),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".lmdb"), _DATABASE),
}

_STARTS: Mapping[bytes, _Kind] = {
    b"\x89HDF\r\n\x1a\n": _HDF5,
    b"MATLAB 5.0 MAT-file": _MATLAB,
    b"ARROW1\0\0": _ARROW,
    b"\x80\x02": _PICKLE,
    b"\x80\x03": _PICKLE,
    b"\x80\x04\x95": _PICKLE,
    b"\x80\x05\x95": _PICKLE,
    b"SQLite format 3\0": _DATABASE,
}


def damaged(path: Path, reason: str) -> UsageError:
    """Return the error for a file that cannot be read. `reason` completes a sentence."""
    return UsageError(f"The array file {str(path)!r} cannot be read: {reason.rstrip('.')}. Write it again.")


def other_content(path: Path, content: str) -> UsageError:
    """Return the error for a file of something else than images. `content` says what it holds."""
    return UsageError(
        f"{str(path)!r} holds {content or 'nothing'}, not images as uint8 (n, 28, 28), light ink on black. "
        "Convert them to that form, or submit image files."
    )


def too_large(path: Path) -> UsageError:
    """Return the error for a file that would fill the memory."""
    return UsageError(
        f"{str(path)!r} unpacks to more than {MAX_BYTES // 1024**3} GiB. Save the images as a .npy file, because "
        "digitmill does not load that as a whole."
    )


def refuse_other(path: Path, start: bytes) -> None:
    """Raise an error with a remedy if a file is of a kind that is known, but not read.

    Args:
        path: Path of the file.
        start: First bytes of the file, unpacked.

    Raises:
        UsageError: It is of such a kind.
    """
    name = path.name.lower().removesuffix(".gz")
    kind = _SUFFIXES.get(name[name.rfind(".") :] if "." in name else "")
    kind = kind or next((kind for head, kind in _STARTS.items() if start.startswith(head)), None)
    if kind:
        raise UsageError(
            f"{str(path)!r} is {kind.words}, and digitmill does not read it. Save its images in another form: "
            f"{kind.remedy}. Then submit that file."
        )
