"""Data sets: MNIST, IDX files, the sample digits, images that users taught. Knows no networks."""
