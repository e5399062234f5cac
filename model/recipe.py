"""How a network is trained: every choice, as values. No TensorFlow, so that anyone may read or write a recipe."""

from dataclasses import dataclass, field

from model.errors import UsageError


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far training images are distorted at most: handwriting varies in just these ways.

    Attributes:
        rotation: degrees, either way.
        scale: share by which width and height each grow or shrink.
        shear: slant: horizontal shift per unit of height.
        shift: pixels, along each axis.
    """

    rotation: float = 12.0
    scale: float = 0.12
    shear: float = 0.15
    shift: float = 2.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; the defaults are the baseline's.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate: Adam's, at its peak; it rises linearly over the first epoch, then falls to 0 along a cosine.
        dropout: share of units dropped before and after the dense layer.
        averaging: decay per step of the moving average of the weights, which is what is kept.
        validation: share of the images held out of training; of MNIST's 60,000 about 5,000.
        augmentation: distortions of the training images.

    Raises:
        UsageError: less than one epoch, or batches of less than one image.
    """

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 2e-3
    dropout: float = 0.4
    averaging: float = 0.999
    validation: float = 1 / 12
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise UsageError("Epochs and batch size must be at least 1.")

    @classmethod
    def quick(cls) -> "Recipe":
        """For trying things out: at least 99.0 % in about a minute on two cores."""
        return cls(epochs=5, dropout=0.2, averaging=0.99, augmentation=Augmentation(8.0, 0.08, 0.1, 1.0))

    @classmethod
    def small(cls) -> "Recipe":
        """For one or two thousand images: more epochs of smaller batches."""
        return cls(epochs=25, batch_size=32, dropout=0.2, averaging=0.99)
