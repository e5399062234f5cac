"""The file of changes holds the pictures of the images that only one of two models reads."""

import json
from typing import Any

import numpy as np
import pytest

from model.cards.changes import ChangedImage, Changes
from model.errors import ModelError

PICTURE = np.arange(784, dtype=np.int32).astype(np.uint8).reshape(28, 28)
CHANGES = Changes(
    "live-1", [ChangedImage.of("taught", 7, 1, 7, PICTURE), ChangedImage.of("validation", 4, 4, 9, PICTURE)]
)


def test_changes_come_back_as_they_were() -> None:
    """Each image has its pixels, and says whether the candidate reads it."""
    read = Changes.loads(CHANGES.dumps())
    assert read == CHANGES
    assert [image.won for image in read.images] == [True, False]
    assert all(np.array_equal(image.picture, PICTURE) for image in read.images)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("images", "secret"),
        ("label", 10),
        ("before", -1),
        ("after", "7"),
        ("after", 4),
        ("before", 0),
        ("pixels", ""),
        ("pixels", "A" * 1052),
        ("pixels", '"><script>'),
    ],
)
def test_impossible_changes_are_refused(field: str, value: Any) -> None:
    """Somebody else may have written them. The message says what to do."""
    body = json.loads(CHANGES.dumps())
    body["images"][1][field] = value
    with pytest.raises(ModelError, match=r"not a file of changes .*train again\."):
        Changes.loads(json.dumps(body).encode())


def test_changes_of_another_format_are_refused() -> None:
    """A later version may store them differently."""
    body = json.loads(CHANGES.dumps()) | {"format": 2}
    with pytest.raises(ModelError, match=r"format 2.*Upgrade digitmill"):
        Changes.loads(json.dumps(body).encode())
