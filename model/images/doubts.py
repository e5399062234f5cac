"""Why a reading is doubtful whatever the network says: reasons that the drawing itself gives."""

from enum import StrEnum
from typing import NamedTuple


class DoubtCode(StrEnum):
    """A reason to doubt a reading. The values are stable: reports hold them, and programs read them."""

    INK_LEFT_OUT = "ink_left_out"  # the digit is only a part of what is drawn
    CROSSED_OUT = "crossed_out"  # straight strokes cross the digit out
    OTHER = "other"  # a reason of a newer version, which only its words say


class Doubt(NamedTuple):
    """A reason to doubt the reading of one image, as messages and reports carry it."""

    code: DoubtCode
    reason: str  # in words that follow the reading: "looks crossed out"
