"""Measure how many images that people made themselves a model reads correctly, and count the mistakes.

    python benchmarks/accuracy_wild.py FOLDER [--mistakes]

FOLDER holds images as `<set>/<label>/<file>`, with labels 0 to 9. The benchmark does what a worker does: it decodes and
normalises each image, and the model that ships with the package classifies it. An image that is refused counts as
wrong.
"""

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from model.inference.classifier import Classifier
from model.inference.several import read_files
from model.metrics import NONE


def main() -> None:
    """Measure each set and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the sets")
    parser.add_argument("--mistakes", action="store_true", help="name the misread files")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = Classifier.baseline()
    for folder in sorted(path for path in arguments.folder.iterdir() if path.is_dir()):
        files = sorted(path for path in folder.glob("[0-9]/*") if path.is_file())
        if files:
            _report(folder.name, files, classifier, name_mistakes=arguments.mistakes)


def _report(name: str, files: list[Path], classifier: Classifier, *, name_mistakes: bool) -> None:
    read = read_files(classifier.classify, (file.read_bytes() for file in files))
    errors = read.failures
    labels = np.array([int(file.parent.name) for file in files])
    digits = read.predictions.digits.astype(np.int64)
    digits[list(errors)] = NONE
    right = digits == labels
    print(f"{name}: {right.sum()} of {len(files)} right, {right.mean():.2%}")
    for label in np.unique(labels):
        of_label = labels == label
        mistakes = Counter(int(digit) for digit in digits[of_label & ~right] if digit != NONE)
        others = ", ".join(f"{count} as {digit}" for digit, count in mistakes.most_common())
        print(f"  {label}: {right[of_label].sum():4} of {of_label.sum():4}  {others}")
    for code, count in Counter(error.code for error in errors.values()).items():
        print(f"  {count} refused: {code}")
    if name_mistakes:
        for index in np.flatnonzero(~right).tolist():
            print(f"  {files[index]}: {errors[index].sentence if index in errors else digits[index]}")


if __name__ == "__main__":
    main()
