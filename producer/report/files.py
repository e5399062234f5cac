"""Files that readers never see half written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


def check_writable(path: Path) -> None:
    """Check that `replacing` can replace or create a file.

    Raises:
        OSError: The system refused.
    """
    draft = _draft(path)
    draft.touch()
    draft.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, which replaces `path` when the block ends without an error.

    An error removes the draft. A rename within one folder is atomic, so a reader sees either the whole old file or the
    whole new one.

    Args:
        path: File to replace or create.
    """
    draft = _draft(path)
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{token_hex(4)}")
