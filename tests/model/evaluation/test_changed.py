"""What a candidate changes against the live model: the images themselves, in both directions."""

import numpy as np
import pytest

from model.cards.card import Score
from model.cards.changes import MAX_KEPT
from model.data.digits import Digits
from model.evaluation.changed import changes_between
from model.evaluation.gate import Answers, Labels, decide


@pytest.mark.parametrize("taught", [0, 50])
def test_the_images_are_those_that_the_gate_counts(taught: int) -> None:
    """Each has its true digit, both answers and its own pixels. Of many, the first ones are kept."""
    random = np.random.default_rng(1)

    def drawn(count: int) -> Digits:
        return Digits(
            random.integers(0, 256, (count, 28, 28), np.uint8), random.integers(0, 10, count).astype(np.uint8)
        )

    def answers(version: str, wrong: float) -> Answers:
        def read(digits: Digits) -> np.ndarray:
            return (digits.labels + (random.random(len(digits)) < wrong)) % 10

        return Answers(version, read(validation), read(held), 1000, 1.0)

    validation, held = drawn(400), drawn(taught)
    live, candidate = answers("live", 0.3), answers("candidate", 0.1)
    changes = changes_between(live, candidate, validation, held)
    decision = decide(
        candidate, live, live, Labels(validation.labels, held.labels), Score.of(400, 400), min_agreement=0.9
    )
    assert changes.version == "live"
    for found in decision.comparisons:
        digits: Digits = {"validation": validation, "taught": held}[found.images]
        before, after = getattr(live, found.images), getattr(candidate, found.images)
        for won, total in ((True, found.won), (False, found.lost)):
            right, wrong = (after, before) if won else (before, after)
            kept = [image for image in changes.images if image.images == found.images and image.won == won]
            indices = np.flatnonzero((right == digits.labels) & (wrong != digits.labels))
            assert len(indices) == total
            assert len(kept) == min(total, MAX_KEPT)
            for image, index in zip(kept, indices.tolist(), strict=False):
                assert (image.label, image.before, image.after) == (digits.labels[index], before[index], after[index])
                assert np.array_equal(image.picture, digits.images[index])
    assert max(found.won for found in decision.comparisons) > MAX_KEPT
    assert len(changes.dumps()) < 4 * MAX_KEPT * 1200
