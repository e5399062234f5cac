"""Measure how often an image without a digit passes for a digit, and how often a correctly read digit is flagged.

    python benchmarks/not_a_digit.py [--model FOLDER] [--mnist FOLDER] [--wild FOLDER] [--show FILE.png]

An image is flagged for review if its confidence is below the threshold, or if it is refused with an error. The
benchmark handles each image as a worker does: it decodes, normalises and classifies encoded bytes, at the model's
temperature.

The network learned from `model.augmentation.outliers`, so the benchmark draws images of its own. It sets letters, signs
and words in fonts and distorts them, crops scikit-learn's two photographs, draws logos and empty tiles, puts several of
MNIST's test digits into one image, and crosses them out. It leaves out letters that people write like digits (O, I, Z,
S, …) and single plain circles, because nobody can tell them apart from digits. Some kinds resemble what training draws:
letters, scribbles, empty tiles, numbers, and logos, which are much like `model.augmentation.emblems`.

scikit-learn is not among the packages of the tests, because Keras would import it at each start, which takes a fifth of
that time. Install it first: `.venv/bin/pip install scikit-learn`.

`--wild` names a folder of real digits, `<set>/<label>/<file>`. The benchmark always measures MNIST's test images too.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from inputs import add_mnist, add_model, labelled_files, options, read_classifier, read_digits
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scruffy_images import Random, encoded, lettered, png

from model.evaluation.robustness import Answers
from model.inference.classifier import Classifier
from model.inference.several import read_files

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
LETTERS = "ACEFHKMNPRTUVWXYadefhkmnprtuvwx"
GREEK = "ΓΔΞΠΣΨΩπψωλμ"
SIGNS = "#%@+=÷×±→←↔√∂≠≡…∴★☆♠♣♥♦♪♫☀☂☎☺☹✂✈✉✓✗⌂⌘"
WORDS = "total name date yes no page hello Miller kg EUR net sum John Anna July file test blank check paid AM PM ok"
FONTS = (
    *(f"DejaVuSans{kind}.ttf" for kind in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{kind}.ttf" for kind in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"DejaVuSansMono{kind}.ttf" for kind in ("", "-Bold")),
    *(f"STIXGeneral{kind}.ttf" for kind in ("", "Bol", "Italic", "BolIta")),
)
LOGOS = (
    ("ring 45 55 120 130", "ring 85 55 160 130"),
    ("ring 50 50 150 150", "bar 25 90 175 110"),
    ("path 50 65 100 35 150 65", "path 50 100 100 70 150 100", "path 50 135 100 105 150 135"),
    ("pie 45 45 155 155", "disc 120 80 150 110"),
    ("bar 45 45 93 93", "bar 105 45 153 93", "bar 45 105 93 153", "bar 105 105 153 153"),
    ("ring 40 40 160 160", "shape 100 58 140 125 60 125"),
    ("arc 40 60 160 180", "arc 60 80 140 160", "disc 90 130 110 150"),
    ("ring 72 27 128 83", "ring 37 87 93 143", "ring 107 87 163 143"),
    ("bar 45 120 65 160", "bar 75 90 95 160", "bar 105 60 125 160", "bar 135 40 155 160"),
    ("path 100 35 156 67 156 133 100 165 44 133 44 67 100 35", "path 100 100 100 35", "path 44 133 100 100 156 133"),
)
"""Marks such as firms have, each as parts: a name, and numbers in pixels of 200×200."""

Grey = NDArray[np.uint8]


def main() -> None:
    """Measure and print the tables."""
    parser = options(__doc__)
    add_model(parser)
    add_mnist(parser)
    parser.add_argument("--wild", type=Path, help="folder of real digits, <set>/<label>/<file>")
    parser.add_argument("--count", type=int, default=500, help="images of each kind (default 500)")
    parser.add_argument("--threshold", type=float, default=0.8, help="threshold of the detailed tables (default 0.8)")
    parser.add_argument(
        "--show", type=Path, metavar="FILE", help="picture to draw, with examples of each kind as the network sees them"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    version, classifier = read_classifier(arguments.model)
    test = read_digits(arguments.mnist)
    print(f"{version}; {arguments.count} images of each kind\n")
    others: dict[str, Readings] = {}
    for kind, make in _kinds(test.images).items():
        random = np.random.default_rng(list(kind.encode()))
        others[kind] = read((make(random) for _ in range(arguments.count)), None, classifier)
    digits = {"MNIST, test": read((png(image) for image in test.images), test.labels, classifier)}
    for real in labelled_files(arguments.wild):
        digits[real.name] = read(real.contents, real.labels, classifier)

    _print_kinds(others, arguments.threshold)
    _print_digits(digits, arguments.threshold)
    _print_thresholds(others, digits)
    if arguments.show:
        _draw(others, digits, arguments.threshold, arguments.show)


@dataclass(frozen=True, slots=True)
class Readings:
    """The results for n images.

    Attributes:
        images: Images as the network saw them, uint8 (n, 28, 28).
        digits: Digits that the network read, int (n,); NONE where the image was refused.
        confidences: Confidences, 0 to 1, (n,); 0 where the image was refused.
        right: Whether each image was read as its label, bool (n,); False where it has none.
        refused: Number of refused images by error code.
    """

    images: Grey
    digits: NDArray[np.integer]
    confidences: NDArray[np.floating]
    right: NDArray[np.bool_]
    refused: Counter[str]

    def passed(self, threshold: float) -> NDArray[np.bool_]:
        """Return which images were neither refused nor below the threshold, bool (n,)."""
        return self.confidences >= max(threshold, 1e-9)


def read(files: Iterator[bytes], labels: NDArray[np.integer] | None, classifier: Classifier) -> Readings:
    """Decode, normalise and classify files, as a worker does.

    Args:
        files: Bytes of the image files.
        labels: Labels of the files, int (n,), if they have any.
        classifier: Classifier that reads the images.
    """
    found = read_files(classifier.classify, files)
    answers = Answers.of(found)
    right = np.zeros(len(answers.digits), bool) if labels is None else answers.digits == labels
    codes = Counter(str(failure.code) for failure in found.failures.values())
    return Readings(found.shown, answers.digits, answers.confidences, right, codes)


def _print_kinds(others: dict[str, Readings], threshold: float) -> None:
    print(f"Images that are not digits: flagged = refused + below {threshold}; passed = taken for a digit")
    print(f"  {'kind':<20}{'refused':>9}{'below':>9}{'passed':>9}   refused as; passed as")
    for kind, readings in others.items():
        passed, count = readings.passed(threshold), len(readings.digits)
        refused = readings.refused.total()
        codes = ", ".join(f"{code} {n}" for code, n in readings.refused.most_common())
        taken = Counter(readings.digits[passed].tolist()).most_common(4)
        shares = refused / count, 1 - (refused + passed.sum()) / count, passed.mean()
        print(f"  {kind:<20}{''.join(f'{share:9.1%}' for share in shares)}   {codes}; {_named(taken)}")


def _print_digits(digits: dict[str, Readings], threshold: float) -> None:
    print(f"\nDigits: flagged because refused or below {threshold}, of those read correctly and of those misread")
    print(f"  {'set':<20}{'images':>9}{'right':>9}{'of right, flagged':>22}{'of wrong, flagged':>22}")
    for name, readings in digits.items():
        flagged, wrong = ~readings.passed(threshold), ~readings.right
        falsely, justly = (flagged & readings.right).sum(), (flagged & wrong).sum()
        print(
            f"  {name:<20}{len(wrong):>9,}{readings.right.mean():>9.2%}"
            f"{f'{falsely} ({falsely / readings.right.sum():.2%})':>22}{f'{justly} of {wrong.sum()}':>22}"
        )


def _print_thresholds(others: dict[str, Readings], digits: dict[str, Readings]) -> None:
    print("\nBy threshold: share of other images that passes (mean over kinds); share of digits that is accepted")
    print("(coverage), and share of these that is misread (risk)")
    print(f"  {'threshold':<12}{'passed':>9}" + "".join(f"{name:>22}" for name in digits))
    for threshold in (0, *THRESHOLDS):
        passed = np.mean([readings.passed(threshold).mean() for readings in others.values()])
        line = f"  {threshold:<12}{passed:>9.2%}"
        for readings in digits.values():
            accepted = readings.passed(threshold)
            line += f"{f'{accepted.mean():.2%}  {1 - readings.right[accepted].mean():.3%}':>22}"
        print(line)
    confidences = np.concatenate([readings.confidences[readings.right] for readings in digits.values()])
    print(
        f"\nArea under the ROC curve, correctly read digits against other images: {_roc_area(confidences, others):.4f}"
    )


def _roc_area(digits: NDArray[np.floating], others: dict[str, Readings]) -> float:
    """Return the probability that a correctly read digit has a higher confidence than an image that is not a digit.

    The kinds of images that are not digits have equal weights.
    """
    ordered = np.sort(digits)
    return float(
        np.mean(
            [
                1
                - (np.searchsorted(ordered, each, "left") + np.searchsorted(ordered, each, "right")) / 2 / len(ordered)
                for each in (readings.confidences for readings in others.values())
            ]
        )
    )


def _named(taken: list[tuple[int, int]]) -> str:
    return ", ".join(f"{digit} ×{count}" for digit, count in taken) or "none"


# Images that are not digits.


def _kinds(digits: Grey) -> dict[str, Callable[[Random], bytes]]:
    """Return the kinds by name. Each is a function that returns the bytes of one file."""
    from sklearn.datasets import load_sample_images

    photographs = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in load_sample_images().images]
    return {
        "blank page": _blank_page,
        "noise": _noise,
        "photograph": lambda random: _crop(photographs, random),
        "shape": lambda random: _on_paper(_shape(random), random),
        "scribble": lambda random: _on_paper(_scribble(random), random),
        "letter": lambda random: _on_paper(_text(_one(LETTERS, random), random), random),
        "Greek letter": lambda random: _on_paper(_text(_one(GREEK, random), random), random),
        "sign": lambda random: _on_paper(_text(_one(SIGNS, random), random, FONTS[:2]), random),
        "word": lambda random: _on_paper(_text(_one(WORDS.split(), random), random), random),
        "logo": lambda random: _on_paper(_bent(_logo(random), random), random),
        "empty tile": _empty_tile,
        "number": lambda random: _number(digits, random),
        "digits in a column": lambda random: _scattered(digits, random, in_column=True),
        "digits far apart": lambda random: _scattered(digits, random, in_column=False),
        "raw pair": lambda random: png(np.hstack(list(digits[random.integers(0, len(digits), 2)]))),
        "crossed out": lambda random: _crossed_out(digits, random),
    }


def _one(choices: Any, random: Random) -> Any:
    return choices[random.integers(len(choices))]


def _blank_page(random: Random) -> bytes:
    """Photograph empty paper, unevenly lit, with its grain."""
    side = int(random.integers(28, 400))
    light = np.linspace(0, random.uniform(0, 40), side) + random.uniform(120, 215)
    return _encoded(light + random.normal(0, random.uniform(0, 4), (side, side)), random)


def _noise(random: Random) -> bytes:
    side = int(random.integers(28, 300))
    if random.random() < 0.5:
        return _encoded(random.uniform(0, 255, (side, side)), random)
    grains = random.normal(0, 1, (side, side)).astype(np.float32)
    smooth = cv2.GaussianBlur(grains, (0, 0), random.uniform(0.5, side / 15))
    return _encoded(128 + smooth / smooth.std() * random.uniform(20, 60), random)


def _crop(photographs: list[Any], random: Random) -> bytes:
    photograph = _one(photographs, random)
    side = int(random.integers(40, 400))
    top, left = (int(random.integers(0, length - side)) for length in photograph.shape)
    return _encoded(photograph[top : top + side, left : left + side], random)


def _number(digits: Grey, random: Random) -> bytes:
    """Draw two or three digits side by side, without letting them touch."""
    row = []
    for digit in digits[random.integers(0, len(digits), random.integers(2, 4))]:
        columns = np.flatnonzero(digit.any(axis=0))
        row += [digit[:, columns[0] : columns[-1] + 1], np.zeros((28, int(random.integers(2, 6))), np.uint8)]
    size = random.uniform(2, 5)
    ink = cv2.resize(np.hstack(row[:-1]), None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    return _on_paper(np.pad(ink, 20), random)


def _scattered(digits: Grey, random: Random, *, in_column: bool) -> bytes:
    """Draw two to four digits one below the other, or in a row with gaps of 0.3 to 1.5 widths, each by its own pen."""
    page = Image.new("L", (900, 900))
    at = np.array([60.0, 60.0])
    for digit in digits[random.integers(0, len(digits), random.integers(2, 5))]:
        inside = Image.fromarray(digit[4:24, 4:24])
        ink = inside.crop(inside.getbbox())
        size = random.uniform(4.0, 6.0)
        ink = ink.resize((max(12, int(size * ink.width)), int(size * ink.height)), Image.Resampling.BICUBIC)
        page.paste(ink, (int(at[0] + random.uniform(-8, 8)), int(at[1] + random.uniform(-8, 8))))
        gap = random.uniform(0.1, 0.8) if in_column else random.uniform(0.3, 1.5)
        at[int(in_column)] += (ink.height if in_column else max(ink.width, 50)) * (1 + gap) + 10
    left, top, right, bottom = page.getbbox() or (0, 0, *page.size)
    margin = int(random.integers(10, 60))
    return _on_paper(np.pad(np.asarray(page)[top:bottom, left:right], margin), random)


def _crossed_out(digits: Grey, random: Random) -> bytes:
    """Write a digit, and cross it out: by two diagonals, by a dense scribble, or by several strokes."""
    scale = 6
    page = Image.fromarray(_one(digits, random)).resize((28 * scale, 28 * scale), Image.Resampling.BICUBIC)
    left, top, right, bottom = page.getbbox() or (0, 0, *page.size)
    x0, y0, x1, y1 = left - 12, top - 12, right + 12, bottom + 12
    way, pen = random.integers(3), ImageDraw.Draw(page)
    strokes: list[list[tuple[float, float]]]
    if way == 0:
        strokes = [[(x0, y0), (x1, y1)], [(x0, y1), (x1, y0)]]
    elif way == 1:
        across = np.linspace(x0, x1, int(random.integers(9, 15)))
        strokes = [[(x, (y0, y1)[turn % 2]) for turn, x in enumerate(across)]]
    else:
        strokes = [[(x0, y + 14), (x1, y - 14)] for y in np.linspace(y0 + 14, y1 - 14, int(random.integers(3, 6)))]
    for stroke in strokes:
        unsteady = [(x + random.normal(0, 4), y + random.normal(0, 4)) for x, y in stroke]
        pen.line(unsteady, fill=255, width=int(random.integers(6, 13)), joint="curve")
    return _on_paper(np.pad(np.asarray(page), 12), random)


def _empty_tile(random: Random) -> bytes:
    """Draw a button, a form's box, a disc or a ring within a ring, with nothing in it, in any two colours."""
    side = int(random.integers(60, 260))
    width, height = (side * random.uniform([0.55, 0.55], [0.9, 0.9])).astype(int)
    left, top = (side - width) // 2, (side - height) // 2
    box = left, top, left + width, top + height
    image, kind, line = Image.new("L", (side, side)), random.integers(5), max(2, side // int(random.integers(14, 40)))
    pen = ImageDraw.Draw(image)
    inner = tuple(edge + way * (line + side // 9) for edge, way in zip(box, (1, 1, -1, -1), strict=True))
    if kind == 0:
        pen.ellipse(box, fill=255)
    elif kind == 1:
        pen.rounded_rectangle(box, radius=side // int(random.integers(6, 20)), fill=255)
    elif kind == 2:
        pen.rounded_rectangle(box, radius=side // 25, outline=255, width=line)
    elif kind == 3:
        pen.ellipse(box, outline=255, width=line)
        pen.ellipse(inner, outline=255, width=line)
    else:
        pen.rectangle(box, outline=255, width=line)
        pen.rectangle(inner, outline=255, width=line)
    ink = np.asarray(image, np.float64)
    if random.random() < 0.4:
        ink *= np.linspace(random.uniform(0.5, 0.9), 1, side)[:, np.newaxis]
    return _on_paper(ink.astype(np.uint8), random)


def _logo(random: Random) -> Grey:
    """Draw one of the `LOGOS` with a pen of random width."""
    image, width = Image.new("L", (200, 200)), int(random.integers(7, 15))
    pen = ImageDraw.Draw(image)
    for part in _one(LOGOS, random):
        name, *numbers = part.split()
        place = [int(number) for number in numbers]
        match name:
            case "ring":
                pen.ellipse(place, outline=255, width=width)
            case "disc":
                pen.ellipse(place, fill=255)
            case "bar":
                pen.rectangle(place, fill=255)
            case "path":
                pen.line(place, fill=255, width=width, joint="curve")
            case "shape":
                pen.polygon(place, fill=255)
            case "pie":
                pen.pieslice(place, 35, 325, fill=255)
            case "arc":
                pen.arc(place, 205, 335, fill=255, width=width)
    return np.asarray(image)


def _text(text: str, random: Random, fonts: tuple[str, ...] = FONTS) -> Grey:
    """Set text in a random font, and bend and turn it like handwriting. Return it in light ink on black, uint8."""
    size = int(random.integers(60, 140))
    return _bent(lettered(text, _one(fonts, random), size, margin=size / 2), random)


def _shape(random: Random) -> Grey:
    """Draw a filled star, the outline of a star, a filled polygon of many corners, or rings within rings."""
    canvas = np.zeros((160, 160), np.uint8)
    corners, kind = int(random.integers(5, 9)), random.integers(4)
    angle = 2 * np.pi * (np.arange(2 * corners) / (2 * corners) + random.random())
    radius = np.where(np.arange(2 * corners) % 2, random.uniform(20, 35) if kind < 2 else 60, 60)
    points = (80 + radius * np.array([np.cos(angle), np.sin(angle)])).T.round().astype(np.int32)
    pen = int(random.integers(3, 12))
    if kind in {0, 2}:
        cv2.fillPoly(canvas, [points], 255)
    elif kind == 1:
        cv2.polylines(canvas, [points], isClosed=True, color=255, thickness=pen)
    else:
        for ring in range(20, 71, int(random.integers(18, 26))):
            cv2.circle(canvas, (80, 80), ring, 255, pen // 2 + 1)
    return _bent(canvas, random)


def _scribble(random: Random) -> Grey:
    """Draw the line of a pen that wanders with inertia until it has crossed itself many times."""
    turns = np.cumsum(random.normal(0, 0.12, 700)) + np.cumsum(random.normal(0, 0.25, 700))
    steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * 2
    inside = np.abs((np.cumsum(steps, axis=0) + 50) % 200 - 100)  # reflected at the sides of a square
    canvas = np.zeros((160, 160), np.uint8)
    cv2.polylines(
        canvas,
        [(inside + 30).round().astype(np.int32)],
        isClosed=False,
        color=255,
        thickness=int(random.integers(2, 6)),
    )
    return canvas


def _bent(ink: Grey, random: Random) -> Grey:
    """Turn, slant and shrink ink, displace it smoothly (Simard et al. 2003), and thicken it."""
    height, width = ink.shape
    field = [cv2.GaussianBlur(random.uniform(-1, 1, (height, width)).astype(np.float32), (0, 0), 14) for _ in range(2)]
    across, down = (each / np.abs(each).max() * random.uniform(0, 7) for each in field)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bent = cv2.remap(ink, columns + across, rows + down, cv2.INTER_LINEAR)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-12, 12), random.uniform(0.8, 1))
    matrix[0, 1] += (slant := random.uniform(-0.2, 0.2))
    matrix[0, 2] -= slant * height / 2
    bent = cv2.warpAffine(bent, matrix, (width, height))
    pen = np.ones((int(random.integers(1, 5)),) * 2, np.uint8)
    return np.asarray(cv2.dilate(bent, pen), np.uint8)


def _on_paper(ink: Grey, random: Random) -> bytes:
    """Put dark ink on grainy light paper or, one time in four, light ink on dark paper."""
    paper, pen = random.uniform(190, 255), random.uniform(0, 90)
    if random.random() < 0.25:
        paper, pen = pen, paper
    page = paper + (pen - paper) * (ink / 255) + random.normal(0, random.uniform(0, 5), ink.shape)
    return _encoded(page, random)


def _encoded(page: NDArray[Any], random: Random) -> bytes:
    """Return a PNG or JPEG file of a page."""
    image = np.clip(page, 0, 255).astype(np.uint8)
    if random.random() < 0.5:
        return png(image)
    return encoded(image, "JPEG", quality=int(random.integers(60, 95)))


def _draw(others: dict[str, Readings], digits: dict[str, Readings], threshold: float, file: Path) -> None:
    """Draw a row for each kind as the network saw it, and for each set the correctly read digits that were flagged.

    Images that passed have a white frame.
    """
    rows = []
    for kind, readings in {**others, **digits}.items():
        passed = readings.passed(threshold)
        chosen = np.flatnonzero(~passed & readings.right) if kind in digits else np.arange(len(passed))
        row = np.zeros((32, 30 * 32), np.uint8)
        for column, index in enumerate(chosen[:30]):
            tile = np.pad(readings.images[index], 1, constant_values=255 if passed[index] else 70)
            row[1:31, 1 + 32 * column : 31 + 32 * column] = tile
        rows.append(row)
    Image.fromarray(np.vstack(rows)).resize((30 * 64, len(rows) * 64), Image.Resampling.NEAREST).save(file)


if __name__ == "__main__":
    main()
