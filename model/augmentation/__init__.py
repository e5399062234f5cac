"""Training images that are made or changed by rule: distorted, degraded, drawn. Knows no networks."""
