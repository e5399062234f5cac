"""What people and programs write for a label: `3`, `3.0`, `digit 3`, `three`, or something that means no label."""

import re

from worker.contract.wire import Label, is_number

DIGITS = {str(digit): digit for digit in range(10)}
"""Digit for each label in its plain form."""

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPOKEN = {word: digit for digit, word in enumerate(_WORDS)}
_NO_LABEL = frozenset({"", "nan", "na", "n/a", "#n/a", "none", "null"})  # as pandas, R, Excel, Python and SQL write it

# Programs write whole numbers as floats, with a comma in half of the world. A text before a digit says what it is.
_FORMS = re.compile(
    r"""['"]? (?: (?:digit|label|class|number|no\.?) [ \s_:=#-]* )? (?P<digit>[0-9]) (?: [.,]0* )? ['"]?""",
    re.VERBOSE | re.IGNORECASE,
)

_NUMBER = re.compile(r"""['"]?(?P<number>[0-9]+)(?:[.,]0?)?['"]?""")  # 1,000 may be a thousand, or a one


def read_label(text: str, *, numbers: bool = False) -> Label | None:
    """Return the label that a text means, or None if it means that there is no label.

    Args:
        text: Text of the label.
        numbers: Whether it is a number, whose zeros at the beginning count, and not a digit.

    Raises:
        ValueError: It is neither.
    """
    return read_number(text) if numbers else read_digit(text)


def read_number(text: str) -> str | None:
    """Return the number that a label means, as a text of digits, or None if it means that there is no label.

    Raises:
        ValueError: It is neither.
    """
    if is_number(text):
        return text
    text = text.strip()
    if text.strip("'\"").casefold() in _NO_LABEL:
        return None
    found = _NUMBER.fullmatch(text)
    if found is None or not is_number(found["number"]):
        raise ValueError(text)
    return found["number"]


def read_digit(text: str) -> int | None:
    """Return the digit that a label means, or None if it means that there is no label.

    `03` and `3.5` are not digits, because neither is certainly a 3.

    Raises:
        ValueError: It is neither.
    """
    digit = DIGITS.get(text)
    if digit is not None:
        return digit
    text = text.strip()
    word = text.strip("'\"").casefold()
    if word in _NO_LABEL:
        return None
    if word in _SPOKEN:
        return _SPOKEN[word]
    found = _FORMS.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return int(found["digit"])
