"""Taught images, as `teach` and `status` print them."""

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from producer.public.answers import Reason
from producer.public.body import Body, Damaged, Digit, Document, Time, time_of

if TYPE_CHECKING:
    from worker.contract.teaching import LabelChange, Summary


class Taught(Body, kw_only=True, frozen=True):
    """The taught images in figures.

    Attributes:
        images: Number of images that the trainer keeps.
        waiting: Number of changes that wait for the trainer.
        new: Number of changes that no training has seen.
        held_back: Number of images that no training uses, because their labels are suspicious.
    """

    images: int
    waiting: int
    new: int
    held_back: int


class TaughtImage(Body, kw_only=True, frozen=True):
    """A taught image.

    Attributes:
        sha256: SHA-256 of its pixels, which names it.
        label: Its label, or null if it is to be removed.
        name: Name by which the user knows it.
        at: Time at which it was taught.
        waiting: Whether it still waits for the trainer.
        digit: Digit that the model reads, if the image is held back because of that; or null.
    """

    sha256: str
    label: Digit | None
    name: str
    at: Time
    waiting: bool
    digit: Digit | None


class TaughtImages(Taught, Document, kw_only=True, frozen=True):
    """What `teach --list` prints.

    Attributes:
        digits: Number of images of each digit, 0 to 9, without those that are held back.
        taught: All taught images.
        damaged: Records that cannot be read.
    """

    digits: list[int]
    taught: list[TaughtImage]
    damaged: list[Damaged]


class FailedImage(Body, kw_only=True, frozen=True):
    """An image that cannot be used.

    Attributes:
        name: Name of the image.
        error: Why.
    """

    name: str
    error: Reason


class Teaching(Document, kw_only=True, frozen=True):
    """What `teach` prints.

    Attributes:
        digits: Number of usable images of each digit, 0 to 9.
        new: Number of images taught for the first time.
        known: Number of images taught before with the same label.
        corrected: Number of images taught before with another label.
        removed: Number of taught images that were removed.
        confirmed: Number of images that were held back and are taught now.
        unlabelled: Number of images that were skipped because they have no label.
        unchecked: Number of images whose labels no worker has checked; the trainer checks them.
        held_back_images: Images that are held back, because their labels are suspicious.
        failed_images: Images that cannot be used.
        waiting: Number of changes that wait for the trainer. Not with `--dry-run`.
    """

    digits: list[int]
    new: int
    known: int
    corrected: int
    removed: int
    confirmed: int
    unlabelled: int
    unchecked: int
    held_back_images: list[TaughtImage]
    failed_images: list[FailedImage]
    waiting: int | UnsetType = UNSET


def taught_image(change: "LabelChange", *, waiting: bool) -> TaughtImage:
    """Return one taught image.

    Args:
        change: Label of the image.
        waiting: Whether it still waits for the trainer.
    """
    return TaughtImage(
        sha256=change.sha256,
        label=change.label,
        name=change.name,
        at=time_of(change.when),
        waiting=waiting,
        digit=change.looks_like,
    )


def taught(summary: "Summary") -> Taught:
    """Return the figures of the taught images."""
    return Taught(images=summary.images, waiting=summary.waiting, new=summary.new, held_back=summary.held)
