"""The network is the one that was agreed on, and its weights are plain arrays."""

import pickle

import numpy as np
import pytest
from safetensors.numpy import load, save

from model import metrics
from model.cards.card import BASELINE, WEIGHTS, Card
from model.errors import ModelError
from model.network import network


def test_parameters():
    """The network has 225,034 parameters, all of them trainable."""
    built = network.build()
    assert built.count_params() == sum(np.prod(each.shape) for each in built.trainable_variables) == 225_034


def test_layers():
    """Convolutions of 32 and 64, each pooled; 1,600 features; a dense layer of 128; ten logits."""
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in network.build(dropout=0.5).layers}
    assert shapes == {
        "scale": (28, 28, 1),
        "conv1": (26, 26, 32),
        "pool1": (13, 13, 32),
        "conv2": (11, 11, 64),
        "pool2": (5, 5, 64),
        "flatten": (1600,),
        "dropout1": (1600,),
        "dense": (128,),
        "dropout2": (128,),
        "logits": (10,),
    }


def test_weights_have_plain_names():
    """The weights are named by layer, as in the shipped file."""
    assert sorted(load((BASELINE / WEIGHTS).read_bytes())) == [
        f"{layer}/{kind}" for layer in ("conv1", "conv2", "dense", "logits") for kind in ("bias", "kernel")
    ]


def test_weights_survive_writing(tmp_path, samples):
    """A network whose weights are dumped and loaded says the very same."""
    path = tmp_path / WEIGHTS
    built = network.build()
    path.write_bytes(network.dump_weights(built))
    images = samples.test.images
    assert np.array_equal(network.logits(network.load_weights(path), images), network.logits(built, images))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_networks_are_interpolated(share):
    """Every weight lies the share of the way from where it begins to where it ends; the beginning stays as it is."""
    start, end = network.build(), network.build()
    before, after = load(network.dump_weights(start)), load(network.dump_weights(end))
    network.interpolate(start, end, share)
    between = load(network.dump_weights(end))
    assert all(
        between[name] == pytest.approx((1 - share) * before[name] + share * after[name], abs=1e-6) for name in before
    )
    assert network.dump_weights(start) == save(before)


def spoilt(change):
    """The baseline's weights after `change`, as a safetensors file."""
    arrays = load((BASELINE / WEIGHTS).read_bytes())
    change(arrays)
    return save(arrays)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(lambda: pickle.dumps({}), "no safetensors file", id="a pickle"),
        pytest.param(lambda: spoilt(lambda arrays: arrays.pop("conv1/bias")), "conv1/bias", id="one missing"),
        pytest.param(lambda: spoilt(lambda arrays: arrays.update(extra=np.zeros(1))), "extra", id="one too many"),
        pytest.param(
            lambda: spoilt(lambda arrays: arrays.update({"dense/bias": np.zeros(127, np.float32)})),
            "dense/bias",
            id="another shape",
        ),
        pytest.param(
            lambda: spoilt(lambda arrays: arrays.update({"dense/bias": np.zeros(128)})), "dense/bias", id="wide floats"
        ),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, content, named):
    """Anything but exactly this network's arrays is refused, naming what does not fit."""
    path = tmp_path / WEIGHTS
    path.write_bytes(content())
    with pytest.raises(ModelError, match=named):
        network.load_weights(path)


def test_missing_weights_are_named(tmp_path):
    """A missing file is named."""
    with pytest.raises(ModelError, match=WEIGHTS):
        network.load_weights(tmp_path / WEIGHTS)


def test_the_float_baseline_reads_mnist(mnist):
    """The float baseline reads at least 99.0 % of MNIST's test images, and as many as its card says."""
    digits = network.logits(network.load_weights(BASELINE / WEIGHTS), mnist.test.images).argmax(axis=1)
    assert metrics.accuracy(mnist.test.labels, digits) >= 0.99
    assert metrics.accuracy(mnist.test.labels, digits) == pytest.approx(
        Card.read(BASELINE).test.float.accuracy, abs=5e-4
    )
