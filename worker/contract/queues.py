"""The names of Celery's tasks, queues and exchanges, in their own module, so a client can know them without Celery."""

CLASSIFY = "digitmill.classify"
TRAIN = "digitmill.train"
"""Names of the two tasks. A sender needs to know nothing else of a task."""

CLASSIFY_QUEUE = "digitmill.classify"
TRAIN_QUEUE = "digitmill.train"

COMMANDS = "celery.pidbox"
"""Exchange of the commands of Celery's own tools, which Redis passes on through a channel."""

REPLIES = f"reply.{COMMANDS}"
"""Exchange of the replies to them. The queue of a tool has its identifier before this name."""

EVENTS = "celeryev"
"""Exchange of the events that those tools read, also a channel."""
