"""Lines that somebody drew under, around or across a digit, and that do not belong to it."""
