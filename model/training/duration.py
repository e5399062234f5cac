"""How long a training still takes, from the cost of what is left and from the speed so far."""

from collections.abc import Callable
from time import perf_counter

from model.training.recipe import Recipe

TEACHER, DISTILLING = 2.0, 0.5
"""Cost of an image in an epoch of a teacher, and of asking one teacher about it in an epoch of the network.

The unit is an image in an epoch of the network without teachers. On two cores of an EPYC, an epoch of MNIST takes a
teacher 69 s, and the network with one teacher 52 s."""

JUDGING = 13.0
"""Cost of judging a model when it is trained, for each test image. With MNIST's 10,000 this took 84 s there."""


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
        self._network_epoch = (1 + DISTILLING * (recipe.teachers + recipe.refines)) * (1 + recipe.replayed) * shown
        self._teachers = recipe.teachers * recipe.teacher_epochs * self._teacher_epoch
        self.cost = self._teachers + recipe.epochs * self._network_epoch + JUDGING * judged
        self._began: tuple[float, float] | None = None

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
        if teacher:
            done = ((teacher - 1) * self._recipe.teacher_epochs + epochs) * self._teacher_epoch
        else:
            done = self._teachers + epochs * self._network_epoch
        now = self._clock()
        began, before = self._began = self._began or (now, done)
        return (now - began) / (done - before) * (self.cost - done) if done > before else None
