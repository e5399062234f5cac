"""The export computes the same as the network."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from model.cards.card import BASELINE, MODEL, WEIGHTS
from model.data.digits import hold_out
from model.errors import ModelError
from model.evaluation.judge import judge
from model.inference.classifier import Classifier


def test_the_export_agrees(network, trained, samples):
    """The measured agreement is that of the card, whose interval reaches 99.5 %. The logits differ by under a tenth."""
    folder, card = trained
    _, validation = hold_out(samples.train, card.recipe["validation"])
    reference = network.logits(network.load_weights(folder / WEIGHTS), validation.images)
    exported = Classifier((folder / MODEL).read_bytes()).logits(validation.images)
    assert np.mean(reference.argmax(axis=1) == exported.argmax(axis=1)) == card.agreement.accuracy
    assert card.agreement.high >= 0.995
    assert np.abs(reference - exported).max() < 0.1 * np.ptp(reference)


def test_the_baselines_agree(mnist, baseline, float_digits):
    """The shipped float weights and int8 model agree on at least 99.5 % of MNIST's test images."""
    assert np.mean(float_digits == baseline.classify(mnist.test.images).digits) >= 0.995


def test_the_export_has_only_the_networks_operations():
    """It cuts patches, and has three convolutions, two poolings and two dense layers, but no scaling and no dropout."""
    interpreter = Interpreter(
        str(BASELINE / MODEL), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    operations = [each["op_name"] for each in interpreter._get_ops_details()]
    patches = ["STRIDED_SLICE", "SPACE_TO_DEPTH", *["STRIDED_SLICE"] * 4, "CONCATENATION"]
    first, second = ["CONV_2D", "RESHAPE", "MAX_POOL_2D", "RESHAPE"], ["CONV_2D", "MAX_POOL_2D"]
    rest = ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "DEQUANTIZE"]
    assert operations == patches + first + second + rest


@pytest.mark.parametrize("earlier", [False, True])
def test_the_order_of_computing_changes_no_answer(network, samples, earlier):
    """A network computed by patches returns what its layers return, for noise as well, up to rounding in float."""
    from model.network import export

    untrained = network._network(earlier=earlier)
    noise = np.random.default_rng(1).integers(0, 256, (50, 28, 28, 1))
    images = np.concatenate([samples.test.images[:50, ..., np.newaxis], noise]).astype(np.float32)
    kernel, bias = (np.asarray(variable) for variable in untrained.get_layer("conv1").trainable_variables)
    bias = np.linspace(-0.2, 0.2, len(bias), dtype=np.float32)
    untrained.get_layer("conv1").bias.assign(bias)
    expected = np.asarray(untrained(images, training=False))
    assert np.asarray(export._forward(untrained, images, kernel, bias)) == pytest.approx(expected, abs=1e-4)


def test_pixels_are_not_rescaled():
    """The input has scale 1 and zero point -128, so it takes each pixel minus 128."""
    [pixels] = Interpreter(str(BASELINE / MODEL)).get_input_details()
    assert pixels["quantization"] == (1.0, -128)


def test_a_float_model_is_refused(network, tmp_path):
    """The classifier refuses a LiteRT model that takes floats."""
    import tensorflow as tf

    network.build().export(tmp_path, format="tf_saved_model", verbose=False)
    model = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
    with pytest.raises(ModelError, match="must take int8"):
        Classifier(model)


def test_an_export_that_disagrees_is_refused(network, trained, samples):
    """Judging refuses the export of another network."""
    from model.network.export import to_int8

    folder, _ = trained
    other = to_int8(network.build(), samples.train.images[:20])
    with pytest.raises(ModelError, match="agrees with its network on only"):
        judge(network.load_weights(folder / WEIGHTS), other, samples.train[:100], samples.test)
