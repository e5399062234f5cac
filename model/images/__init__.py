"""Bytes to 28×28: decoding, grey, ink, layout, strokes, normalisation. Knows no labels, cards or networks."""
