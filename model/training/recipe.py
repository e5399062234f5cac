"""The recipe of a training: all its choices as values. Any program can use it, because it needs no TensorFlow."""

import math
from dataclasses import dataclass, field

from model.augmentation.distortion import Augmentation
from model.errors import UsageError

_SHARES = (
    "dropout",
    "averaging",
    "validation",
    "degradation",
    "normalised",
    "drawn",
    "outliers",
    "teacher_dropout",
    "distillation",
)


_FROM_ZERO = {
    "teachers": ("There cannot be {} teachers", "Give 0 or more"),
    "variant_epochs": ("There cannot be {} epochs with variants", "Give 0 or more"),
    "learning_rate": ("The learning rate cannot be {}", "Give a small one, such as 0.003"),
    "variant_learning_rate": ("The learning rate with variants cannot be {}", "Give a small one, such as 0.0005"),
    "fidelity": ("The fidelity cannot be {}", "Give a small number, such as 0.05"),
    "replayed": ("A batch cannot have {} of its size added", "Give a small number, such as 1"),
}
"""Numbers that must be finite, and 0 or more: what is said of another one, and the remedy."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The choices of a training. The defaults are the baseline's.

    Attributes:
        epochs: Number of passes over the training images, or over a share of them.
        share: Share of the training images that an epoch uses. Each epoch chooses them anew.
        batch_size: Images per step.
        learning_rate: Peak of Adam's learning rate. It rises linearly in the first epoch, then falls to 0 along a
            cosine.
        dropout: Share of units that training drops, before and after the network's dense layer.
        averaging: Decay per step of the moving average of the weights. The averaged weights are the result.
        validation: Share of the images held out of training: of MNIST's 60,000 about 5,000.
        augmentation: Distortions of the training images.
        degradation: Share of the images that get each kind of degradation, such as blur, noise or stray lines.
        normalised: Share of the images that are then normalised, as a worker normalises files.
        drawn: Share of drawn digits in each batch. They have styles that are rare in MNIST.
        outliers: Share of images without a digit in each batch. From them, the network learns to have low confidence.
        teachers: Number of larger networks that are trained first. The network distils from them.
        teacher_epochs: Number of each teacher's passes over the training images.
        teacher_dropout: The teachers' `dropout`. They are larger, and learn more variety with it.
        distillation: Weight of the teachers' opinion, from 0 to less than 1. The label has the remaining weight.
        variant_epochs: Number of further passes. In them, a copy of the trained network takes the teachers' place, and
            gives its mean opinion of each image and its variants.
        variant_learning_rate: Peak of the learning rate in these passes, which begins anew.
        refines: Whether the network starts with the weights of an earlier model, not with random ones.
            It then copies that model's opinion, except of taught images, of which only the label counts.
        fidelity: Weight, in a refinement, of the mean squared difference between its logits and those that it copies.
        replayed: Number of training images, as a share of the batch, that a refinement adds to each batch as they are.
            They are among those of which the model that it refines is the least sure.
        blend: Position of a refined network's final weights: 0 gives the old weights, 1 the learnt ones.

    Raises:
        UsageError: A number is out of its range, for example a negative share or no epochs.
    """

    epochs: int = 50
    share: float = 1.0
    batch_size: int = 128
    learning_rate: float = 3e-3
    dropout: float = 0.05
    averaging: float = 0.999
    validation: float = 1 / 12
    augmentation: Augmentation = field(default_factory=Augmentation)
    degradation: float = 0.022
    normalised: float = 0.15
    drawn: float = 0.2
    outliers: float = 0.09
    teachers: int = 1
    teacher_epochs: int = 15
    teacher_dropout: float = 0.15
    distillation: float = 0.7
    variant_epochs: int = 0
    variant_learning_rate: float = 5e-4
    refines: bool = False
    fidelity: float = 0.0
    replayed: float = 0.0
    blend: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.teacher_epochs < 1:
            raise UsageError("Epochs, batch size and teacher epochs must be at least 1. Give 1 or more.")
        if self.refines and self.variant_epochs:
            raise UsageError(
                "A refinement copies a model, so it has no epochs with variants. Leave out variant_epochs."
            )
        for name, (words, remedy) in _FROM_ZERO.items():
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{words.format(getattr(self, name))}. {remedy}.")
        if not 0 < self.share <= 1:
            raise UsageError(f"An epoch cannot use a share of {self.share}. Give more than 0, and 1 at most.")
        if not 0 <= self.blend <= 1:
            raise UsageError(f"Weights cannot be blended by {self.blend}. Give a share from 0 to 1.")
        shares = {name: getattr(self, name) for name in _SHARES}
        shares["drawn and outliers together"] = self.drawn + self.outliers
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise UsageError(f"The share of {name} cannot be {share}. Give 0 or more, and less than 1.")

    @classmethod
    def quick(cls) -> "Recipe":
        """Return a recipe for trials: at least 99.0 % in a few minutes on two cores."""
        mild = Augmentation(rotation=8.0, scale=0.08, shear=0.1, shift=1.0, elastic=0.3, thickness=0.3)
        return cls(epochs=4, dropout=0.2, averaging=0.99, augmentation=mild, degradation=0.01, teachers=0)

    @classmethod
    def long(cls) -> "Recipe":
        """Return a recipe for a model that ships: two teachers, each trained twice as long, and the network for longer.

        It takes three times as long as the default, an estimated three hours on two cores. A stopped one is resumed.
        """
        return cls(epochs=90, teachers=2, teacher_epochs=30)

    @classmethod
    def refinement(cls) -> "Recipe":
        """Return a recipe that adds a little to a good model in a few minutes, and lets it forget little.

        EXPERIMENTS.md has the measurements. What it must not forget, it copies from the model that it refines, with its
        logits: P. Buzzega et al., "Dark Experience for General Continual Learning", https://arxiv.org/abs/2004.07211.
        Going back part of the way to the old weights forgets less than training for a shorter time: M. Wortsman et al.,
        "Robust fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903.
        """
        return cls(
            epochs=4,
            share=0.5,
            learning_rate=1e-3,
            dropout=0.0,
            averaging=0.99,
            teachers=0,
            refines=True,
            fidelity=0.1,
            replayed=0.5,
            blend=0.9,
        )

    @classmethod
    def small(cls) -> "Recipe":
        """Return a recipe for one or two thousand images: more epochs of smaller batches."""
        return cls(epochs=25, batch_size=32, dropout=0.2, averaging=0.99, teachers=0)
