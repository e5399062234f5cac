"""Classify with an exported model: LiteRT and calibration. This room never imports TensorFlow."""
