"""`python -m worker.trainer`: run one trainer."""

import sys

from worker.trainer.service import main

if __name__ == "__main__":
    sys.exit(main())
