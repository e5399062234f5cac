"""Draw, distort and degrade training images by rule. This room imports neither TensorFlow nor LiteRT."""
