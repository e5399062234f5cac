"""Judging models: metrics on a card, robustness, the gate."""
