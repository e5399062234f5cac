"""What passes between Celery and Redis: doorbells, and, for Celery's own tools, commands, replies and events."""
