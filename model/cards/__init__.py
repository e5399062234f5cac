"""Model cards: the record, its page, the gate's decision, and the checks of a model's files. It needs no TensorFlow."""
