"""Keeps a user's own files out of the way of digitmill's imports."""

import os
import sys
from importlib.util import find_spec

HOME = os.path.realpath(__file__ + "/../..")
"""The folder that holds our packages."""


def use_own_packages() -> None:
    """Take the current folder off the import path, unless it is ours; end where a user's `model` still hides ours.

    `python -m worker` puts the current folder first. `python -P -m worker` does not, but PYTHONPATH may name it too.
    Call this only from a module that `python -m` runs, and before any import from `model`.
    """
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != HOME:
        del sys.path[0]
    found = find_spec("model")
    origin = found.origin if found and found.has_location else None
    if origin and os.path.realpath(origin) != os.path.join(HOME, "model", "__init__.py"):  # noqa: PTH118  as above
        print(  # noqa: T201  logging is not set up yet
            f"digitmill needs its own package `model`, but {origin} is in the way. Rename that file, or take its "
            "folder off PYTHONPATH.",
            file=sys.stderr,
        )
        sys.exit(2)
