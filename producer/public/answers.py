"""What is said about one image, wherever it is said: by commands, over HTTP and in the rows of `watch`."""

from msgspec import UNSET, UnsetType

from producer.public.body import Body, Digit, Document, Share

LOW_CONFIDENCE = "low_confidence"
"""Code of the reason for review that only the confidence gives."""


class Reason(Body, kw_only=True, frozen=True):
    """An error, or a reason for review.

    Attributes:
        code: Word for programs. It never changes.
        message: Sentences for people: the fault and the remedy.
    """

    code: str
    message: str


class Failed(Document, kw_only=True, frozen=True):
    """What standard error has when a command with `--json` ends with an error, and the body of an HTTP error.

    Attributes:
        error: The error.
    """

    error: Reason


class Noticed(Document, kw_only=True, frozen=True):
    """What standard error has when a command with `--json` has something to say and goes on.

    Attributes:
        notice: Sentence for people.
    """

    notice: str


class Answer(Body, kw_only=True, frozen=True):
    """The answer for one image.

    Attributes:
        name: Name of the image. Over HTTP, only the images of a form have names.
        digit: Digit, or null if the image failed or shows a number of several digits.
        confidence: Probability of the digit, or of the least certain digit of a number; null if the image failed.
        review: Whether a person should look at the image.
        review_reason: Why, or null. The code is `low_confidence`, `several_digits`, or what the image path doubts.
        model: Version of the model that classified; empty if the image failed before it reached one.
        error: Why the image has no answer, or null.
        number: All digits in reading order, or null if the image failed. Only if numbers are read.
        confidences: Probabilities of the digits of the number. Only if numbers are read.
        probabilities: Probabilities of the digits 0 to 9, or null if the image failed. Only if they are asked for.
    """

    name: str | UnsetType = UNSET
    digit: Digit | None
    confidence: Share | None
    review: bool
    review_reason: Reason | None
    model: str
    error: Reason | None
    number: str | UnsetType | None = UNSET
    confidences: list[Share] | UnsetType = UNSET
    probabilities: list[Share] | UnsetType | None = UNSET


class OneAnswer(Answer, Document, kw_only=True, frozen=True):
    """What `POST /v1/classify` answers to one image."""


class Answers(Document, kw_only=True, frozen=True):
    """What `classify` prints, and what `POST /v1/classify` answers to a form.

    Attributes:
        predictions: Answers in the order of the images.
    """

    predictions: list[Answer]


class InspectedAnswer(Answer, kw_only=True, frozen=True):
    """The answer for one image, and what became of the image on its way to the network.

    Attributes:
        stages: Height and width, in pixels, after each stage that succeeded, by its name.
        network_input: Pixels of the network's input, 28 rows of 28 values from 0 to 255. Only if there is one.
    """

    stages: dict[str, list[int]]
    network_input: list[list[int]] | UnsetType = UNSET


class InspectedAnswers(Document, kw_only=True, frozen=True):
    """What `inspect` prints.

    Attributes:
        predictions: Answers in the order of the images.
    """

    predictions: list[InspectedAnswer]


class Row(Answer, Document, kw_only=True, frozen=True):
    """A row of `watch`.

    Attributes:
        size: Size of the file, in bytes.
        modified: Time of its last change, in UTC with nanoseconds, or in seconds if no calendar has that time.
        written: Time of the row, in UTC.
        pages: Number of pages of the document. Only if the image is a page.
    """

    size: int
    modified: str
    written: str
    pages: int | UnsetType = UNSET


class Watched(Document, kw_only=True, frozen=True):
    """What `watch` prints at its end.

    Attributes:
        done: Number of images with a row.
        review: Number of those that are for review.
        failed: Number of those that failed.
        under_way: Number of files that have arrived and have no rows yet.
        vanished: Number of files that were gone before they were read.
        left_out: Number of files that do not show digits.
    """

    done: int
    review: int
    failed: int
    under_way: int
    vanished: int
    left_out: int
