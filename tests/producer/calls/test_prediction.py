"""Facts about what a program gets for one image."""

import copy
import pickle

import msgspec
import pytest

from model.errors import Failure, FailureCode
from producer.calls.prediction import Prediction


def test_a_prediction_is_a_value():
    """Nobody can change it. It is equal to one with the same attributes, also as a copy or from another process."""
    read = Prediction(7, 0.9, (0.1,) * 10, "model", review=False)
    failed = Prediction.failed(Failure(FailureCode.BLANK, "The image is blank."))
    for prediction in (read, failed):
        with pytest.raises(AttributeError):
            prediction.digit = 8  # type: ignore[misc]
        sent = pickle.loads(pickle.dumps(prediction))  # noqa: S301  our own
        for other in (copy.copy(prediction), copy.deepcopy(prediction), sent):
            assert other == prediction
            assert hash(other) == hash(prediction)
    assert read != failed
    match read:
        case Prediction(digit=digit, error=None):
            assert digit == 7
    assert Prediction(**msgspec.structs.asdict(failed)) == failed
