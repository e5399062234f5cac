"""The names of everything that Redis keeps about trainings. No other module spells them.

digitmill:trainings         zset     training id → unix ms when it was asked for
digitmill:training:<id>     hash     the training's record
digitmill:training-current  string   id of the training that was asked for last; no other can be open
digitmill:training-lease    string   fencing token of the trainer at work; expires unless renewed
digitmill:training-token    integer  fencing tokens given so far
digitmill:training-seen     integer  changes of the taught images that the last training which made a model has seen
digitmill:trainers          zset     trainer name → unix ms when last seen
digitmill:trainer:<name>    string   what hinders that trainer; expires after its last heartbeat
digitmill:schedulers        zset     scheduler name → unix ms when last seen
digitmill:schedule          hash     what schedulers follow: cron, next firing, how the last went (`ScheduleStatus`)
"""

TRAININGS = "digitmill:trainings"
TRAINING_PREFIX = "digitmill:training:"
CURRENT = "digitmill:training-current"
LEASE = "digitmill:training-lease"
TOKEN = "digitmill:training-token"  # noqa: S105  not a password
SEEN = "digitmill:training-seen"
TRAINERS = "digitmill:trainers"
SCHEDULERS = "digitmill:schedulers"
SCHEDULE = "digitmill:schedule"


def trainer(name: str) -> str:
    """Return the key of what hinders a trainer."""
    return f"digitmill:trainer:{name}"


def training(identifier: str) -> str:
    """Return the key of a training's record."""
    return TRAINING_PREFIX + identifier
