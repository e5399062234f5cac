"""What is around a digit: outlines drawn about it, and discs, tiles, badges and cards that carry it."""
