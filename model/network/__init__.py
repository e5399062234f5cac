"""The network, its weights and its export. Only this room and `model.training` import TensorFlow."""
