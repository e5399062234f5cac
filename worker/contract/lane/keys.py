"""The names of everything that the lane keeps in Redis. No other module spells them.

    digitmill:lane1:arrays             list   calls with arrays that wait for a worker
    digitmill:lane1:files              list   calls with files that wait for a worker
    digitmill:lane1:sent               hash   kind of a call → number of calls of this kind that were ever sent

The number in each name is the format of the messages. So no worker pops a call that it cannot read.
"""

from enum import StrEnum

LANE_VERSION = 1
"""Format of calls and answers. Workers report it, and workers before 0.3 report none."""

SENT = "digitmill:lane1:sent"


class CallKind(StrEnum):
    """What a call carries. Each kind has a list of its own, because a file takes much longer than an array."""

    ARRAYS = "arrays"
    FILES = "files"


CALLS = {CallKind.ARRAYS: "digitmill:lane1:arrays", CallKind.FILES: "digitmill:lane1:files"}
"""The list in which the calls of each kind wait."""
