"""Report, with the same message everywhere, that a file of a model cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import UsageError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise an error that names folder and remedy, if the block cannot write, for example because the disk is full.

    Args:
        folder: Folder that the block writes into.

    Raises:
        UsageError: The operating system refused to write.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"Cannot write into {folder}: {reason}. Make room there, or name another folder.") from error
