"""Files that readers never see half written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, which replaces `path` when the block ends without an error.

    An error removes the draft. A rename within one folder is atomic, so a reader sees either the whole old file or the
    whole new one.

    Args:
        path: File to replace or create.
    """
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
