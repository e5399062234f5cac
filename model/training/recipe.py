"""How a network is trained: every choice, as values. No TensorFlow, so that anyone may read or write a recipe."""

import math
from dataclasses import dataclass, field

from model.augmentation.distortion import Augmentation
from model.errors import UsageError

_SHARES = ("dropout", "averaging", "validation", "degradation", "drawn", "outliers", "distillation")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; the defaults are the baseline's.

    Attributes:
        epochs: passes over the training images, or over a share of them.
        share: of the training images that an epoch takes, in each epoch others.
        batch_size: images per step.
        learning_rate: Adam's, at its peak; it rises linearly over the first epoch, then falls to 0 along a cosine.
        dropout: share of units dropped before and after the dense layer.
        averaging: decay per step of the moving average of the weights, which is what is kept.
        validation: share of the images held out of training; of MNIST's 60,000 about 5,000.
        augmentation: distortions of the training images.
        degradation: share of the images that each kind of wear befalls: blur, noise, stray lines and so on.
        drawn: share of each batch that is drawn digits, in ways of writing that MNIST hardly has.
        outliers: share of each batch that is no digit, for the network to learn doubt from.
        teachers: larger networks that are trained first; the network learns from their opinions too.
        teacher_epochs: their passes over the training images.
        distillation: how much the teachers' opinion counts against the label.
        refines: whether the network begins with the weights of the model that it is to replace, not with random ones,
            and heeds that model's opinion wherever it agrees with the label.
        blend: how far the weights of a network that refines go in the end: a share of the way to those it has learnt.

    Raises:
        UsageError: a number is out of its range: a negative one, a share of more than all, no epochs.
    """

    epochs: int = 50
    share: float = 1.0
    batch_size: int = 128
    learning_rate: float = 3e-3
    dropout: float = 0.15
    averaging: float = 0.999
    validation: float = 1 / 12
    augmentation: Augmentation = field(default_factory=Augmentation)
    degradation: float = 0.025
    drawn: float = 0.16
    outliers: float = 0.06
    teachers: int = 1
    teacher_epochs: int = 15
    distillation: float = 0.7
    refines: bool = False
    blend: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.teacher_epochs < 1:
            raise UsageError("Epochs and batch size must be at least 1.")
        if self.teachers < 0:
            raise UsageError(f"There cannot be {self.teachers} teachers. Give 0 or more.")
        if not 0 <= self.learning_rate < math.inf:
            raise UsageError(f"The learning rate cannot be {self.learning_rate}. Give a small one, such as 0.003.")
        if not 0 < self.share <= 1:
            raise UsageError(f"An epoch cannot take a share of {self.share}. Give one of more than 0, up to 1.")
        if not 0 <= self.blend <= 1:
            raise UsageError(f"Weights cannot be blended by {self.blend}. Give a share from 0 to 1.")
        shares = {name: getattr(self, name) for name in _SHARES}
        shares["drawn and outliers together"] = self.drawn + self.outliers
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise UsageError(f"A share of {name} cannot be {share}. Give one from 0 to less than 1.")

    @classmethod
    def quick(cls) -> "Recipe":
        """For trying things out: at least 99.0 % in about a minute on two cores."""
        mild = Augmentation(rotation=8, scale=0.08, shear=0.1, shift=1, elastic=0.3, thickness=0.3)
        return cls(epochs=4, dropout=0.2, averaging=0.99, augmentation=mild, degradation=0.01, teachers=0)

    @classmethod
    def refinement(cls) -> "Recipe":
        """To teach a good model a little more within about a minute, and let it forget little of what it knows.

        Measured in EXPERIMENTS.md: 160 images of a style that it misread were enough. Going far and then a part of the
        way back forgets less than going less far: M. Wortsman et al., "Robust fine-tuning of zero-shot models",
        https://arxiv.org/abs/2109.01903.
        """
        return cls(epochs=2, share=0.5, learning_rate=2e-3, averaging=0.99, teachers=0, refines=True, blend=0.8)

    @classmethod
    def small(cls) -> "Recipe":
        """For one or two thousand images: more epochs of smaller batches."""
        return cls(epochs=25, batch_size=32, dropout=0.2, averaging=0.99, teachers=0)
