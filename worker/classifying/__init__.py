"""The worker: Celery's main process, and the process that classifies."""
