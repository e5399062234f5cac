"""`python -m worker`: run one worker."""

import time

_STARTED = time.time()  # before the imports, which are most of the start-up

import sys  # noqa: E402

from worker.service import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(_STARTED))
