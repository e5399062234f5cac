"""The network, its teacher network, and weights as plain arrays."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from model.errors import ModelError

_LATER = "conv3/kernel"
"""An array that the earlier architecture, with two convolutions, does not have."""


def build(dropout: float = 0.0, start: keras.Model | None = None) -> keras.Model:
    """Build the network. It takes pixels 0 to 255, (n, 28, 28, 1), and returns logits, float32 (n, 10).

    EXPERIMENTS.md has the networks that were compared, with their accuracy and cost.

    Args:
        dropout: Share of units that training drops, before and after the dense layer.
        start: Network whose architecture and weights the new one gets, from `build` or `load_weights`. By default it
            has the present architecture, and random weights.
    """
    if start is None:
        return _network(dropout)
    network = _network(dropout, earlier=_LATER not in _variables(start))
    for name, variable in _variables(network).items():
        variable.assign(_variables(start)[name])
    return network


def _network(dropout: float = 0.0, *, earlier: bool = False) -> keras.Model:
    """Build a network with random weights, of the present or of the earlier architecture.

    Models of the earlier one can still be judged, refined and exported.
    """
    third = [] if earlier else [layers.Conv2D(128, 3, activation="relu", name="conv3")]
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="pixels"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            *third,
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, name="dropout1"),
            layers.Dense(128 if earlier else 256, activation="relu", name="dense"),
            layers.Dropout(dropout, name="dropout2"),
            layers.Dense(10, name="logits", dtype="float32"),  # whatever the other layers compute in
        ],
        name="digits",
    )


def interpolate(start: keras.Model, end: keras.Model, share: float) -> None:
    """Move the weights of `end`, in place, towards the weights of `start`.

    Args:
        start: Network whose weights stay as they are.
        end: Network of the same architecture whose weights are replaced.
        share: Position of the new weights: 0 gives those of `start`, 1 leaves those of `end`.
    """
    before = _variables(start)
    for name, variable in _variables(end).items():
        variable.assign(before[name] + share * (variable - before[name]))


def build_teacher(dropout: float = 0.0) -> keras.Model:
    """Build a teacher network, from which the network distils. It never serves.

    It has the same input and output as the network, two more layers, and about three times the arithmetic.

    Args:
        dropout: Share of units that training drops, before and after the dense layer.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="pixels"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(256, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(10, dtype="float32"),  # as in the network
        ],
        name="teacher",
    )


def logits(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the network's logits, float32 (n, 10).

    Args:
        network: Network, from `build` or `build_teacher`.
        images: Images, uint8 (n, 28, 28), light ink on black; n may be 0.
    """
    outputs = [
        network(images[start : start + 1000, ..., np.newaxis], training=False) for start in range(0, len(images), 1000)
    ]
    return np.concatenate([np.empty((0, 10), np.float32), *outputs])


def dump_weights(network: keras.Model) -> bytes:
    """Encode the weights as a safetensors file. Its arrays have names such as "conv1/kernel" and "conv1/bias"."""
    return save({name: np.asarray(variable) for name, variable in _variables(network).items()})


def load_weights(path: Path) -> keras.Model:
    """Build the network, of either architecture, with the weights from a file that `dump_weights` encoded.

    A safetensors file holds only arrays. Unlike a pickle or a .keras file it cannot run code.

    Args:
        path: File to read.

    Returns:
        The network, without dropout.

    Raises:
        ModelError: The file cannot be read, is not a safetensors file, or does not hold exactly this network's arrays.
    """
    try:
        arrays = load(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"Cannot read {path}: {error.strerror}. Restore the file, or train the model again."
        ) from error
    except SafetensorError as error:
        raise ModelError(
            f"{path} is not a safetensors file ({error}). Restore it, or train the model again."
        ) from error
    network = _network(earlier=_LATER not in arrays)
    variables = _variables(network)
    expected = {name: (tuple(variable.shape), "float32") for name, variable in variables.items()}
    found = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise ModelError(
            f"{path} does not fit the network: {', '.join(wrong)} is missing, surplus or of another shape or dtype. "
            "Train the model again with this version of digitmill."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return network


def _variables(network: keras.Model) -> dict[str, Any]:
    return {f"{layer.name}/{each.name}": each for layer in network.layers for each in layer.trainable_variables}
