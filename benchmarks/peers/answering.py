"""What every peer answers, with the model and the preprocessing of a worker.

A peer runs in an environment of its own, which has what a worker needs. PYTHONPATH leads to the project itself.
"""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.images.preprocess import preprocess
from model.inference.classifier import Classifier

PNG = b"\x89PNG"
SIDE = 28


def images_of(body: bytes) -> NDArray[np.uint8]:
    """Return the images in a body as uint8 (n, 28, 28): that of a PNG file, or arrays one after the other."""
    if body.startswith(PNG):
        return preprocess(body)[np.newaxis]
    return np.frombuffer(body, np.uint8).reshape(-1, SIDE, SIDE)


def answers_of(classifier: Classifier, bodies: Sequence[bytes]) -> list[bytes]:
    """Return the answer to each body as JSON: its digits and confidences. All images are classified at once."""
    images = [images_of(body) for body in bodies]
    found = classifier.classify(np.concatenate(images))
    digits, confidences = found.digits.tolist(), found.confidences.tolist()
    answers, start = [], 0
    for each in images:
        stop = start + len(each)
        answers.append(json.dumps({"digits": digits[start:stop], "confidences": confidences[start:stop]}).encode())
        start = stop
    return answers
