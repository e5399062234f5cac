"""Data sets: MNIST, IDX files, the sample digits, and the images that users taught. Never imports networks."""
