"""The errors of the queue. As in all errors of digitmill, each message names the fault and the remedy.

DigitmillError
├── WireError         A message or record is damaged.
│   └── UnknownFormat     This version does not read its format.
├── Unreachable       Redis does not answer, or what answers is not a Redis.
│   └── NotPermitted      The Redis user does not have the rights.
├── UnsuitableServer  Redis answers, but it can never do the work.
├── NoWorkers         No worker answered in time.
│   └── NoLane            Workers are alive, but none of them answers single images.
└── JobFailed         The job was cancelled, or failed as a whole.
"""

from model.errors import DigitmillError


class WireError(DigitmillError):
    """A message or record is damaged."""


class UnknownFormat(WireError):
    """This version of digitmill does not read the format of a message or record. Another version may."""


class Unreachable(DigitmillError):
    """Redis does not answer, or what answers is not a Redis."""


class NotPermitted(Unreachable):
    """Redis answers, but its user does not have the rights for this."""


class UnsuitableServer(DigitmillError):
    """Redis answers, but it can never do the work: its configuration must change."""


class NoWorkers(DigitmillError):
    """No worker answered in time."""


class NoLane(NoWorkers):
    """Workers are alive, but none of them answers single images, because they run another version of digitmill."""


class LaneFull(NoWorkers):
    """Clients send more single images than the workers classify, so there was no room for this one in time."""


class JobFailed(DigitmillError):
    """The job was cancelled, or failed as a whole."""
