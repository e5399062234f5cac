"""The queue and the processes behind it: the contract with the producer, and the worker, the trainer and the scheduler.

The producer imports `contract`, `settings`, `roles` and `cores`, and nothing else from here.
"""
