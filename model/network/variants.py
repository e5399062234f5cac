"""A teacher that asks a network about each image and its variants, and gives the mean opinion.

I. Radosavovic et al., "Data Distillation: Towards Omni-Supervised Learning", https://arxiv.org/abs/1712.04440.
"""

import keras
import numpy as np
from keras import ops

from model.images.variants import MAPS

_LEAST = 1e-7
"""Least probability of a digit, so that its logarithm is finite."""


def averaging_variants(network: keras.Model) -> keras.Model:
    """Build a network that gives the mean opinion of another one of each image and its variants.

    It takes pixels 0 to 255, (n, 28, 28, 1), and returns logits, float32 (n, 10).

    Args:
        network: Network, from `model.network.network.build`, without dropout. It is not copied.
    """
    pixels = keras.Input((28, 28, 1), name="pixels")
    # Keras' maps say where a pixel comes from, and OpenCV's where it goes. Among these maps, each has its inverse.
    maps = np.pad(MAPS.reshape(-1, 6), ((0, 0), (0, 2)))
    varied = [ops.image.affine_transform(pixels, each, data_format="channels_last") for each in maps]
    outputs = network(ops.concatenate([pixels, *varied]))
    opinions = ops.reshape(ops.softmax(outputs), (len(MAPS) + 1, -1, outputs.shape[-1]))
    return keras.Model(pixels, ops.log(ops.maximum(ops.mean(opinions, axis=0), _LEAST)), name="variants")
