"""Classifies in a process with limits. That is slow, but a model that crashes or hangs harms only that process."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.inference.limited_process import run_limited
from model.inference.predictions import Predictions


class Timed(NamedTuple):
    """Predictions, and the CPU time that they took on one thread, in seconds."""

    predictions: Predictions
    seconds: float


def classify_apart(version: str, model: bytes, temperature: float, images: NDArray[np.uint8]) -> Predictions:
    """Classify images in a process of their own. The predictions are those of `Classifier.classify`.

    Args:
        version: Name of the model, for messages.
        model: Content of its model.tflite.
        temperature: Temperature on its card.
        images: Images, uint8 (n, 28, 28), light ink on black; n must not be 0.

    Raises:
        ModelError: The model fails, crashes or exceeds a limit on these images.
        NotTried: The process could not run. That says nothing about the model.
    """
    return time_apart(version, model, temperature, images).predictions


def time_apart(version: str, model: bytes, temperature: float, images: NDArray[np.uint8]) -> Timed:
    """Do the same as `classify_apart`, and measure the time."""
    try:
        reply = run_limited(model, temperature, np.ascontiguousarray(images).tobytes())
    except ModelError as fault:
        raise type(fault)(f"Model {version} fails on some images. {fault}") from fault
    predictions = Predictions.of(np.frombuffer(reply.data, np.float32).reshape(-1, 10))
    return Timed(predictions, float(reply.body["seconds"]))
