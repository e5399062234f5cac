"""Files that are never seen half written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a draft's path; when the block ends well the draft takes the place of `path`, otherwise it is removed.

    A rename within one folder is atomic: a reader sees the old file or the new one, whole.
    """
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
