"""Importing TensorFlow; apart from `model.stderr`, which those use who must never reach it."""

import os

from model.errors import UsageError
from model.stderr import without_chatter


def import_tensorflow() -> None:
    """Import TensorFlow without its greetings: they are on what its build could do on other machines.

    Raises:
        UsageError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its own switch, effective once its logging has started
    with without_chatter(b"absl::InitializeLog", b"oneDNN custom operations are on"):
        try:
            import tensorflow  # noqa: F401, ICN001 - imported for its noise
        except ModuleNotFoundError as error:
            raise UsageError("TensorFlow is not installed. Install it: pip install 'digitmill[train]'.") from error
