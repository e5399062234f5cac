"""The network has the fixed architecture, and its weights are plain arrays."""

import pickle

import numpy as np
import pytest
from safetensors.numpy import load, save

from model import metrics
from model.cards.card import BASELINE, WEIGHTS, Card
from model.errors import ModelError


def test_parameters(network):
    """The network has 390,410 parameters, all of them trainable."""
    built = network.build()
    trainable = sum(np.prod(each.shape) for each in built.trainable_variables)
    assert built.count_params() == trainable == 390_410


def test_layers(network):
    """The layers have the shapes of the fixed architecture."""
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in network.build(dropout=0.5).layers}
    assert shapes == {
        "scale": (28, 28, 1),
        "conv1": (26, 26, 32),
        "pool1": (13, 13, 32),
        "conv2": (11, 11, 64),
        "pool2": (5, 5, 64),
        "conv3": (3, 3, 128),
        "flatten": (1152,),
        "dropout1": (1152,),
        "dense": (256,),
        "dropout2": (256,),
        "logits": (10,),
    }


def test_weights_have_plain_names():
    """The weights are named by layer, as in the shipped file."""
    assert sorted(load((BASELINE / WEIGHTS).read_bytes())) == [
        f"{layer}/{kind}" for layer in ("conv1", "conv2", "conv3", "dense", "logits") for kind in ("bias", "kernel")
    ]


def test_written_weights_are_read_back(network, tmp_path, samples):
    """A network whose weights are written and loaded gives exactly the same logits."""
    path = tmp_path / WEIGHTS
    built = network.build()
    path.write_bytes(network.dump_weights(built))
    images = samples.test.images
    assert np.array_equal(network.logits(network.load_weights(path), images), network.logits(built, images))


def test_the_earlier_architecture_is_loaded_and_copied(network, tmp_path, samples):
    """Weights of a network with two convolutions are loaded into such a network. A refinement starts with its copy."""
    path, earlier = tmp_path / WEIGHTS, network._network(earlier=True)
    assert earlier.count_params() == 225_034
    path.write_bytes(network.dump_weights(earlier))
    loaded = network.load_weights(path)
    images = samples.test.images
    for same in (loaded, network.build(0.1, loaded)):
        assert np.array_equal(network.logits(same, images), network.logits(earlier, images))


@pytest.mark.parametrize("build", ["build", "build_teacher"])
def test_no_images_give_no_logits(network, build):
    """Zero images give an empty array of logits, as those of the exported model do."""
    found = network.logits(getattr(network, build)(), np.empty((0, 28, 28), np.uint8))
    assert found.shape == (0, 10)
    assert found.dtype == np.float32


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_networks_are_interpolated(network, share):
    """Each weight moves to the given position between both networks. The start network stays unchanged."""
    start, end = network.build(), network.build()
    before, after = load(network.dump_weights(start)), load(network.dump_weights(end))
    network.interpolate(start, end, share)
    between = load(network.dump_weights(end))
    for name in before:
        np.testing.assert_allclose(between[name], (1 - share) * before[name] + share * after[name], rtol=0, atol=1e-6)
    assert network.dump_weights(start) == save(before)


def spoilt(change):
    """Return the baseline's weights after `change`, as a safetensors file."""
    arrays = load((BASELINE / WEIGHTS).read_bytes())
    change(arrays)
    return save(arrays)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(lambda: pickle.dumps({}), "not a safetensors file", id="a pickle"),
        pytest.param(lambda: spoilt(lambda arrays: arrays.pop("conv1/bias")), "conv1/bias", id="one missing"),
        pytest.param(lambda: spoilt(lambda arrays: arrays.update(extra=np.zeros(1))), "extra", id="one too many"),
        pytest.param(
            lambda: spoilt(lambda arrays: arrays.update({"dense/bias": np.zeros(255, np.float32)})),
            "dense/bias",
            id="another shape",
        ),
        pytest.param(
            lambda: spoilt(lambda arrays: arrays.update({"dense/bias": np.zeros(256)})), "dense/bias", id="wide floats"
        ),
    ],
)
def test_weights_of_another_network_are_refused(network, tmp_path, content, named):
    """Files with other arrays than this network's are refused, and the message names what does not fit."""
    path = tmp_path / WEIGHTS
    path.write_bytes(content())
    with pytest.raises(ModelError, match=named):
        network.load_weights(path)


def test_missing_weights_are_named(network, tmp_path):
    """A missing file is refused by name."""
    with pytest.raises(ModelError, match=WEIGHTS):
        network.load_weights(tmp_path / WEIGHTS)


def test_the_float_baseline_reads_mnist(mnist, float_digits):
    """The float baseline reads over 99 % of MNIST's test images, within 0.05 points of what its card says."""
    assert metrics.accuracy(mnist.test.labels, float_digits) >= 0.99
    assert metrics.accuracy(mnist.test.labels, float_digits) == pytest.approx(
        Card.read(BASELINE).test.float.accuracy, abs=5e-4
    )
