"""Training: recipes, batches, checkpoints, and the programs that train. `python -m model.training --help`."""
