"""Digits, and array files that are made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.data.digits import Digits


@pytest.fixture
def some(digits: Digits) -> Digits:
    """Forty digits."""
    return Digits(digits.images[:40], digits.labels[:40])


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Save an array as `digits.npy`, or several as `digits.npz`, and return the path."""

    def save(array: Any = None, **arrays: Any) -> Path:
        path = tmp_path / ("digits.npz" if arrays else "digits.npy")
        if arrays:
            np.savez(path, **arrays)
        else:
            np.save(path, array)
        return path

    return save
