"""Numbers as sentences and consoles show them."""

from __future__ import annotations

__all__ = ["plain"]


def plain(value: float, digits: int, sign: str = "") -> str:
    """A number with at most so many significant digits, a large one without an exponent; sign "+": with a plus too.

    >>> plain(1236.4, 4), plain(321.0, 2), plain(0.01234, 2), plain(3.0, 3, "+")
    ('1236', '320', '0.012', '+3')
    """
    return f"{float(f'{value:.{digits}g}'):{sign}.15g}"
