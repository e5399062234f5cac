"""Runs one model within limits, in a process of its own that `limited_process` starts.

It reads one line of JSON from standard input (`temperature`, and the sizes of `model` and `images` in bytes), then the
model and the images. It first runs the baseline, and says that it is ready. Then it limits itself, and runs the model.
It answers one line of JSON: `fault`; or `slowdown`, its time as a multiple of the baseline's; or `seconds`, the CPU
time that the images took, and behind that line their probabilities, float32 (n, 10).
"""

import json
import os
import resource
import sys
import time
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from model.child_process import limit, limit_memory
from model.errors import DigitmillError
from model.inference.classifier import CHUNK, Classifier
from model.inference.limits import CPU_SECONDS, MEMORY_BYTES, READY, REMEDY

_ROUNDS = 3
"""Number of times that the trial images are classified to measure the speed."""

_clock = time.thread_time
"""CPU time of this thread in seconds, which is all that classifying takes.

Not that of the process: once a process has a limit of CPU time, Linux counts its time in ticks of some milliseconds.
"""


def main() -> NoReturn:
    """Answer one request, and end the process."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever native code prints is not part of the answer
    head = json.loads(sys.stdin.buffer.readline())
    model = sys.stdin.buffer.read(head["model"])
    images = np.frombuffer(sys.stdin.buffer.read(head["images"]), np.uint8).reshape(-1, 28, 28)
    baseline_seconds = _seconds(Classifier.baseline())
    answer.write(READY + b"\n")
    answer.flush()
    _limit(len(images))
    try:
        classifier = Classifier(model, temperature=head["temperature"])
        if len(images):
            started = _clock()
            probabilities = classifier.classify(images).probabilities
            _answer(answer, {"seconds": _clock() - started}, probabilities.tobytes())
        else:
            _answer(answer, {"slowdown": _seconds(classifier) / baseline_seconds})
    except DigitmillError as fault:
        _answer(answer, {"fault": str(fault)})
    except MemoryError:
        _answer(answer, {"fault": f"This model takes more than {MEMORY_BYTES // 1024**2} MiB of memory. {REMEDY}"})
    # Without Python's own end, in which native destructors of a strange model could still crash.
    os._exit(0)


def trial_images() -> NDArray[np.uint8]:
    """Return images that differ as much as any: empty, full, grey, checks, a stroke, and noise; uint8 (n, 28, 28)."""
    rows, columns = np.indices((28, 28))
    drawn = [np.full((28, 28), grey) for grey in (0, 1, 127, 255)]
    drawn += [255 * ((rows // size + columns // size) % 2) for size in (1, 4, 14)]
    drawn += [255 * (abs(rows - columns) < 2), 255 * (abs(columns - 14) < 2), rows * columns % 256]
    noise = np.arange(CHUNK * 784, dtype=np.uint64) * 2654435761 // 65536 % 256
    return np.concatenate([np.array(drawn), noise.reshape(-1, 28, 28)]).astype(np.uint8)


def _limit(images: int) -> None:
    """Limit what this process may take from now on, to classify a number of images."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS + images // 1000
    limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    limit(resource.RLIMIT_CORE, 0)
    limit_memory(MEMORY_BYTES)


def _answer(answer: BinaryIO, body: dict[str, Any], data: bytes = b"") -> None:
    answer.write(json.dumps(body).encode() + b"\n" + data)
    answer.flush()


def _seconds(classifier: Classifier) -> float:
    """Return the CPU time that the trial images take. Other processes on the same core do not lengthen it."""
    images = trial_images()
    started = _clock()
    for _ in range(_ROUNDS):
        classifier.classify(images)
    return (_clock() - started) / _ROUNDS
