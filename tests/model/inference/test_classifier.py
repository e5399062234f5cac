"""The classifier returns one prediction per image, in order, and each depends on its image alone."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import metrics
from model.cards.card import BASELINE, Card
from model.data.digits import Dataset
from model.errors import ModelError
from model.inference.calibration import softmax
from model.inference.classifier import CHUNK, Classifier

LOAD = "from model.inference.classifier import Classifier; Classifier.baseline()"


@pytest.fixture(scope="module")
def alone(samples: Dataset, baseline: Classifier) -> np.ndarray:
    """Return the logits of the test images, each computed in a call of its own."""
    return np.concatenate([baseline.logits(image[np.newaxis]) for image in samples.test.images])


@given(st.lists(st.integers(0, 359), max_size=3 * CHUNK))
def test_a_prediction_depends_on_its_image_alone(samples, baseline, alone, chosen):
    """In any selection, order and number of images, each gets exactly the logits that it gets alone."""
    assert np.array_equal(baseline.logits(samples.test.images[np.array(chosen, int)]), alone[chosen])


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 360])
def test_n_images_give_n_predictions(samples, baseline, alone, count):
    """There are n predictions of the documented shapes and dtypes. The confidence is the digit's probability."""
    predictions = baseline.classify(samples.test.images[:count])
    assert len(predictions) == count
    assert (predictions.digits.dtype, predictions.digits.shape) == (np.uint8, (count,))
    assert (predictions.confidences.dtype, predictions.confidences.shape) == (np.float32, (count,))
    assert (predictions.probabilities.dtype, predictions.probabilities.shape) == (np.float32, (count, 10))
    assert np.array_equal(predictions.probabilities, softmax(alone[:count], Card.read(BASELINE).temperature))
    assert np.array_equal(predictions.digits, alone[:count].argmax(axis=1))
    assert np.array_equal(predictions.confidences, predictions.probabilities.max(axis=1, initial=0))


def test_any_memory_layout_is_taken(samples, baseline, alone):
    """A read-only, strided view is classified like its copy."""
    images = np.repeat(samples.test.images, 2, axis=2)[::-1, :, ::2]
    images.flags.writeable = False
    assert np.array_equal(baseline.logits(images), alone[::-1])


@pytest.mark.parametrize("shape", [(3, 28), (3, 28, 27), (3, 28, 28, 1), (784,)])
def test_other_shapes_are_refused(baseline, shape):
    """Only (n, 28, 28) is accepted."""
    with pytest.raises(ValueError, match="uint8"):
        baseline.classify(np.zeros(shape, np.uint8))


def test_other_dtypes_are_refused(baseline):
    """Only uint8 is accepted, because pixels of 0 to 1 would look black."""
    with pytest.raises(ValueError, match="uint8"):
        baseline.classify(np.zeros((1, 28, 28), np.float32))


@pytest.mark.parametrize("model", [b"", b"not a model", bytes(100_000)])
def test_other_bytes_are_refused(model):
    """Bytes that are not a model are refused, and the message names the remedy."""
    with pytest.raises(ModelError, match="Export it"):
        Classifier(model)


def test_the_baseline_reads_mnist(mnist, baseline):
    """The int8 baseline reads over 99 % of MNIST's test images, within 0.05 points of what its card says."""
    digits = baseline.classify(mnist.test.images).digits
    assert metrics.accuracy(mnist.test.labels, digits) >= 0.99
    assert metrics.accuracy(mnist.test.labels, digits) == pytest.approx(
        Card.read(BASELINE).test.int8.accuracy, abs=5e-4
    )


def test_confidences_are_calibrated(mnist, baseline):
    """On MNIST's test images the expected calibration error is less than half a percent."""
    predictions = baseline.classify(mnist.test.images)
    assert metrics.expected_calibration_error(mnist.test.labels, predictions.digits, predictions.confidences) < 0.005


def test_loading_is_silent_and_light():
    """Loading the baseline prints nothing, and imports neither TensorFlow nor other slow packages."""
    heavy = "tensorflow", "keras", "matplotlib", "cv2", "PIL", "scipy", "sklearn"
    code = f"{LOAD}; import sys; print([name for name in {heavy} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (process.stdout, process.stderr) == ("[]\n", "")


def test_loading_works_with_stderr_closed():
    """A process that has closed its stderr can load the baseline."""
    subprocess.run([sys.executable, "-c", f"import os; os.close(2); {LOAD}"], check=True)


def test_missing_litert_is_explained():
    """Without LiteRT the module can be imported, and its functions say how to install LiteRT."""
    code = """
import sys
sys.modules["ai_edge_litert"] = None  # Python then refuses to import it
from model.errors import UsageError
from model.inference.classifier import Classifier, require_litert
for attempt in (Classifier.baseline, require_litert):
    try:
        attempt()
    except UsageError as error:
        print(error)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "LiteRT is not installed. Install it: pip install 'digitmill[worker]'.\n" * 2
