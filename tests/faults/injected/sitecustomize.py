"""Python runs this at the start of a process that has this folder on PYTHONPATH: the test mills' workers.

Images that carry one of these marks behind their last byte do to the process that decodes them what real images have
done: end it, hang it, or take long. The program itself knows nothing of this.
"""

import importlib.util
import os
import signal
import sys
import time

MARK_KILL = b"MARK:kill"
MARK_HANG = b"MARK:hang"
MARK_SLOW = b"MARK:slow"
SLOW_SECONDS = 0.3


def _inject() -> None:
    from model import preprocess as module

    decode = module.preprocess

    def preprocess(data: bytes):  # noqa: ANN202  the type of the real one
        if data.endswith(MARK_KILL):
            os.kill(os.getpid(), signal.SIGKILL)
        if data.endswith(MARK_HANG):
            time.sleep(3600)
        if data.endswith(MARK_SLOW):
            time.sleep(SLOW_SECONDS)
        return decode(data)

    module.preprocess = preprocess


# The local stack's server is started by a Python without packages; only a worker has them.
if "worker" in sys.orig_argv and importlib.util.find_spec("model"):
    _inject()
