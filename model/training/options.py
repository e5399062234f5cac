"""The choices of a user who asks for a training. All rooms use this module, so it never imports TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The choices of a training.

    Attributes:
        data: Data set, `mnist`, or `samples` for the 1,797 sample digits. Taught images are added to either.
        quick: Whether to refine the live model, in a few minutes, instead of training a new one.
        epochs: Number of epochs, or None for the recipe's.
        seed: Seed of all random numbers.
    """

    data: str = "mnist"
    quick: bool = False
    epochs: int | None = None
    seed: int = 1
