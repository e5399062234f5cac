"""A training asks a network about the same variants of an image that are read in service."""

import numpy as np

from model.augmentation.distortion import Augmentation, distort
from model.cards.card import BASELINE, WEIGHTS
from model.images.variants import MAPS
from model.inference.calibration import softmax
from model.inference.predictions import Predictions
from model.inference.variants import SURE, Inputs, read_inputs
from model.network.network import load_weights, logits
from model.network.variants import averaging_variants


def test_a_teacher_gives_the_mean_opinion_of_the_variants_of_service(samples):
    """Its probabilities are the mean that `read_inputs` gives with the same network, at a temperature of 1."""
    network = load_weights(BASELINE / WEIGHTS)
    images = distort(samples.test.images, Augmentation(rotation=30, shear=0.5), np.random.default_rng(1))

    def classify(images):
        return Predictions.of(softmax(logits(network, images)))

    once, read = classify(images), read_inputs(classify, Inputs(images, np.ones(len(images), bool))).predictions
    unsure = once.confidences < SURE
    opinions = softmax(logits(averaging_variants(network), images))[unsure]
    assert len(opinions) >= 50
    np.testing.assert_allclose(opinions, read.probabilities[unsure], atol=0.01)
    assert np.abs(opinions - once.probabilities[unsure]).max() > 0.2


def test_each_variant_has_its_inverse():
    """Maps that say where a pixel comes from, and maps that say where it goes, make the same variants."""
    square = np.concatenate([MAPS, np.tile(np.array([[[0, 0, 1]]], np.float32), (len(MAPS), 1, 1))], axis=1)
    inverses = np.linalg.inv(square)[:, :2]
    assert all(np.isclose(MAPS, inverse, atol=1e-4).all(axis=(1, 2)).any() for inverse in inverses)
