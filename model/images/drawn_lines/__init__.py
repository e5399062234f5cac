"""Lines that somebody drew under, across or beside a digit, and that do not belong to it."""
