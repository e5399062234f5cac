"""digitmill: classify handwritten digits in bulk and as a stream."""
