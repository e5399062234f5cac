"""The network, and its weights as plain arrays."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from model.errors import ModelError

PARAMETERS = 225_034


def build(dropout: float = 0.0, start: keras.Model | None = None) -> keras.Model:
    """The network: pixels 0 to 255, (n, 28, 28, 1), in; logits (n, 10) out.

    Args:
        dropout: share of units dropped in training, before and after the dense layer.
        start: where its weights come from; by default they are random.
    """
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="pixels"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, name="dropout1"),
            layers.Dense(128, activation="relu", name="dense"),
            layers.Dropout(dropout, name="dropout2"),
            layers.Dense(10, name="logits"),
        ],
        name="digits",
    )
    if start is not None:
        for name, variable in _variables(network).items():
            variable.assign(_variables(start)[name])
    return network


def interpolate(start: keras.Model, end: keras.Model, share: float) -> None:
    """Let the weights of `end` be those that lie a `share` of the way from the weights of `start` to them."""
    before = _variables(start)
    for name, variable in _variables(end).items():
        variable.assign(before[name] + share * (variable - before[name]))


def build_teacher(dropout: float = 0.0) -> keras.Model:
    """A network that only ever teaches: deeper, with batch normalisation, about twice the arithmetic, same in and out.

    Args:
        dropout: share of units dropped in training, before and after the dense layer.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="pixels"),
            layers.Rescaling(1 / 255, name="scale"),
            *_normalised(layers.Conv2D(24, 3, use_bias=False)),
            *_normalised(layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False)),
            *_normalised(layers.Conv2D(48, 3, padding="same", use_bias=False)),
            *_normalised(layers.Conv2D(48, 3, strides=2, padding="same", use_bias=False)),
            *_normalised(layers.Conv2D(96, 3, use_bias=False)),
            layers.Flatten(),
            layers.Dropout(dropout),
            *_normalised(layers.Dense(128, use_bias=False)),
            layers.Dropout(dropout),
            layers.Dense(10),
        ],
        name="teacher",
    )


def _normalised(layer: keras.Layer) -> list[keras.Layer]:
    """The layer, batch normalisation with statistics of about ten steps, and ReLU."""
    return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def logits(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network says, float32 (n, 10), of uint8 (n, 28, 28)."""
    outputs = [
        network(images[start : start + 1000, ..., np.newaxis], training=False) for start in range(0, len(images), 1000)
    ]
    return np.concatenate(outputs)


def dump_weights(network: keras.Model) -> bytes:
    """The weights as a safetensors file: arrays named "conv1/kernel", "conv1/bias" and so on."""
    return save({name: np.asarray(variable) for name, variable in _variables(network).items()})


def load_weights(path: Path) -> keras.Model:
    """The network with the weights that `dump_weights` gave.

    A safetensors file holds arrays and nothing else: unlike a pickle or a .keras file it cannot run code.

    Raises:
        ModelError: the file is missing, or has other arrays than exactly this network's.
    """
    try:
        arrays = load(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"Cannot read {path}: {error.strerror}. Restore the file, or train the model again."
        ) from error
    except SafetensorError as error:
        raise ModelError(f"{path} is no safetensors file ({error}). Restore it, or train the model again.") from error
    network = build()
    variables = _variables(network)
    expected = {name: (tuple(variable.shape), "float32") for name, variable in variables.items()}
    found = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise ModelError(
            f"{path} does not fit the network: missing, surplus or of another shape are {', '.join(wrong)}. "
            "Train the model again with this version of digitmill."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return network


def _variables(network: keras.Model) -> dict[str, Any]:
    return {f"{layer.name}/{each.name}": each for layer in network.layers for each in layer.trainable_variables}
