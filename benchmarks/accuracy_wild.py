"""Measure how many images that people made themselves a model reads correctly, and count the mistakes.

    python benchmarks/accuracy_wild.py FOLDER [--model FOLDER] [--mistakes]

FOLDER holds images as `<set>/<label>/<file>`, with labels 0 to 9. The benchmark does what a worker does: it decodes and
normalises each image, and the model classifies it. An image that is refused counts as wrong.
"""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from inputs import LabelledFiles, add_model, labelled_files, options, read_classifier

from model.evaluation.robustness import Answers
from model.inference.classifier import Classifier
from model.inference.several import read_files
from model.metrics import NONE


def main() -> None:
    """Measure each set and print its table."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="folder of the sets")
    add_model(parser)
    parser.add_argument("--mistakes", action="store_true", help="name the misread files")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    version, classifier = read_classifier(arguments.model)
    print(version)
    for files in labelled_files(arguments.folder):
        _report(files, classifier, name_mistakes=arguments.mistakes)


def _report(files: LabelledFiles, classifier: Classifier, *, name_mistakes: bool) -> None:
    read = read_files(classifier.classify, files.contents)
    errors, labels, digits = read.failures, files.labels, Answers.of(read).digits
    right = digits == labels
    print(f"{files.name}: {right.sum()} of {len(labels)} right, {right.mean():.2%}")
    for label in np.unique(labels):
        of_label = labels == label
        mistakes = Counter(int(digit) for digit in digits[of_label & ~right] if digit != NONE)
        others = ", ".join(f"{count} as {digit}" for digit, count in mistakes.most_common())
        print(f"  {label}: {right[of_label].sum():4} of {of_label.sum():4}  {others}")
    for code, count in Counter(error.code for error in errors.values()).items():
        print(f"  {count} refused: {code}")
    for reason, count in Counter(doubt.code for doubt in read.doubts.values()).items():
        print(f"  {count} doubted: {reason}")
    if name_mistakes:
        for index in np.flatnonzero(~right).tolist():
            print(f"  {files.paths[index]}: {errors[index].sentence if index in errors else digits[index]}")


if __name__ == "__main__":
    main()
