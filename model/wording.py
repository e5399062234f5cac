"""How figures are written for people."""


def percent(share: float, decimals: int = 0) -> str:
    """Return a share of 0 to 1 in percent, such as "99.49 %" with two decimals."""
    return f"{100 * share:.{decimals}f} %"
