"""Training: recipe, batches, checkpoints, and the commands that train."""
