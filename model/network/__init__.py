"""The network, its weights and its export. The only room besides training that imports TensorFlow."""
