"""`classify` and `classify_many`: the shortest way for a program, with a client that this process shares."""

import atexit
import os
import threading
from collections.abc import Iterable, Iterator

from producer.calls.client import TIMEOUT_SECONDS, Client
from producer.calls.images import Floats, InputImage
from producer.calls.options import Several
from producer.calls.prediction import Prediction
from worker.contract.validation.identifiers import LIVE

_guards: dict[int, threading.Lock] = {}
_shared: dict[tuple[int, str | None, Floats], Client] = {}


def classify(
    image: InputImage,
    *,
    url: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
    model: str = LIVE,
    several: Several = "refuse",
    floats: Floats = "refuse",
) -> Prediction:
    """Return the prediction for one image. A process connects once, also if many threads call this.

    Args:
        image: The image: a path; the bytes of an image file; a picture of Pillow; or an array of uint8, which is
            (28, 28) in MNIST's convention, light ink on black, or a picture of the shape (height, width), (height,
            width, 3) or (height, width, 4).
        url: URL of Redis, or None for the mill that `DIGITMILL_REDIS_URL` names or that runs on this machine.
        timeout: Seconds within which the image is answered or an error is raised.
        model: Version that classifies it: its name, the beginning of it, or an alias.
        several: Whether an image of several digits is an error, or all of its digits are read as a number.
        floats: Whether arrays of floats are refused, or hold numbers from 0 to 1.

    Raises:
        InputError: It cannot be an image.
        NoWorkers: No worker answered in time. The message says why.
        Unreachable: No mill is running, or its Redis does not answer in time, or refuses.
        UnsuitableServer: Redis can never do the work.
        UsageError: The model does not exist, or an option has a value that it cannot have.
    """
    return _client(url, floats).classify(image, timeout=timeout, model=model, several=several)


def classify_many(
    images: Iterable[InputImage],
    *,
    url: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
    model: str = LIVE,
    several: Several = "refuse",
    floats: Floats = "refuse",
) -> Iterator[Prediction]:
    """Yield a prediction for each image, in their order. Images are taken ahead, but not all at once.

    Args:
        images: The images, each as for `classify`.
        url: URL of Redis, as for `classify`.
        timeout: Seconds within which each image is answered or an error is raised, from when it is taken.
        model: As for `classify`.
        several: As for `classify`.
        floats: Whether arrays of floats are refused, or hold numbers from 0 to 1.

    Raises:
        InputError: They are one image and not several, or one of them cannot be an image.
        NoWorkers: No worker answered in time. The message says why.
        Unreachable: No mill is running, or its Redis does not answer in time, or refuses.
        UnsuitableServer: Redis can never do the work.
        UsageError: The model does not exist, or an option has a value that it cannot have.
    """
    return _client(url, floats).classify_many(images, timeout=timeout, model=model, several=several)


def _client(url: str | None, floats: Floats) -> Client:
    """Return the client that this process shares for a mill. A process that was forked gets clients of its own."""
    process = os.getpid()
    # Also a lock of its own, because another thread may have held that of its parent.
    with _guards.setdefault(process, threading.Lock()):
        found = _shared.get((process, url, floats))
        if found is None:
            found = _shared[process, url, floats] = Client(url, floats=floats)
            atexit.register(found.close, cancel=True)
        return found
