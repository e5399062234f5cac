"""Files that readers never see half written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from model.errors import UsageError

_HEAD_BYTES = 2000  # of a page, within which the line of `generated_by` is


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


def generated_by(command: str) -> str:
    """Return the line of a page by which the next such command knows that it may replace the page."""
    return f'<meta name="generator" content="{command}">'


def replace_page(path: Path, html: str, command: str) -> None:
    """Write a page that has the line of `generated_by` among its first ones. Replace nothing but such a page.

    Args:
        path: File to write. Its folder is created if necessary.
        html: The page.
        command: Command that writes it, such as `digitmill models report`.

    Raises:
        UsageError: There is another file, or the file cannot be written.
    """

    def write(draft: Path) -> None:
        # The name of an image can have bytes that are not UTF-8. They are written as Python prints them.
        draft.write_text(html, encoding="utf-8", errors="backslashreplace")

    replace_own(path, write, command, generated_by(command))


def replace_own(path: Path, write: Callable[[Path], object], command: str, mark: str) -> None:
    """Write a file that has a mark in its beginning. Replace nothing but such a file.

    Args:
        path: File to write. Its folder is created if necessary.
        write: Function that writes the draft at a path.
        command: Command that writes it, such as `digitmill models report`.
        mark: Text among the first bytes of the file.

    Raises:
        UsageError: There is another file, or the file cannot be written.
    """
    try:
        if path.exists() and not _has_line(path, mark):
            raise UsageError(
                f"{path} was not written by `{command}`, which replaces nothing else. Choose another file with --out."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            write(draft)
    except OSError as fault:
        raise UsageError(f"Cannot write {path}: {fault.strerror}. Choose another file with --out.") from fault


def _has_line(path: Path, line: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return line.encode() in file.read(_HEAD_BYTES)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{token_hex(4)}")
