"""What the processes of all roles begin with: settings, logging, and errors that end in one line."""

import logging
import sys
from collections.abc import Callable

from model.errors import DigitmillError
from worker.settings import Settings


def run(role: Callable[[Settings], int]) -> int:
    """Run a role with the settings of the environment.

    Args:
        role: works until it is told to stop, and returns the exit code.

    Returns:
        The exit code; 2 where the role cannot begin, after a line that says why.
    """
    try:
        settings = Settings.from_environment()
        logging.basicConfig(
            level=settings.log_level,
            stream=sys.stderr,
            format="%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s",
        )
        return role(settings)
    except DigitmillError as fault:
        print(fault, file=sys.stderr)  # noqa: T201  logging may not be set up yet
        return 2
