"""What is around a digit: circles, boxes and underlines drawn about it, and discs, tiles and buttons that carry it."""
