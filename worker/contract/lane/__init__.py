"""The lane carries single images past the jobs: a call travels in one message, and its answer in another.

A call is not recorded anywhere else. It is answered or refused within its timeout, and its client sends it again if a
worker or Redis has lost it.
"""

from worker.contract.lane.keys import LANE_VERSION, CallKind
from worker.contract.lane.lane import PAUSED, Answers, Lane, Receiver, Sent, Standing
from worker.contract.lane.messages import MAX_CALL_IMAGES, Answer, Call

__all__ = [
    "LANE_VERSION",
    "MAX_CALL_IMAGES",
    "PAUSED",
    "Answer",
    "Answers",
    "Call",
    "CallKind",
    "Lane",
    "Receiver",
    "Sent",
    "Standing",
]
