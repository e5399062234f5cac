"""The names of Celery's tasks and queues, in their own module, so that a client can know them without Celery."""

CLASSIFY = "digitmill.classify"
TRAIN = "digitmill.train"
"""Names of the two tasks. A sender needs to know nothing else of a task."""

CLASSIFY_QUEUE = "digitmill.classify"
TRAIN_QUEUE = "digitmill.train"
