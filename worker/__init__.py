"""The queue and what stands behind it: settings, wire format, job ledger, Celery app, tasks.

The contract modules (`settings`, `wire`, `ledger`, `app`) are shared with the producer; `serving`, `tasks` and
`service` belong to the worker process alone.
"""
