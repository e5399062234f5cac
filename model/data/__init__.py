"""Data sets: MNIST, IDX files, the sample digits, and the images that users taught. It needs no TensorFlow."""
