"""How good a network and its export are: the figures of a model's card."""

from typing import Any

from model import metrics
from model.calibration import fit_temperature
from model.card import Score, Scores
from model.classifier import Classifier
from model.digits import Digits
from model.errors import ModelError

LEAST_AGREEMENT = 0.995
"""On which share of the validation images the export must name the same digit as the network it came from."""


def judge(network: Any, model: bytes, validation: Digits, test: Digits) -> dict[str, Any]:
    """What the card says of how good the network and its export are.

    Raises:
        ModelError: they do not agree. On few images one may differ by chance, so the upper end of the interval decides.
    """
    from model.network import logits

    outputs = Classifier(model).logits(validation.images)
    reference, exported = logits(network, validation.images).argmax(axis=1), outputs.argmax(axis=1)
    agreement = Score.between(reference, exported)
    if agreement.high < LEAST_AGREEMENT:
        raise ModelError(
            f"The int8 export agrees with its network on only {agreement.accuracy:.2%} of the validation images, not "
            f"on {LEAST_AGREEMENT:.2%}. Train for more epochs, or on more images."
        )
    temperature = fit_temperature(outputs, validation.labels)
    tested = Classifier(model, temperature=temperature).classify(test.images)
    return {
        "validation": Scores(Score.between(validation.labels, reference), Score.between(validation.labels, exported)),
        "test": Scores(
            Score.between(test.labels, logits(network, test.images).argmax(axis=1)),
            Score.between(test.labels, tested.digits),
        ),
        "agreement": agreement,
        "per_class": metrics.per_class(test.labels, tested.digits),
        "confusion": metrics.confusion(test.labels, tested.digits).tolist(),
        "temperature": temperature,
        "calibration_error": metrics.expected_calibration_error(test.labels, tested.digits, tested.confidences),
    }
