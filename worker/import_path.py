"""Keeps the files of the current folder out of the way of digitmill's imports."""

import os
import sys


def drop_current_folder() -> None:
    """Take the current folder off the import path, unless digitmill itself lies there.

    `python -m worker` puts that folder first. A user's own `model.py` there would be imported instead of `model`.
    `python -P -m worker` never puts it there, so nothing is taken off then. Call this only from a module that
    `python -m` runs, and before any import from `model`.
    """
    ours = os.sep.join((sys.path[0], *__name__.split("."))) + ".py"  # noqa: PTH118  pathlib imports more, from that folder
    if not sys.flags.safe_path and __file__ != ours:
        del sys.path[0]
