"""Runs a model on images that were read, and records what it does to them and to the process."""

import contextlib
import logging
from collections.abc import Callable
from functools import partial

import cv2
from billiard.exceptions import SoftTimeLimitExceeded
from redis.exceptions import RedisError

from model.errors import DigitmillError, ModelError, NotTried
from model.inference.apart import classify_apart
from model.inference.classifier import Classifier
from model.inference.several import with_parts
from model.inference.variants import Inputs, Readings, read_inputs
from worker.classifying.answers import Answers
from worker.classifying.canary import CanaryMonitor
from worker.classifying.models import LoadedModel, Models
from worker.classifying.notes import ProcessNotes
from worker.classifying.reading import ReadImages
from worker.contract.connection import connect
from worker.contract.drift import AnswerDays
from worker.contract.registry import Registry
from worker.meter import Meter

_log = logging.getLogger(__name__)


def start_models(
    url: str, notes: ProcessNotes, meter: Meter, loading: str, baseline: Classifier, *, name: str
) -> tuple[Models, CanaryMonitor]:
    """Return the models of a process that begins to classify, and what observes them.

    Args:
        url: URL of Redis.
        notes: Notes of this process.
        meter: What counts in this process.
        loading: Version that the process before was loading when it ended, or "".
        baseline: The loaded baseline, which the worker's processes share.
        name: Name of this worker.

    Raises:
        ModelError: The baseline is missing or altered.
    """
    cv2.setNumThreads(1)  # each core has its own process, so threads would only compete
    client = connect(url)
    registry = Registry(client)
    models = Models(registry, notes, meter, baseline=baseline)
    canary = CanaryMonitor(models, registry, AnswerDays(client), name=name)
    if loading:
        with contextlib.suppress(RedisError, DigitmillError):
            canary.faults.strike(loading, "it ended its process while it was loaded")
    return models, canary


class ModelRunner:
    """Runs the models of one process. Two threads must not classify at once.

    Args:
        models: Models of this process.
        canary: Canary monitor that observes what the models answer.
    """

    def __init__(self, models: Models, canary: CanaryMonitor) -> None:
        self._models = models
        self._notes = models.notes
        self._canary = canary

    def classify(self, model: LoadedModel, read: ReadImages, *, suspect: bool, counted: bool = True) -> Answers:
        """Classify images. Whatever goes wrong here is the model's fault, because every image is uint8 (28, 28) now.

        Args:
            model: Model that classifies them.
            read: The images.
            suspect: Whether a process has begun these images before and not finished them. If the model ended that
                process, it cannot end this one.
            counted: Whether the canary monitor observes the answers.

        Raises:
            ModelError: The model failed. That does not count against the images.
            SoftTimeLimitExceeded: The batch took too long, perhaps because of its images.
        """
        inputs, answered = with_parts(read.inputs, read.doubtful), len(read) - len(read.failures)
        if model.content and suspect and len(read):
            apart = partial(classify_apart, model.version, model.content, model.temperature)
            run = partial(read_inputs, apart, inputs)
            answers = read.answers(self._run(model.version, run, images=answered, proven=True))
            if counted:
                self._observe(model.version, inputs, answers, compare=False)
            return answers
        with self._notes.classifying(model.version):
            run = partial(read_inputs, model.classifier.classify, inputs)
            answers = read.answers(self._run(model.version, run, images=answered, proven=False))
            if counted:
                self._observe(model.version, inputs, answers, compare=True)
        return answers

    def _observe(self, version: str, inputs: Inputs, answers: Answers, *, compare: bool) -> None:
        """Show the canary monitor one image and one prediction for each image of a batch, also where it is a number."""
        seen = answers.least_certain
        predictions = answers.predictions.at(seen)
        self._canary.observe(
            version, inputs.at(seen), predictions, answers.failures, doubted=answers.doubts, compare=compare
        )

    def _run(self, version: str, run: Callable[[], Readings], *, images: int, proven: bool) -> Readings:
        """Run a version on some images.

        Args:
            version: Name of the version.
            run: Function that runs it.
            images: Number of images that count against it if it fails.
            proven: Whether it runs in a process with limits, so that a fault is certainly its own.

        Raises:
            ModelError: The version failed.
            NotTried: The process with limits could not run.
            SoftTimeLimitExceeded: The batch took too long, perhaps because of its images.
        """
        try:
            return run()
        except NotTried:
            raise
        except Exception as fault:
            if isinstance(fault, SoftTimeLimitExceeded):
                if not proven:
                    raise
                # The images are decoded, so they are not to blame. But this process may have been short of time.
                fault, proven = ModelError(f"Model {version} took longer than the time limit of a batch."), False
            self._canary.observe_error(version, images)
            self._blame(version, f"it failed on images of a job ({fault})", proven=proven)
            self._models.forget(version)  # loading it again asks whether it may still serve
            raise ModelError(str(fault)) from fault

    def _blame(self, version: str, fault: str, *, proven: bool) -> None:
        """Record that a version failed. It is out of service at once if a process with limits has proven that."""
        try:
            if proven:
                self._canary.faults.condemn(version, fault)
            else:
                self._canary.faults.strike(version, fault)
        except RedisError as obstacle:
            _log.warning("the fault of model %s was not recorded: %s", version, obstacle)
