"""Report a model file that cannot be written, with the same message everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import UsageError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Name the folder and the remedy if the block cannot write a file there, for example because the disk is full.

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
