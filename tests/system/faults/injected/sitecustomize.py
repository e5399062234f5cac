"""Python runs this at the start of a process that has this folder on PYTHONPATH: the test mills' workers.

Images that carry one of the marks behind their last byte do to the process that decodes them what real images have
done: end it, hang it, or take long. The program itself knows nothing of this.
"""

import os
import signal
import sys
import time


def _inject() -> None:
    from marks import MARK_HANG, MARK_KILL, MARK_SLOW, SLOW_SECONDS

    from model.images import preprocess as module

    decode = module.preprocess

    def preprocess(data: bytes):
        if data.endswith(MARK_KILL):
            os.kill(os.getpid(), signal.SIGKILL)
        if data.endswith(MARK_HANG):
            time.sleep(3600)
        if data.endswith(MARK_SLOW):
            time.sleep(SLOW_SECONDS)
        return decode(data)

    module.preprocess = preprocess


if sys.orig_argv[-2:] == ["-m", "worker"]:
    _inject()
