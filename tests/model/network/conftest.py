"""What the float network of the baseline says about MNIST, which takes seconds."""

from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from model.cards.card import BASELINE, WEIGHTS
from model.data.digits import Dataset


@pytest.fixture(scope="session")
def float_digits(mnist: Dataset, network: ModuleType) -> NDArray[np.int64]:
    """The digits that it reads in MNIST's test images, int64 (10000,)."""
    logits = network.logits(network.load_weights(BASELINE / WEIGHTS), mnist.test.images)
    digits: NDArray[np.int64] = logits.argmax(axis=1)
    return digits
