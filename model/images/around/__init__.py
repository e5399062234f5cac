"""What is around a digit: outlines drawn around it, and discs, tiles, badges and cards that carry it."""
