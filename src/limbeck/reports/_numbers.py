"""How numbers are written: as many digits as their spread supports, and no more."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "NONE",
    "Measure",
    "columns",
    "count",
    "duration",
    "fixed",
    "p_value",
    "ratio",
    "shorten",
    "significant",
    "size",
]

NONE = "–"
"""What stands where there is no number."""

SHARES = frozenset({"accuracy", "balanced_accuracy", "macro_recall", "macro_precision", "macro_f1", "ece", "auc"})
NAMES = {"ece": "ECE", "nll": "NLL", "auc": "AUC", "mae": "MAE", "rmse": "RMSE", "r2": "R²", "macro_f1": "macro F1"}


@dataclass(frozen=True)
class Measure:
    """A metric and how its values are written: shares in percent, the others in their own unit.

    >>> Measure("accuracy").spread(0.97462, 0.0023)
    '97.46 ± 0.23'
    >>> Measure("rmse").spread(1234.5, 56.7)
    '1,234 ± 57'
    """

    name: str

    @property
    def percent(self) -> bool:
        return self.name in SHARES

    @property
    def factor(self) -> float:
        return 100.0 if self.percent else 1.0

    @property
    def unit(self) -> str:
        """What stands after a value: ' %' or nothing."""
        return " %" if self.percent else ""

    @property
    def title(self) -> str:
        return NAMES.get(self.name, self.name.replace("_", " "))

    def value(self, value: float | None) -> str:
        """One value without a spread: a decimal of a percent, or four significant digits."""
        if value is None:
            return NONE
        return fixed(100 * value, 1) if self.percent else significant(value, 4)

    def spread(self, mean: float | None, std: float | None) -> str:
        """mean ± std, both to two significant digits of std; without the ± where there is no std."""
        if mean is None or std is None:
            return self.value(mean)
        digits = self._decimals(std)
        return f"{fixed(self.factor * mean, digits)} ± {fixed(self.factor * std, digits)}"

    def of(self, values: Mapping[str, Mapping[str, float | None]] | None, seeds: int) -> str:
        """This metric among `values` (name → mean and std), with its spread where there are several seeds."""
        found = (values or {}).get(self.name)
        if found is None:
            return NONE
        return self.spread(found["mean"], found["std"] if seeds > 1 else None)

    def difference(self, difference: float, low: float, high: float) -> tuple[str, str]:
        """A signed difference and its interval, to two significant digits of the half-width.

        >>> Measure("accuracy").difference(0.081, 0.0604, 0.1011)
        ('+8.1', '+6.0 to +10.1')
        """
        digits = self._decimals((high - low) / 2)
        written = [fixed(self.factor * value, digits, sign=True) for value in (difference, low, high)]
        return written[0], f"{written[1]} to {written[2]}"

    def _decimals(self, spread: float) -> int:
        most, least_known = (2, 1) if self.percent else (6, 3)
        return _decimals(self.factor * spread, most) if spread > 0 else least_known


def fixed(value: float, digits: int, sign: bool = False) -> str:
    """A number with `digits` decimals, commas between thousands, and a true minus.

    >>> fixed(-0.04, 1), fixed(-12.34, 1), fixed(2.0, 1, sign=True)
    ('0.0', '−12.3', '+2.0')
    """
    rounded = round(value, digits) + 0.0  # the zero turns −0.0 into 0.0
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "−")


def significant(value: float | None, digits: int) -> str:
    """A number with that many significant digits, never in scientific notation.

    >>> significant(0.012345, 2), significant(12345.6, 3), significant(0.0, 2)
    ('0.012', '12,346', '0')
    """
    if value is None:
        return NONE
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    return fixed(value, max(0, digits - 1 - _exponent(value, digits)))


def count(value: float | None) -> str:
    """A whole number with commas.

    >>> count(41630)
    '41,630'
    """
    return NONE if value is None else f"{value:,.0f}"


def size(octets: float | None) -> str:
    """Bytes in powers of 1000.

    >>> size(166520), size(1687336), size(512)
    ('167 kB', '1.69 MB', '512 B')
    """
    if octets is None:
        return NONE
    power = 0 if octets < 1 else min(4, _exponent(octets, 3) // 3)
    number = f"{octets:.0f}" if power == 0 else significant(octets / 1000**power, 3)
    return f"{number} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def duration(seconds: float | None) -> str:
    """Seconds, or minutes and seconds, or hours and minutes.

    >>> duration(12.14), duration(200), duration(3900)
    ('12.1 s', '3 min 20 s', '1 h 05 min')
    """
    if seconds is None:
        return NONE
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def p_value(p: float | None) -> str:
    """A p-value with two significant digits.

    >>> p_value(0.0342), p_value(0.00001), p_value(None)
    ('0.034', '< 0.0001', '–')
    """
    if p is None:
        return NONE
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def ratio(of: float | None, to: float | None) -> str:
    """How many times smaller (or larger) one number is than another.

    >>> ratio(41630, 421834), ratio(2.0, 1.0)
    ('1/10', '2.0 ×')
    """
    if not of or not to:
        return NONE
    if of < to:
        factor = to / of
        return f"1/{fixed(factor, 1 if factor < 9.95 else 0)}"
    return f"{significant(of / to, 2)} ×"


def shorten(text: str, width: int) -> str:
    """The text in at most `width` columns, where East Asian wide characters take two.

    >>> shorten("cardiomegaly", 8), shorten("meer", 8), shorten("数字数字数字", 8)
    ('cardiom…', 'meer', '数字数…')
    """
    if columns(text) <= width:
        return text
    kept = 0
    while columns(text[: kept + 1]) < width:
        kept += 1
    return text[:kept] + "…"


def columns(text: str) -> int:
    """How wide a text is, in letters of a table for the terminal.

    >>> columns("数字 1")
    6
    """
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


def _exponent(value: float, digits: int) -> int:
    """The power of ten of the first digit, after rounding to `digits` significant ones."""
    return int(f"{value:.{digits - 1}e}".split("e")[1])


def _decimals(spread: float, most: int) -> int:
    return min(most, max(0, 1 - _exponent(spread, 2)))
