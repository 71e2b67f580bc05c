"""Where two tables differ: every column by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from limbeck.core import UsageError
from limbeck.core.tables import pd

__all__ = ["feature_shift"]

MISSING = "\0missing"
"""The category of a missing value; no text in a file begins with a zero byte."""


def feature_shift(
    source: pd.DataFrame, target: pd.DataFrame, alpha: float = 0.05, bins: int = 10
) -> list[dict[str, Any]]:
    """The `features` of gap.json, one entry a column: the source's columns, then those of the target alone.

    test: "ks", two-sample Kolmogorov-Smirnov on the values present, where both columns are
    numbers; "chi2", on the counts of categories with missing as one of them, for all else;
    "absent" where a domain lacks the column or all its values (statistic, p_value and psi are None).
    p_value: corrected by Holm over all columns tested, so that one false alarm among them all has
    at most the chance alpha. For numbers it is twice the smaller of the Kolmogorov-Smirnov p-value
    and that of Fisher's exact test of the shares missing, where any are. psi: the population stability
    index over `bins` quantile bins of the source, or categories, and missing, with half a sample
    added to each; by convention 0.1 is a small shift and 0.25 a large one. shifted: p_value < alpha, or absent in one
    domain alone. missing_source and missing_target: shares in [0, 1].

    Errors: `UsageError` for an empty table.

    >>> source = pd.DataFrame({"age": range(50), "sex": ["f", "m"] * 25})
    >>> target = pd.DataFrame({"age": range(30, 80), "sex": ["m", "f"] * 25})
    >>> [(entry["name"], entry["test"], entry["shifted"]) for entry in feature_shift(source, target)]
    [('age', 'ks', True), ('sex', 'chi2', False)]
    """
    for role, table in (("source", source), ("target", target)):
        if not len(table):
            raise UsageError(f"The table of the {role} has no rows: there is nothing to compare.")
    entries = []
    for name in dict.fromkeys([*source.columns, *target.columns]):
        entries.append({"name": str(name), **_compare(_column(source, name), _column(target, name), bins)})
    tested = [entry for entry in entries if entry["p_value"] is not None]
    for entry, p_value in zip(tested, holm([entry["p_value"] for entry in tested]), strict=True):
        entry["p_value"] = p_value
        entry["shifted"] = p_value < alpha
    return entries


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction (1979): chances of a false alarm anywhere.

    >>> holm([0.01, 0.04, 0.5])
    [0.03, 0.08, 0.5]
    """
    order = np.argsort(p_values)
    steps = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def psi(source: np.ndarray, target: np.ndarray) -> float:
    """Population stability index Σ (t - s) ln(t / s) of two rows of counts, half a sample added to each count.

    >>> psi(np.array([5, 5]), np.array([50, 50]))
    0.0
    """
    s = (source + 0.5) / (source + 0.5).sum()
    t = (target + 0.5) / (target + 0.5).sum()
    return float(((t - s) * np.log(t / s)).sum())


def _column(table: pd.DataFrame, name: Any) -> pd.Series:
    return table[name] if name in table.columns else pd.Series([None] * len(table), dtype=object)


def _compare(source: pd.Series, target: pd.Series, bins: int) -> dict[str, Any]:
    missing = {"missing_source": float(source.isna().mean()), "missing_target": float(target.isna().mean())}
    wholly = [share == 1 for share in missing.values()]
    if any(wholly):
        nothing = {"test": "absent", "statistic": None, "p_value": None, "psi": None}
        return {**nothing, "shifted": not all(wholly), **missing}
    numbers = all(pd.api.types.is_numeric_dtype(c) and not pd.api.types.is_bool_dtype(c) for c in (source, target))
    return {**(_numbers(source, target, bins) if numbers else _categories(source, target)), **missing}


def _numbers(source: pd.Series, target: pd.Series, bins: int) -> dict[str, Any]:
    from scipy import stats

    s, t = source.dropna().to_numpy(np.float64), target.dropna().to_numpy(np.float64)
    absent = [len(source) - len(s), len(target) - len(t)]
    result = stats.ks_2samp(s, t)
    p_value = float(result.pvalue)
    if any(absent):
        p_value = min(1.0, 2 * min(p_value, stats.fisher_exact([[len(s), len(t)], absent]).pvalue))
    # Bins end at values of the source (no interpolation), so that numbers with few values fall apart by value.
    ends = np.unique(np.quantile(s, np.arange(1, bins) / bins, method="inverted_cdf"))
    counts = [
        np.append(np.bincount(np.searchsorted(ends, values), minlength=len(ends) + 1), lost)
        for values, lost in zip((s, t), absent, strict=True)
    ]
    used = (counts[0] + counts[1]) > 0
    stability = psi(counts[0][used], counts[1][used])
    return {"test": "ks", "statistic": float(result.statistic), "p_value": p_value, "psi": stability}


def _categories(source: pd.Series, target: pd.Series) -> dict[str, Any]:
    from scipy import stats

    names = [column.astype(str).where(column.notna(), MISSING).to_numpy(object) for column in (source, target)]
    codes = np.unique(np.concatenate(names), return_inverse=True)[1]
    width = codes.max() + 1
    table = np.stack([np.bincount(side, minlength=width) for side in np.split(codes, [len(source)])])
    pooled = _pool_rare(table)
    result = stats.chi2_contingency(pooled) if pooled.shape[1] > 1 else None
    statistic, p_value = (float(result.statistic), float(result.pvalue)) if result else (0.0, 1.0)
    return {"test": "chi2", "statistic": statistic, "p_value": p_value, "psi": psi(table[0], table[1])}


def _pool_rare(table: np.ndarray) -> np.ndarray:
    """Categories of which either domain should have less than one sample, as one: chi-square fails on those."""
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    rare = expected.min(0) < 1
    if not rare.any():
        return table
    return np.concatenate([table[:, ~rare], table[:, rare].sum(1, keepdims=True)], axis=1)
