"""Import TensorFlow quietly.

This is not in `model.stderr`, because serving imports that and must never reach TensorFlow.
"""

import os

from model.errors import required_extra
from model.stderr import without_chatter


def import_tensorflow() -> None:
    """Import TensorFlow and safetensors, without TensorFlow's messages about its build.

    Call this before you import a module that imports one of them at its top, so that a missing package is explained.

    Raises:
        UsageError: TensorFlow or safetensors is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # silences TensorFlow once its logging has started
    with without_chatter(b"absl::InitializeLog", b"oneDNN custom operations are on"):
        # The quick import first: nobody should wait for TensorFlow to learn that another package is missing.
        with required_extra("safetensors", "train"):
            import safetensors  # noqa: F401
        with required_extra("TensorFlow", "train"):
            import tensorflow  # noqa: F401, ICN001 - imported early to filter its messages
