"""A real job: handwritten digits, classified by the model that ships with the package."""

from dataclasses import replace

import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.data import sample_digits
from model.errors import Failure, FailureCode
from model.inference.classifier import Classifier
from producer.jobs.results import Results
from producer.pictures import Picture
from producer.report.write import write_report
from tests.producer.report.invented import Page, info_of, strict, with_failures
from tests.support.json_schemas import check

HOSTILE = '"><script>alert(1)</script><img src=http://example.com/x onerror=alert(1)>{{ 7 * 7 }}'
FAILURES = {
    5: Failure(FailureCode.BLANK, "Nothing is drawn on it."),
    17: Failure(FailureCode.BROKEN, "The file is cut short. Copy it again."),
    18: Failure(FailureCode.BLANK, "Nothing is drawn on it."),
}


@pytest.fixture(scope="session")
def hostile():
    """The name of image 17, which tries to do harm."""
    return HOSTILE


@pytest.fixture(scope="session")
def images():
    """360 images."""
    return sample_digits.load().test


@pytest.fixture(scope="session")
def card():
    """The card of the model that ships with the package."""
    return Card.read(BASELINE)


@pytest.fixture(scope="session")
def results(images, card):
    """The model's answers. Three images failed, and image 0 is a mistake however good the model is."""
    answers = Classifier.baseline().classify(images.images)
    labels, digits = images.labels.astype(np.int8), answers.digits.astype(np.int8)
    digits[0] = (labels[0] + 1) % 10
    names = [HOSTILE if index == 17 else f"box {index // 100}/{index}.png" for index in range(len(labels))]
    job = Results(names, labels, digits, answers.confidences, None, [card.version] * len(labels), {})
    return with_failures(job, FAILURES)


@pytest.fixture(scope="session")
def perfect(results):
    """The same job with a model that is always right."""
    answers = np.where(np.isnan(results.confidences), np.float32(0.5), results.confidences)
    return replace(results, digits=results.labels.copy(), confidences=answers, failures={})


@pytest.fixture
def write(tmp_path, images, card):
    """Write a report without the PNG files. Return its summary, its page and its `report.json`."""

    def write(results, *, info=None, card=card, read_pictures=None, min_confidence=None):
        folder = tmp_path / "report"
        summary = write_report(
            folder,
            results,
            info or info_of(results),
            card=card,
            read_pictures=read_pictures
            or (lambda indices: {index: Picture(images.images[index]) for index in indices}),
            min_confidence=min_confidence,
            plots=False,
        )
        html = (folder / "report.html").read_text(encoding="utf-8")
        figures = strict(folder / "report.json")
        check("report.json", figures)
        return summary, Page(html), figures

    return write
