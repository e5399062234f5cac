"""Training images made or changed by rule: distorted, degraded, drawn. Knows no networks."""
