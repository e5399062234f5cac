"""What goes wrong when a model is written, said in one way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from model.errors import UsageError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Name the folder and the remedy where a file in it cannot be written: the disk is full, say.

    Raises:
        UsageError: for what the operating system refuses.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"Cannot write into {folder}: {reason}. Make room there, or name another folder.") from error
