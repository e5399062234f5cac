"""Judge a trained model again: `python -m model.evaluation FOLDER`."""

import sys

from model.evaluation.judge import main

if __name__ == "__main__":
    sys.exit(main())
