"""Text that is safe to print, whoever wrote it."""


def printable(text: str) -> str:
    r"""Return a text that is safe on a terminal and in a log, with `\x1b` and `\udc80` for what cannot be printed.

    Anyone may have named a file, or have written a record in Redis. The text must not clear the screen, forge a line,
    reverse the direction of writing, or stop the program.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
