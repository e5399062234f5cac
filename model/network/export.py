"""Export a network from Keras to full-int8 LiteRT, in an order of computing that suits its integer arithmetic."""

import math
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

GRAPH = "patches"
"""Name of the order in which exports compute, for their cards (see `_first_layers`)."""

_USED = 26
"""Rows and columns of an image that reach the second pooling, which drops the last of its 11 rows and columns."""


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
    weights = [np.asarray(variable) for variable in network.get_layer("conv1").trainable_variables]
    with tempfile.TemporaryDirectory() as folder, without_chatter(b""):  # b"" drops every line
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(
            "serve",
            lambda pixels: _forward(network, pixels, *weights),
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


def _forward(network: keras.Model, pixels: Any, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
    """Apply the network, with a constant reshape in place of Keras' Flatten.

    Flatten asks for the batch size at run time, which takes four more small operations.
    """
    values = _first_layers(pixels, kernel * np.float32(network.get_layer("scale").scale), bias)
    for layer in network.layers[network.layers.index(network.get_layer("pool1")) + 1 :]:
        if isinstance(layer, keras.layers.Flatten):
            values = tf.reshape(values, (-1, math.prod(values.shape[1:])))
        else:
            values = layer(values)
    return values


def _first_layers(pixels: Any, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
    """Convolve and pool as one product with patches of 4×4 pixels, and the maximum over the four places of a pool.

    A convolution of one channel wastes most of an integer instruction, which multiplies 4 or 8 channels at a time. Each
    pool needs the convolution at four places, which lie in one patch of 4×4 pixels. So the 16 pixels become the
    channels of a 1×1 convolution, and its outputs are those of the four places. To cut the patches, each pixel of a
    block of 2×2 gets a channel of its own, and each block is joined with its neighbours at the right and below.
    EXPERIMENTS.md has the speed of this and of other orders.

    Args:
        pixels: Float tensor (n, 28, 28, 1).
        kernel: Kernel of the first convolution, float32 (3, 3, 1, c).
        bias: Its bias, float32 (c,).

    Returns:
        The first 12 of 13 rows and columns of the first pooling, float tensor (n, 12, 12, c). The others do not change
        what the network returns.
    """
    channels = kernel.shape[-1]
    places = np.zeros((4, 4, 2, 2, channels), np.float32)
    for down in range(2):
        for right in range(2):
            places[down : down + 3, right : right + 3, down, right] = kernel[:, :, 0]
    # (block, row in it, block, column in it, …) to (block, block, row, column, …), the order of the patches' channels
    weights = places.reshape(2, 2, 2, 2, -1).transpose(0, 2, 1, 3, 4).reshape(1, 1, 16, -1)
    blocks = tf.nn.space_to_depth(pixels[:, :_USED, :_USED], 2)
    size = _USED // 2 - 1
    patches = tf.concat([blocks[:, y : y + size, x : x + size] for y in range(2) for x in range(2)], -1)
    values = tf.nn.relu(tf.nn.conv2d(patches, weights, 1, "VALID") + np.tile(bias, 4))
    # Four places in a row, because LiteRT has no fast maximum over groups of channels.
    pooled = tf.nn.max_pool2d(tf.reshape(values, (-1, size * size, 4, channels)), (1, 4), (1, 4), "VALID")
    return tf.reshape(pooled, (-1, size, size, channels))


def _one_by_one(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    # The converter must see both ends of the range. Otherwise white would not be 255.
    for image in (np.zeros_like(images[0]), np.full_like(images[0], 255), *images):
        yield [image[np.newaxis, ..., np.newaxis].astype(np.float32)]
