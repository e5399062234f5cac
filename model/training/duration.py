"""How long a training still takes, from the cost of what is left and from the speed so far."""

from collections.abc import Callable
from time import perf_counter

from model.training.recipe import Recipe

TEACHER, DISTILLING, REPLAYING, VARIANTS = 2.0, 0.4, 0.45, 2.9
"""Cost of an image in an epoch of a teacher, of asking one teacher about it, of showing another image as it is, and of
asking the network about it and its variants.

The unit is an image in an epoch of the network without teachers: on two cores of an EPYC 0.6 ms. There, an epoch of
MNIST takes a teacher 69 s, and the network with one teacher 52 s."""

JUDGING = 12.0
"""Cost of judging a model when it is trained, for each test image. With MNIST's 10,000 this took 84 s there."""

LOADING, PREPARING, DOUBTING = 9_000.0, 15_000.0, 0.6
"""Cost of loading TensorFlow and the data, and of what follows until the first step.

The latter is drawing images and compiling, and for each image of a refinement, asking the old model about it."""


class Duration:
    """The time that a training takes.

    Args:
        recipe: Recipe of the training.
        images: Number of training images.
        judged: Number of test images.
        clock: Function that returns seconds.
    """

    def __init__(self, recipe: Recipe, images: int, judged: int, *, clock: Callable[[], float] = perf_counter) -> None:
        shown = recipe.share * images
        self._recipe, self._clock = recipe, clock
        self._teacher_epoch = TEACHER * shown
        opinion = DISTILLING * (recipe.teachers + recipe.refines)
        self._network_epoch = (1 + opinion + recipe.replayed * (REPLAYING + opinion)) * shown
        self._preparing = PREPARING + (DOUBTING * images if recipe.replayed else 0)
        self._teachers = recipe.teachers * recipe.teacher_epochs * self._teacher_epoch
        self._variant_epoch = (1 + VARIANTS) * shown
        self.cost = self._done(0, recipe.epochs + recipe.variant_epochs) + JUDGING * judged
        self._began: tuple[float, float] | None = None

    def seconds_left_when_loaded(self, seconds: float) -> float:
        """Return the seconds until the model is judged when TensorFlow and the data have been loaded.

        This is a first guess, because a refinement may have taken a fifth of its time before its first step.

        Args:
            seconds: Time that loading has taken.
        """
        return seconds / LOADING * (self._preparing + self.cost)

    def seconds_left(self, teacher: int, epochs: float) -> float | None:
        """Return the seconds until the model is judged.

        The first call begins to measure the speed, and what was done before says nothing about it: compiling the first
        network, or the earlier part of a training that was stopped.

        Args:
            teacher: Number of the teacher that trains, from 1, or 0 if the network does.
            epochs: Number of its epochs that are done, with the part of the present one.

        Returns:
            None if nothing was done since the first call.
        """
        done = self._done(teacher, epochs)
        now = self._clock()
        began, before = self._began = self._began or (now, done)
        return (now - began) / (done - before) * (self.cost - done) if done > before else None

    def _done(self, teacher: int, epochs: float) -> float:
        """Return the cost of what is done after so many epochs of a teacher, or of the network (0)."""
        if teacher:
            return ((teacher - 1) * self._recipe.teacher_epochs + epochs) * self._teacher_epoch
        with_teachers = min(epochs, self._recipe.epochs)
        return self._teachers + with_teachers * self._network_epoch + (epochs - with_teachers) * self._variant_epoch
