"""The trainer: the process that carries out trainings, one at a time. `python -m worker.trainer` runs one.

It never loads TensorFlow. It starts another process for each training; that process loads it, and may die at any time.
"""
