"""What passes between Celery and Redis: doorbells, and if an operator wants it, what Celery's own tools ask and see."""
