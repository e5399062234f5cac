"""Classify with an exported model: LiteRT and calibration. Never imports TensorFlow."""
