"""What whoever asks for a training may choose. Knows no TensorFlow, because every room uses it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What to train.

    Attributes:
        data: `mnist`, or `samples` for the 1,797 sample digits; taught images are added to either.
        quick: Whether to refine the live model, in about a minute, instead of training a new one.
        epochs: Epochs instead of the recipe's, or None.
        seed: Seed of every random number.
    """

    data: str = "mnist"
    quick: bool = False
    epochs: int | None = None
    seed: int = 1
