"""The pictures of a report do without the probabilities that no worker says."""

from dataclasses import replace

import cv2
import numpy as np

from model.augmentation.distortion import Augmentation, distort
from model.inference.variants import SURE
from producer import pictures
from producer.calls.client import Client
from producer.pictures import PictureReader
from producer.sources import array_source, open_source
from tests.producer.report.invented import invented


def test_a_mill_whose_workers_do_not_answer_is_asked_once(server, digits, monkeypatch):
    """Each question takes the whole time limit. A version that does not exist says nothing about the others."""
    monkeypatch.setattr(pictures, "ASKING_SECONDS", 0.5)
    job = invented([-1] * 3, [0] * 3, [0.5] * 3)
    source = array_source(digits.images[:3], "digits")
    job = replace(job, names=list(source.names), models=["gone", "live", "live"])
    reader = PictureReader(source, job, server.url)
    for index, mill in enumerate((server.url, None, None)):
        picture = reader([index])[index]
        assert reader.mill == mill
        assert picture is not None
        assert picture.probabilities is None
        np.testing.assert_array_equal(picture.seen, digits.images[index])


def test_the_probabilities_of_an_unsure_image_are_those_of_its_answer(mill, digits, tmp_path):
    """A worker reads variants of an image of which it is not sure, so the report asks about these, too."""
    far = distort(digits.images[:400], Augmentation(rotation=30, shear=0.5, scale=0.3), np.random.default_rng(1))
    files = [tmp_path / f"{index:03}.png" for index in range(len(far))]
    for file, image in zip(files, far, strict=True):
        large = cv2.resize(image, (112, 112), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(file), np.pad(large, 20))
    with Client(mill.stack.url) as client:
        answers = [future.result() for future in [client.send(file.read_bytes()) for file in files]]
    confidences = [each.confidence or 0 for each in answers]
    unsure = [index for index, confidence in enumerate(confidences) if 0 < confidence < SURE]
    assert len(unsure) >= 20
    job = invented(
        [-1] * len(files),
        [-1 if each.digit is None else each.digit for each in answers],
        confidences,
    )
    source = open_source(tmp_path)
    job = replace(job, names=list(source.names), models=[each.model for each in answers])
    found = PictureReader(source, job, mill.stack.url)(unsure)
    for index in unsure:
        picture, expected = found[index], answers[index].probabilities
        assert picture is not None
        assert picture.probabilities is not None
        assert expected is not None
        np.testing.assert_allclose(picture.probabilities, expected, atol=1e-4)
