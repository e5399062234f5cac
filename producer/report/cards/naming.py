"""The names of the pages that only have cards."""

import re

_PAGE = re.compile(r"review-([2-9]|[1-9][0-9]+)\.html")


def page_name(number: int, first: str) -> str:
    """Return the name of the file of a page. The first page, number 1, is part of the report's page."""
    return first if number == 1 else f"review-{number}.html"


def is_page(name: str) -> bool:
    """Return whether a file of this name may be a page of cards beside the report's page."""
    return _PAGE.fullmatch(name) is not None
