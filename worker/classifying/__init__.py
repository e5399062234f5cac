"""The worker's two processes: Celery's main process, and the process that classifies."""
