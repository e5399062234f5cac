"""Measure how large the page of a large job's report is, and how soon Chromium shows it.

    python benchmarks/page.py [--images 100000] [--repeat 7] [--report FOLDER]

The job is invented: of so many images 1 % are wrong and 2 % are for review, so the report has a card for 3 %, 2,000 on
each page. Each card has the picture as the network saw it, a photograph of 96 pixels, and ten probabilities. Chromium
opens the first page anew each time, without a window. The program prints the time from the start of the navigation to
the first paint and to the end of the load event, by which the cards are drawn, and the processor time of the page's
main thread, which says more on a busy machine.

With --report, it opens the page of a report that is there.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from machine import commit, processor
from numpy.typing import NDArray
from report import invent

from model.cards.card import BASELINE, Card
from model.data import sample_digits
from producer.jobs.kept.columns import merge
from producer.jobs.kept.journal import read_journal
from producer.jobs.results import JobInfo, TimelinePoint
from producer.pictures import Picture
from producer.report.place import PAGE
from producer.report.write import write_report
from tests.support.browser import CHROMIUM, Browser, open_browser

ORIGINAL_SIDE = 96  # pixels, as a report has them


def main() -> None:
    """Write the report, open its page, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="number of images (default 100,000)")
    parser.add_argument("--repeat", type=int, default=7, help="number of times that the page is opened (default 7)")
    parser.add_argument("--report", type=Path, help="folder of a report, to open its page instead")
    arguments = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("Chromium is not installed (Debian: apt install chromium).")
    print(f"digitmill {commit()}, {processor()}")
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.report or Path(name) / "report"
        if not arguments.report:
            _write(folder, arguments.images)
            print(f"{arguments.images:,} images; ", end="")
        _measure(folder / PAGE, arguments.repeat)


def _write(folder: Path, images: int) -> None:
    """Write the report of an invented job, with a picture on each card."""
    journal = folder.with_name("job.journal")
    invent(journal, images, is_array=False)
    digits = sample_digits.load().train.images
    random = np.random.default_rng(1)
    shares = tuple(random.dirichlet(np.ones(10)).tolist())

    def read_pictures(indices: Sequence[int]) -> dict[int, Picture | None]:
        return {
            index: Picture(seen := digits[index % len(digits)], _photograph(seen, random), shares) for index in indices
        }

    course = [TimelinePoint(seconds, int(images * seconds / 60)) for seconds in range(1, 61)]
    results = merge(read_journal(journal))
    info = JobInfo("260101-000000-abc", "invented", "done", time.time() - 60, 60.0, course, {"host-1": images})
    card = Card.read(BASELINE)
    write_report(folder, results, info, card=card, read_pictures=read_pictures, min_confidence=0.8, root="/data/")


def _photograph(digit: NDArray[np.uint8], random: np.random.Generator) -> bytes:
    """Return a digit as a noisy picture of dark ink on paper, as WebP."""
    large = 255 - cv2.resize(digit, (ORIGINAL_SIDE, ORIGINAL_SIDE), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(large + random.normal(0, 8, large.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".webp", noisy, [cv2.IMWRITE_WEBP_QUALITY, 75])[1].tobytes()


def _measure(page: Path, repeat: int) -> None:
    """Open a page several times, and print its size, and median and maximum of each time."""
    opened = []
    for _ in range(repeat):
        with open_browser() as browser:  # a new one, whose caches are empty
            browser.look(1280)
            opened.append(_open(browser, page))
    print(f"the page has {page.stat().st_size / 1e6:.1f} MB, and draws {opened[0].pop('cards'):,.0f} cards at first")
    for name in ("first paint", "end of the load event", "processor time of the main thread"):
        each = [times[name] for times in opened]
        print(f"{name:<34} {statistics.median(each):5.0f} ms, at most {max(each):.0f} ms")


def _open(browser: Browser, page: Path) -> dict[str, float]:
    """Open a page. Return times in milliseconds since the start of the navigation, and the number of drawn cards."""
    browser.ask("Performance.enable", timeDomain="threadTicks")
    browser.open(page)
    browser.wait_for("performance.getEntriesByName('first-contentful-paint').length")
    metrics = {each["name"]: each["value"] for each in browser.ask("Performance.getMetrics")["metrics"]}
    return {
        "first paint": browser.run("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
        "end of the load event": browser.run("performance.getEntriesByType('navigation')[0].loadEventEnd"),
        "processor time of the main thread": 1000 * metrics["TaskDuration"],
        "cards": browser.run("document.querySelectorAll('#cards article').length"),
    }


if __name__ == "__main__":
    main()
