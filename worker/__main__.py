"""`python -m worker`: run one worker."""

import gc
import time

_STARTED = time.time()  # before the imports, which are most of the start-up
gc.disable()  # nothing that they make is garbage: looking for some costs a tenth of them

import sys  # noqa: E402

from worker.classifying.service import main  # noqa: E402

if __name__ == "__main__":
    # Set apart, so that the classifying process, which is forked, shares these pages for good.
    gc.freeze()
    gc.enable()
    sys.exit(main(_STARTED))
