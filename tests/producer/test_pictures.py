"""The pictures of a report do without the probabilities that no worker says."""

from dataclasses import replace

import numpy as np

from producer import pictures
from producer.pictures import PictureReader
from producer.sources import array_source
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
