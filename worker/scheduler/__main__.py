"""`python -m worker.scheduler`: run one scheduler."""

import sys

from worker.scheduler.service import main

if __name__ == "__main__":
    sys.exit(main())
