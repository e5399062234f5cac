"""Export a network from Keras to full-int8 LiteRT."""

import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model.stderr import without_chatter

CALIBRATION_IMAGES = 1000
"""Number of real images that show the converter the range of each layer's activations."""


def to_int8(network: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """Convert a network into a LiteRT model that computes in int8.

    The model takes int8 pixels (n, 28, 28, 1) and returns float32 logits (n, 10). The input's scale is 1 and its zero
    point is -128, so a pixel's int8 value is its uint8 value less 128. The converter folds the network's scaling by
    1/255 into the first convolution, so the scaling costs no time.

    Args:
        network: Network from `model.network.network.build`.
        images: Training images to calibrate on, uint8 (n, 28, 28).

    Returns:
        Content of model.tflite.
    """
    with tempfile.TemporaryDirectory() as folder, without_chatter(b""):  # b"" drops every line
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(
            "serve",
            lambda pixels: _forward(network, pixels),
            input_signature=[tf.TensorSpec((None, 28, 28, 1), tf.float32)],
        )
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _one_by_one(images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.float32
        content: bytes = converter.convert()
    return content


def _forward(network: keras.Model, pixels: Any) -> Any:
    """Apply the network, with a constant reshape in place of Keras' Flatten.

    Flatten asks for the batch size at run time, which takes four more small operations.
    """
    for layer in network.layers:
        pixels = tf.reshape(pixels, (-1, 1600)) if isinstance(layer, keras.layers.Flatten) else layer(pixels)
    return pixels


def _one_by_one(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    # The converter must see both ends of the range. Otherwise white would not be 255.
    for image in (np.zeros_like(images[0]), np.full_like(images[0], 255), *images):
        yield [image[np.newaxis, ..., np.newaxis].astype(np.float32)]
