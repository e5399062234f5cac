"""Two jobs on the same images: in words, for programs, and their pictures."""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from producer.calls.prediction import DECIMALS
from producer.cli.display.progress import showing
from producer.cli.display.tables import Column, print_table
from producer.cli.display.wording import counted
from producer.cli.notices import print_notice, printable, tell
from producer.pictures import PictureReader
from producer.public import comparison as public
from producer.public.answers import Reason
from producer.report.comparison.matching import Compared, Side
from producer.report.comparison.page import pictured
from producer.sources import Source

MAX_PAIRS = 5
"""Maximum number of pairs of different answers that are printed. The page has more."""


def read_pictures(compared: Compared, source: Source | None, *, quiet: bool) -> dict[int, NDArray[np.uint8]]:
    """Read the matched images that the page shows, as the network saw them. Those that cannot be read are absent.

    Args:
        compared: Both jobs.
        source: Source of the images of one of them, or None if no image can be read.
        quiet: Whether to show no progress.
    """
    images = pictured(compared)
    if source is None or not images:
        return {}
    rows = {int(compared.b.rows[image]): image for image in images}
    with showing("Reading images", quiet=quiet):
        found = PictureReader(source, compared.b.results)(list(rows))
    return {rows[row]: np.asarray(picture.seen, np.uint8) for row, picture in found.items() if picture}


def print_doubts(compared: Compared, *, same_content: bool) -> None:
    """Print what may make a user doubt that the jobs have the same images.

    Args:
        compared: Both jobs.
        same_content: Whether nothing proves that images of one name differ.
    """
    sources = [side.finished.info.source for side in (compared.a, compared.b)]
    if compared.moved:
        before, now = compared.moved
        print_notice(f"images are matched by the ends of their names: {before or '…'!r} in A is {now or '…'!r} in B")
    elif sources[0] != sources[1]:
        print_notice(f"A has images of {sources[0]}, and B of {sources[1]}; they are matched by their names")
    if not same_content:
        print_notice("some images of A and B have the same names and labels, but not the same content")


def print_comparison(compared: Compared, path: Path) -> None:
    """Print which job reads more, how certain that is, where both differ, and the path of the page."""
    labelled, (a, b) = int(compared.labelled.sum()), compared.correct
    tell(f"images    {len(compared):,} in both{_alone(compared.a, 'A')}{_alone(compared.b, 'B')}")
    if labelled:
        low, high = compared.interval
        points = click.style(f"{100 * (b - a) / labelled:+.2f} points", bold=True)
        tell(f"A         {a:,} of {labelled:,} labelled images right ({100 * a / labelled:.2f} %)")
        tell(f"B         {b:,} of {labelled:,} ({100 * b / labelled:.2f} %)")
        chance = "rare if both are equally good" if compared.p_value < 0.05 else "it may be chance"
        tell(f"B - A     {points}, 95 %: {100 * low:+.2f} to {100 * high:+.2f}; p {compared.p_value:.2g}: {chance}")
        tell(f"changed   {counted(len(compared.won), 'image')} won, {len(compared.lost):,} lost")
    agreed = int(compared.same.sum())
    tell(f"the same  {agreed:,} of {len(compared):,} answers ({100 * agreed / len(compared):.2f} %)")
    before, now = int(compared.a.review.sum()), int(compared.b.review.sum())
    if before or now:
        tell(f"review    {before:,} → {now:,}")
    if compared.contradictory:
        tell(f"labels    {counted(compared.contradictory, 'image')} with another label in B")
    if pairs := compared.pairs()[:MAX_PAIRS]:
        tell()
        print_table(
            [Column("A"), Column("B"), Column("IMAGES", numbers=True)],
            [[_text(one), _text(other), f"{count:,}"] for one, other, count in pairs],
        )
        tell()
    tell(f"report    {printable(str(path))}")


def public_comparison(compared: Compared, path: Path) -> public.JobComparison:
    """Return a comparison for programs, with all images that changed."""
    labelled, counts = int(compared.labelled.sum()), compared.correct
    changes = np.full(len(compared), "none", "U5")
    for name, images in (("won", compared.won), ("lost", compared.lost), ("other", compared.otherwise)):
        changes[images] = name
    changed = np.flatnonzero((changes != "none") | (compared.a.review != compared.b.review))
    return public.JobComparison(
        a=_public_job(compared.a, counts[0], labelled, compared.moved and compared.moved[0]),
        b=_public_job(compared.b, counts[1], labelled, compared.moved and compared.moved[1]),
        images=len(compared),
        agreed=int(compared.same.sum()),
        labelled=labelled,
        contradictory=compared.contradictory,
        won=len(compared.won),
        lost=len(compared.lost),
        difference=(counts[1] - counts[0]) / labelled if labelled else None,
        difference_interval=compared.interval if labelled else None,
        p_value=compared.p_value if labelled else None,
        to_review=len(compared.to_review),
        from_review=len(compared.from_review),
        changed=[
            public.ComparedImage(
                name=compared.a.results.names[int(compared.a.rows[image])],
                label=compared.labels[image],
                change=str(changes[image]),
                a=_public_answer(compared.a, image),
                b=_public_answer(compared.b, image),
            )
            for image in changed.tolist()
        ],
        report=str(path),
    )


def _public_job(side: Side, correct: int, labelled: int, before: str | None) -> public.ComparedJob:
    return public.ComparedJob(
        job=side.finished.info.job,
        source=side.finished.info.source,
        models=side.models,
        correct=correct if labelled else None,
        accuracy=correct / labelled if labelled else None,
        review=int(side.review.sum()),
        failed=int(side.failed.sum()),
        alone=side.alone,
        before=before,
    )


def _public_answer(side: Side, image: int) -> public.ComparedAnswer:
    row, answer = int(side.rows[image]), side.answer(image)
    failure = side.results.failures.get(row)
    return public.ComparedAnswer(
        answer=answer,
        confidence=None if answer is None else round(float(side.results.confidences[row]), DECIMALS),
        review=bool(side.review[image]),
        error=Reason(code=str(failure.code), message=failure.sentence) if failure else None,
    )


def _alone(side: Side, name: str) -> str:
    return f", {side.alone:,} only in {name}" if side.alone else ""


def _text(answer: object) -> str:
    return "no answer" if answer is None else str(answer)
