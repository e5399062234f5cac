"""Protect our packages `model`, `worker` and `producer` from a user's files with the same names.

This module imports no other module of ours, because Python might find a user's file in its place.
"""

import os
import sys
from importlib.util import find_spec

PACKAGES = ("model", "worker", "producer")
HOME = os.path.realpath(__file__ + "/../..")
"""The folder that holds our packages."""


def check_packages() -> None:
    """Check that Python imports our packages, and not a user's modules with the same names.

    Raises:
        ImportError: A file is in the way. The message names the file and the remedy.
    """
    for name in PACKAGES:
        found = _file_of(name)
        if found is not None and os.path.realpath(found) != os.path.join(HOME, name, "__init__.py"):  # noqa: PTH118  as above
            raise ImportError(
                f"digitmill needs its own package `{name}`, but {found} is in the way. Rename that file, or take its "
                "folder off Python's module path.",
                name=name,
                path=found,
            )


def ignore_current_folder() -> None:
    """Remove the current folder from the module path, unless it is the folder that holds our packages.

    `python -m` puts the current folder first, so Python would import a user's own `model.py` instead of our package.
    Only commands may call this, because a program decides about its own module path.
    """
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != HOME:
        del sys.path[0]


def _file_of(name: str) -> str | None:
    """Return the file that `import name` runs or has run; None where there is no such file."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None) if module else None
    if origin is None:
        spec = find_spec(name) if module is None else None
        origin = spec.origin if spec and spec.has_location else None
    return origin or None
