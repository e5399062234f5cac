"""What is drawn in a picture: the value that passes from stage to stage of the layout."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.images.raster import Components


@dataclass(frozen=True, slots=True)
class SpeckLimits:
    """What is too small for a stroke."""

    max_area: float = 0.03
    """Area of a component, as a share of the largest stroke, below which it is a speck."""


SPECK = SpeckLimits()


class Drawn(NamedTuple):
    """The connected components of strokes, and which of them may belong to a digit.

    Attributes:
        components: The components.
        is_candidate: Whether each component may belong to a digit, bool (n,). The others are printed, or were cut off
            by the border. If it holds for none, the first one counts as the digit.
        is_struck: Whether a line that was left out is not ruled, so that it may cross the digit out.
    """

    components: Components
    is_candidate: NDArray[np.bool_]

    is_struck: bool = False

    @property
    def is_piece(self) -> NDArray[np.bool_]:
        """Whether each component may belong to a digit and is not a speck, bool (n,)."""
        area = np.where(self.is_candidate, self.components.stats[:, 4], 0)
        is_piece: NDArray[np.bool_] = self.is_candidate & (area >= SPECK.max_area * area.max())
        return is_piece
