"""The trainer: the process that carries out trainings, one at a time. `python -m worker.trainer` runs one.

It loads no TensorFlow itself: that is in the process that it starts for each training, and may end at any moment.
"""
