"""Judge models: the figures of a card, robustness, the gate. `python -m model.evaluation --help`."""
