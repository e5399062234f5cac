"""From Keras to full-int8 LiteRT."""

import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model.stderr import without_chatter

CALIBRATION_IMAGES = 1000
"""How many real images show the converter the range of every layer's activations."""


def to_int8(network: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """The network as a LiteRT model: int8 pixels (n, 28, 28, 1) in, int8 arithmetic, float32 logits (n, 10) out.

    The input's scale is 1 and its zero point -128: a pixel's int8 value is its uint8 value less 128. The converter
    folds the network's scaling by 1/255 into the first convolution, so it costs nothing.

    Args:
        network: as `model.network.network.build` made it.
        images: uint8 (n, 28, 28), training images to calibrate on.
    """
    with tempfile.TemporaryDirectory() as folder, without_chatter(b""):
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
    """The network, except that Keras' Flatten asks for the batch size at run time: four small operations more."""
    for layer in network.layers:
        pixels = tf.reshape(pixels, (-1, 1600)) if isinstance(layer, keras.layers.Flatten) else layer(pixels)
    return pixels


def _one_by_one(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    # Both ends of the range must occur, or white would not be 255.
    for image in (np.zeros_like(images[0]), np.full_like(images[0], 255), *images):
        yield [image[np.newaxis, ..., np.newaxis].astype(np.float32)]
