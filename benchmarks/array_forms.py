"""Measure how often the form of an array file is recognised: inverted, stretched, flat or on its side.

    python benchmarks/array_forms.py [--mnist FOLDER] [--subsets N]

Each kind of file is made from subsets of 1, 2, 5, 20 and 200 of MNIST's training images, which chose the limits in
`producer.sources.arrays`, and of its test images. A subset is right if its images come out as the original ones, byte
for byte (kinds with fewer levels than 256: as the original ones with these levels). Files that nothing should be
changed in, such as noise, clothes and worn images, are right if they come out as they are. The last tables say how
often files are refused that cannot be put right, and how often digits are said to lie on their side.
"""

import time
from collections.abc import Callable

import cv2
import numpy as np
from inputs import add_mnist, options, read_mnist
from numpy.typing import NDArray

from model.errors import UsageError
from producer.sources.arrays.conversion import to_bytes
from producer.sources.arrays.deciding import decide
from producer.sources.arrays.shapes import find_layout

SIZES = (1, 2, 5, 20, 200)
Images = NDArray[np.uint8]
Numbers = NDArray[np.generic]


def crop(images: Images) -> Images:
    """Return each digit cropped to its ink, and stretched to 28 by 28 pixels, as many people prepare their own."""
    cropped = np.zeros_like(images)
    for index, image in enumerate(images):
        rows, columns = np.flatnonzero((image > 127).any(axis=1)), np.flatnonzero((image > 127).any(axis=0))
        ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        cropped[index] = cv2.resize(ink, (28, 28), interpolation=cv2.INTER_AREA)
    return cropped


KINDS: dict[str, Callable[[Images], Numbers]] = {
    "uint8 (n, 28, 28), as it is": lambda x: x,
    "inverted": lambda x: 255 - x,
    "0 and 1": lambda x: (x > 127).astype(np.uint8),
    "0 and 1, inverted": lambda x: (x <= 127).astype(np.uint8),
    "True and False": lambda x: x > 127,
    "0 to 16": lambda x: (x // 16 + (x > 250)).astype(np.uint8),
    "0 to 65535": lambda x: x.astype(np.uint16) * 257,
    "float 0 to 255": lambda x: x.astype(np.float64),
    "float 0 to 1": lambda x: x.astype(np.float32) / 255,
    "float 0 to 1, inverted": lambda x: 1 - x.astype(np.float32) / 255,
    "float -1 to 1": lambda x: x.astype(np.float32) / 127.5 - 1,
    "float -0.5 to 0.5": lambda x: x.astype(np.float32) / 255 - 0.5,
    "standardised": lambda x: (x.astype(np.float32) / 255 - 0.1307) / 0.3081,
    "int8, minus 128": lambda x: (x.astype(np.int16) - 128).astype(np.int8),
    "int8, wrapped": lambda x: x.view(np.int8),
    "int8, wrapped, inverted": lambda x: (255 - x).view(np.int8),
    "(n, 784)": lambda x: x.reshape(-1, 784),
    "(n, 28, 28, 1)": lambda x: x[..., None],
    "(n, 1, 28, 28), float 0 to 1": lambda x: x[:, None].astype(np.float32) / 255,
    "(28, 28, n)": lambda x: np.moveaxis(x, 0, -1),
    "(784, n), inverted": lambda x: 255 - x.reshape(-1, 784).T,
    "cropped to the ink": crop,
    "cropped to the ink, inverted": lambda x: 255 - crop(x),
    "half blank, inverted": lambda x: 255 - x * (np.arange(len(x)) % 2 == 0)[:, None, None].astype(np.uint8),
}
LEVELS: dict[str, Callable[[Images], Images]] = {
    **dict.fromkeys(("0 and 1", "0 and 1, inverted", "True and False"), lambda x: (x > 127) * np.uint8(255)),
    **dict.fromkeys(("cropped to the ink", "cropped to the ink, inverted"), crop),
    "half blank, inverted": lambda x: x * (np.arange(len(x)) % 2 == 0)[:, None, None].astype(np.uint8),
    "0 to 16": lambda x: np.rint((x // 16 + (x > 250)) * (255 / 16)).astype(np.uint8),
}


def main() -> None:
    """Measure and print the tables."""
    parser = options(__doc__)
    add_mnist(parser)
    parser.add_argument("--subsets", type=int, default=500, help="subsets of each size (default 500)")
    arguments = parser.parse_args()
    mnist = read_mnist(arguments.mnist)
    for name, part in (("training", mnist.train), ("test", mnist.test)):
        _print_table(
            f"subsets of MNIST's {name} images that come out right, of {arguments.subsets}",
            KINDS,
            part.images,
            arguments.subsets,
        )
    generator = np.random.default_rng(1)
    drawn: dict[str, Callable[[Images], Numbers]] = {
        "uniform noise": lambda x: generator.integers(0, 256, x.shape, dtype=np.uint8),
        "clothes": lambda x: draw_clothes(len(x), generator),
        "MNIST with noise": lambda x: np.clip(x + generator.normal(0, 60, x.shape), 0, 255).astype(np.uint8),
        "MNIST, brighter": lambda x: np.clip(x.astype(np.int16) + 130, 0, 255).astype(np.uint8),
        "MNIST in fog": lambda x: np.clip(x * 0.6 + fog(len(x), generator), 0, 255).astype(np.uint8),
        "MNIST with a light band": lambda x: np.where(np.arange(28) % 28 < 9, 255 - x, x).astype(np.uint8),
    }
    _print_table("files that nothing is changed in", drawn, mnist.test.images, arguments.subsets, unchanged=True)
    _print_refused(mnist.train.images, arguments.subsets)
    _print_sideways(mnist.train.images, mnist.train.labels, arguments.subsets)
    many = np.concatenate([mnist.train.images, mnist.test.images])
    for name in ("uint8 (n, 28, 28), as it is", "float 0 to 1, inverted"):
        array = KINDS[name](many)
        started = time.perf_counter()
        decide(array, "a.npy")
        print(f"deciding for {len(many):,} images, {name}: {1000 * (time.perf_counter() - started):.0f} ms")


def _print_table(
    title: str, kinds: dict[str, Callable[[Images], Numbers]], images: Images, subsets: int, *, unchanged: bool = False
) -> None:
    print(f"\n{title}\n{'':32}" + "".join(f"{size:>8}" for size in SIZES))
    generator = np.random.default_rng(0)
    for name, make in kinds.items():
        counts = []
        for size in SIZES:
            right = 0
            for _ in range(subsets):
                chosen = images[generator.choice(len(images), size, replace=False)]
                file = make(chosen)
                expected = file if unchanged else LEVELS[name](chosen) if name in LEVELS else chosen
                right += is_read_as(file, np.asarray(expected, np.uint8))
            counts.append(right)
        print(f"{name:32}" + "".join(f"{count:8}" for count in counts), flush=True)


def is_read_as(file: Numbers, expected: Images) -> bool:
    """Return whether an array is read as these images. A standardised pixel may be off by one level in 255."""
    form = decide(file, "a.npy")
    layout = find_layout(file, last=form.last)
    if layout is None or form.pictures:
        return False
    read = to_bytes(layout.arrange(file), form)
    return read.shape == expected.shape and int(np.abs(read.astype(np.int16) - expected).max()) <= 1


def draw_clothes(count: int, generator: np.random.Generator) -> Images:
    """Return pictures like those of Fashion-MNIST: large light shapes on black that often touch the edge."""
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        top, left = generator.integers(0, 6, 2)
        bottom, right = 28 - generator.integers(0, 6, 2)
        image[top:bottom, left:right] = generator.integers(190, 256)
        if generator.random() < 0.5:  # a gap between two legs, or below two sleeves
            image[top + 8 :, 10:18] = 0
        image[image > 0] -= generator.integers(0, 60, (image > 0).sum(), dtype=np.uint8)
    return images


def fog(count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return clouds, 60 to 160, in squares of 7 by 7 pixels, of the size of images."""
    coarse = generator.uniform(60, 160, (count, 4, 4))
    return np.asarray(coarse.repeat(7, axis=1).repeat(7, axis=2))


def _print_refused(images: Images, subsets: int) -> None:
    """Print how often images are refused whose pixels were standardised one by one, over all images."""
    print(f"\nsubsets of {subsets} that are refused\n{'':32}" + "".join(f"{size:>8}" for size in SIZES))
    generator = np.random.default_rng(0)
    mean, spread = images.mean(axis=0), images.std(axis=0)
    kinds: dict[str, Callable[[Images], Numbers]] = {
        "pixels standardised one by one": lambda x: (x - mean) / np.where(spread == 0, 1, spread),
        "less the mean image": lambda x: x - mean,
    }
    for name, make in kinds.items():
        counts = []
        for size in SIZES:
            refused = 0
            for _ in range(subsets):
                try:
                    decide(make(images[generator.choice(len(images), size, replace=False)]), "a.npy")
                except UsageError:
                    refused += 1
            counts.append(refused)
        print(f"{name:32}" + "".join(f"{count:8}" for count in counts), flush=True)


def _print_sideways(images: Images, labels: NDArray[np.uint8], subsets: int) -> None:
    print(f"\nsubsets of {subsets} said to lie on their side\n{'':32}" + "".join(f"{size:>8}" for size in SIZES))
    generator = np.random.default_rng(0)
    groups = {"all digits": images, "only 2": images[labels == 2], "only 5": images[labels == 5]}
    for name, group in groups.items():
        for turned in (False, True):
            counts = []
            for size in SIZES:
                said = 0
                for _ in range(subsets):
                    chosen = group[generator.choice(len(group), size, replace=False)]
                    said += "swapped" in decide(np.swapaxes(chosen, 1, 2) if turned else chosen, "a.npy").sentence
                counts.append(said)
            kind = f"{name}, {'transposed' if turned else 'upright'}"
            print(f"{kind:32}" + "".join(f"{count:8}" for count in counts), flush=True)


if __name__ == "__main__":
    main()
