"""Train a model and write it into a folder: `python -m model.training --out FOLDER`."""

import sys

from model.training.train import main

if __name__ == "__main__":
    sys.exit(main())
