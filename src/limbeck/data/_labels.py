"""Labels: which task they set, and thresholds such as `num > 0`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limbeck.core import UsageError
from limbeck.core.tables import pd
from limbeck.data._values import as_text

__all__ = ["FEW_VALUES", "Labels", "Threshold", "read_labels"]

FEW_VALUES = 20
"""Whole numbers with at most that many different values are classes."""

Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True)
class Labels:
    """values: [n] class names (None for a missing one) or floats (NaN); classes: their order, where it is given."""

    values: np.ndarray
    kind: Literal["classification", "regression"]
    classes: tuple[str, ...] | None = None


def read_labels(values: pd.Series, task: Task, owner: str, mapping: Mapping[str, str] | None = None) -> Labels:
    """Class names or values to regress.

    auto: text, truth values and at most 20 different whole numbers are classes; other numbers are
    regressed. mapping: from label values to class names. `UsageError` names a value that is not in it.

    >>> read_labels(pd.Series([0.0, 1.0, None]), "auto", "column 'sick'").values.tolist()
    ['0', '1', None]
    >>> read_labels(pd.Series([0.5, 1.25]), "auto", "column 'dose'").kind
    'regression'
    """
    if task == "regression" or (task == "auto" and mapping is None and not _are_classes(values)):
        if mapping is not None:
            raise UsageError(f"A 'mapping' of {owner} makes classes, and the 'task' is regression. Leave one out.")
        return Labels(_measured(values, owner), "regression")
    text = as_text(values).to_numpy()
    return Labels(text if mapping is None else _mapped(text, mapping, owner), "classification")


def _are_classes(values: pd.Series) -> bool:
    known = values.dropna()
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return True
    return bool((known % 1 == 0).all()) and known.nunique() <= FEW_VALUES


def _measured(values: pd.Series, owner: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    strange = np.isnan(numbers) & ~values.isna().to_numpy()
    if strange.any():
        raise UsageError(f"Values to regress are numbers, and {owner} holds {values[strange].iloc[0]!r}.")
    return numbers


def _mapped(text: np.ndarray, mapping: Mapping[str, str], owner: str) -> np.ndarray:
    unknown = sorted(set(text) - {None, *mapping})
    if unknown:
        raise UsageError(
            f"The 'mapping' of {owner} does not say what {', '.join(map(repr, unknown[:10]))} is. "
            f"It names: {', '.join(map(repr, mapping))}."
        )
    return np.array([None if value is None else mapping[value] for value in text], dtype=object)


OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    ">=": (operator.ge, "<"),
    "<=": (operator.le, ">"),
    "==": (operator.eq, "!="),
    "!=": (operator.ne, "=="),
    ">": (operator.gt, "<="),
    "<": (operator.lt, ">="),
}
"""What each operator does, and its negation, which names the other class."""
EXPRESSION = re.compile(
    r"""\s*(?P<column>[^<>=!]+?)\s*(?P<sign>>=|<=|==|!=|>|<)\s*(?P<value>"[^"]*"|'[^']*'|[^<>=!]+?)\s*"""
)


@dataclass(frozen=True)
class Threshold:
    """Two classes out of one column: `num > 0` is true or false in a row, and so are they called.

    >>> threshold = Threshold.parse("num > 0")
    >>> threshold.classes
    ('num <= 0', 'num > 0')
    >>> threshold.apply(pd.Series([0, 3])).values.tolist()
    ['num <= 0', 'num > 0']
    """

    column: str
    sign: str
    value: str | float

    @classmethod
    def parse(cls, text: str) -> Threshold | None:
        """The threshold that `text` writes, or None where it is not one."""
        found = EXPRESSION.fullmatch(text)
        if found is None:
            return None
        value: str | float = found["value"]
        if found["value"][0] in "\"'":
            value = found["value"][1:-1]
        else:
            try:
                value = float(found["value"])
            except ValueError as error:
                if found["sign"] not in ("==", "!="):
                    raise UsageError(
                        f"The label {text!r} compares by {found['sign']}, and {found['value']!r} is not a number."
                    ) from error
        return cls(found["column"], found["sign"], value)

    @property
    def classes(self) -> tuple[str, str]:
        value = f"{self.value:g}" if isinstance(self.value, float) else f'"{self.value}"'
        return f"{self.column} {OPERATORS[self.sign][1]} {value}", f"{self.column} {self.sign} {value}"

    def apply(self, values: pd.Series) -> Labels:
        """The class of each row; rows without a value have none."""
        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if isinstance(self.value, float):
            if not numeric:
                raise UsageError(f"The label compares column {self.column!r} with a number, and it holds text.")
            known: Any = values.to_numpy(np.float64, na_value=np.nan)
        elif self.sign in ("==", "!="):
            known = as_text(values).to_numpy()
        else:
            raise UsageError(f"The label compares the text {self.value!r} by {self.sign}. Texts compare by == and !=.")
        true = OPERATORS[self.sign][0](known, self.value)
        named = np.where(true, self.classes[1], self.classes[0]).astype(object)
        named[values.isna().to_numpy()] = None
        return Labels(named, "classification", self.classes)
