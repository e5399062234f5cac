"""Measure how long preprocessing a user's file takes on one core, and how much memory a large photograph takes.

    python benchmarks/preprocess.py [--repeat 500] [--against FOLDER] [--kinds WORD …] [--memory-only]

The benchmark draws files of the kinds that users send, and prints the median CPU time that
`model.images.preprocess.preprocess` takes for each. Other programs disturb CPU time less than they do the clock. With
--against it times another checkout in turn with this one, on the same files, and prints the ratio of the medians. Then
it prints by how much a photograph of 12 megapixels raises the peak memory of a new process. Each checkout is timed in a
process of its own; `taskset -c 1` keeps all of them on one core.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from PIL import Image

from model.images.normalise import normalise
from model.images.preprocess import preprocess

PHOTOGRAPH = (3000, 4000)
"""Rows and columns of a photograph of 12 megapixels."""

ROUND = 10
"""Number of times that one checkout preprocesses a file before it is the other's turn."""

TIMED = """
import json, sys, time
import cv2
try:
    from model.images.preprocess import preprocess
except ImportError:  # an older checkout, which has the module elsewhere
    from model.preprocess import preprocess
cv2.setNumThreads(1)  # as the worker does
try:
    from worker.classifying.memory import keep_memory
except ImportError:  # an older checkout, whose worker gives memory back after each image
    pass
else:
    keep_memory()  # as the worker does, too
for line in sys.stdin:
    name, repeat = json.loads(line)
    with open(name, "rb") as file:
        data = file.read()
    preprocess(data)
    seconds = []
    for _ in range(repeat):
        started = time.process_time()
        preprocess(data)
        seconds.append(time.process_time() - started)
    print(json.dumps(seconds), flush=True)
"""
"""Program that times the checkout on its path. It reads the name of a file and a number of times from each line."""

JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive 4:2:0": {"progressive": True, "subsampling": "4:2:0"},
    "progressive 4:4:4": {"progressive": True, "subsampling": "4:4:4"},
}
"""Pillow's options by kind of JPEG. libjpeg keeps all of a progressive JPEG in memory until its last scan."""


def main() -> None:
    """Measure, and print the times and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=500, help="how often each file is preprocessed (default 500)")
    parser.add_argument("--against", type=Path, help="folder of another checkout, to be timed in turn")
    parser.add_argument("--kinds", nargs="+", metavar="WORD", help="time only the kinds whose name has such a word")
    parser.add_argument("--memory-only", action="store_true", help="measure the memory alone")
    parser.add_argument("--peak-memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_memory_of:
        print(_peak_memory(arguments.peak_memory_of.read_bytes()))
        return

    if not arguments.memory_only:
        _print_times(arguments.repeat, arguments.against, arguments.kinds or [""])
    if arguments.kinds:
        return
    picture = photograph(*PHOTOGRAPH)
    for name, options in JPEGS.items():
        memory = _in_fresh_process(encoded(picture, "JPEG", quality=85, **options))
        print(f"peak memory for 12 megapixels, {name}: {memory:.1f} MiB beyond the interpreter's")


def _print_times(repeat: int, against: Path | None, words: list[str]) -> None:
    kinds: dict[str, Callable[[], bytes]] = {
        "28x28 PNG, as MNIST": lambda: encoded(normalise(drawing(280, 280)), "PNG"),
        "28x28 PNG, drawn elsewhere": lambda: encoded(_small(drawing(280, 280)), "PNG"),
        "28x28 PNG, colour on white": lambda: encoded(_coloured(_small(drawing(280, 280))), "PNG"),
        "28x28 PNG, transparent": lambda: encoded(_transparent(_small(drawing(280, 280))), "PNG"),
        "28x28 PNG, bilevel palette": lambda: encoded(_bilevel(_small(drawing(280, 280))), "PNG"),
        "28x28 PNG, of a photograph": lambda: encoded(_small(photograph(280, 280)), "PNG"),
        "184x136 PNG, scan": lambda: encoded(cv2.extractChannel(photograph(136, 184), 1), "PNG"),
        "200x200 PNG, transparent": lambda: encoded(_transparent(drawing(200, 200)), "PNG"),
        "1000x1000 JPEG, photograph": lambda: encoded(photograph(1000, 1000), "JPEG", quality=85),
        "1000x1000 PNG, photograph": lambda: encoded(photograph(1000, 1000), "PNG"),
        "12 megapixels JPEG, photograph": lambda: encoded(photograph(*PHOTOGRAPH), "JPEG", quality=85),
    }
    folders = [Path(__file__).parent.parent, *([against] if against else [])]
    timers = [_Timer(folder) for folder in folders]
    print(f"{'file':32}{'bytes':>10}{'median':>12}{'against':>12}{'ratio':>8}"[: 78 if against else 54])
    for name in (name for name in kinds if any(word in name for word in words)):
        data = kinds[name]()
        medians = _medians(timers, data, repeat)
        ratio = f"{medians[1] * 1e6:>9,.0f} µs{medians[0] / medians[1]:>8.2f}" if against else ""
        print(f"{name:32}{len(data):>10,}{medians[0] * 1e6:>9,.0f} µs{ratio}", flush=True)
    for timer in timers:
        timer.close()


class _Timer:
    """A process that preprocesses files with one checkout, and says how long it took."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder.resolve()), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-c", TIMED]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def seconds(self, file: str, repeat: int) -> list[float]:
        """Preprocess a file, and return how many seconds it took each time."""
        assert self._process.stdin is not None  # noqa: S101  tells mypy
        assert self._process.stdout is not None  # noqa: S101  tells mypy
        self._process.stdin.write(json.dumps([file, repeat]) + "\n")
        self._process.stdin.flush()
        seconds: list[float] = json.loads(self._process.stdout.readline())
        return seconds

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def drawing(height: int, width: int) -> MatLike:
    """Draw a 5 that looks handwritten, dark on white, uint8 (height, width)."""
    canvas = np.full((height, width), 255, np.uint8)
    corners = [
        (0.66, 0.2),
        (0.4, 0.2),
        (0.37, 0.46),
        (0.52, 0.43),
        (0.65, 0.55),
        (0.6, 0.74),
        (0.45, 0.8),
        (0.34, 0.75),
    ]
    points = np.array([(x * width, y * height) for x, y in corners], np.int32)
    return cv2.polylines(
        canvas, [points], isClosed=False, color=30, thickness=max(1, height // 20), lineType=cv2.LINE_AA
    )


def photograph(height: int, width: int) -> MatLike:
    """Draw the same 5 on warm paper under a lamp at the left, with a camera's noise, uint8 (height, width, 3)."""
    random = np.random.default_rng(0)
    light = np.linspace(1.0, 0.6, width, dtype=np.float32)
    grey = drawing(height, width) * light
    colour = grey[..., np.newaxis] * np.array([0.9, 0.87, 0.78], np.float32)
    noise = random.normal(0, 2, (height, width, 1)).astype(np.float32)
    return cv2.convertScaleAbs(colour + noise)


def _small(image: MatLike) -> MatLike:
    """Reduce a drawing to 28x28, with the digit nearer to a corner than in MNIST."""
    corner = cv2.copyMakeBorder(image, 0, 120, 120, 0, cv2.BORDER_REPLICATE)
    return cv2.resize(corner, (28, 28), interpolation=cv2.INTER_AREA)


def _coloured(image: MatLike) -> MatLike:
    """Return a drawing with blue ink in place of black, (height, width, 3)."""
    return cv2.merge([image, image, np.full_like(image, 255)])


def _bilevel(image: MatLike) -> Image.Image:
    return Image.fromarray(cv2.threshold(image, 223, 255, cv2.THRESH_BINARY)[1]).convert("RGB").quantize(2)


def _transparent(image: MatLike) -> MatLike:
    return np.dstack([np.zeros((*image.shape, 3), np.uint8), 255 - image])


def encoded(image: MatLike | Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file."""
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def _medians(timers: list[_Timer], data: bytes, repeat: int) -> list[float]:
    """Return the median of each checkout's CPU seconds. The checkouts take turns, so that a busy machine slows both."""
    seconds: list[list[float]] = [[] for _ in timers]
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for _ in range(math.ceil(repeat / ROUND)):
            for timer, taken in zip(timers, seconds, strict=True):
                taken.extend(timer.seconds(file.name, ROUND))
    return [statistics.median(taken) for taken in seconds]


def _peak_memory(data: bytes) -> float:
    """Return by how many MiB preprocessing raises the peak memory of this process, which must be a new one."""
    cv2.setNumThreads(1)
    preprocess(encoded(drawing(40, 40), "PNG"))
    before = _high_water_mark()
    preprocess(data)
    return _high_water_mark() - before


def _high_water_mark() -> float:
    """Return the peak memory of this process in MiB, as Linux counts it. getrusage would include the parent's peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def _in_fresh_process(data: bytes) -> float:
    with tempfile.NamedTemporaryFile(suffix=".jpeg") as file:
        file.write(data)
        file.flush()
        command = [sys.executable, __file__, "--peak-memory-of", file.name]
        return float(subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout)


if __name__ == "__main__":
    main()
