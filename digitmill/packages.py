"""Our packages `model`, `worker` and `producer`, against files of a user's with the same names.

This module imports nothing of ours, because it runs before it is known whose packages Python would import.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("model", "worker", "producer")
HOME = Path(__file__).resolve().parents[1]
"""The folder that holds our packages."""


def check_packages() -> None:
    """Make sure that Python imports our packages, and not a user's modules of the same names.

    Raises:
        ImportError: A file is in the way; the message names it and the remedy.
    """
    for name in PACKAGES:
        found = _file_of(name)
        if found is not None and found.resolve() != HOME / name / "__init__.py":
            raise ImportError(
                f"digitmill needs its own package `{name}`, but {found} is in the way. Rename that file, or run Python "
                "from another folder.",
                name=name,
                path=str(found),
            )


def ignore_current_folder() -> None:
    """Take the current folder off the module path, unless it is the one that holds our packages.

    `python -m` puts it there first, so a user's own `model.py` would be imported instead of ours. For commands only: a
    program's path is its own affair.
    """
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != HOME:
        del sys.path[0]


def _file_of(name: str) -> Path | None:
    """Return the file that `import name` runs or has run; None where there is no such file."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None) if module else None
    if origin is None:
        spec = find_spec(name) if module is None else None
        origin = spec.origin if spec and spec.has_location else None
    return Path(origin) if origin else None
