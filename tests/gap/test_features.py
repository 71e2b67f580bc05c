"""Column by column: against SciPy, closed forms, and the false alarms of equal tables."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from limbeck.core import UsageError
from limbeck.gap import feature_shift
from limbeck.gap.features import holm, psi


def test_numbers_by_kolmogorov_smirnov() -> None:
    rng = np.random.default_rng(0)
    s, t = rng.normal(size=60), rng.normal(0.5, 2, size=40)
    [entry] = feature_shift(pd.DataFrame({"x": s}), pd.DataFrame({"x": t}))
    expected = stats.ks_2samp(s, t)
    assert entry["test"] == "ks"
    assert (entry["statistic"], entry["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert entry["shifted"] is True and expected.pvalue < 0.05
    # Ten source bins by the definition: half a sample is added to each.
    ends = [-np.inf, *np.sort(s)[[5, 11, 17, 23, 29, 35, 41, 47, 53]], np.inf]
    counts = [np.array([((v > a) & (v <= b)).sum() for a, b in pairwise(ends)]) for v in (s, t)]
    a, b = ((c + 0.5) / (c.sum() + 5) for c in counts)
    assert entry["psi"] == pytest.approx(float(((b - a) * np.log(b / a)).sum()))


def test_categories_by_chi_square_with_missing_as_one() -> None:
    source = pd.DataFrame({"x": ["a"] * 30 + ["b"] * 20 + [None] * 10})
    target = pd.DataFrame({"x": ["a"] * 10 + ["b"] * 20 + [None] * 20})
    [entry] = feature_shift(source, target)
    expected = stats.chi2_contingency([[30, 20, 10], [10, 20, 20]])
    assert entry["test"] == "chi2"
    assert (entry["statistic"], entry["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert (entry["missing_source"], entry["missing_target"]) == pytest.approx((1 / 6, 0.4))


@pytest.mark.parametrize("dtype", ["bool", "category", "str"])
def test_kinds_of_categories(dtype: Any) -> None:
    source, target = pd.Series([True] * 40 + [False] * 40), pd.Series([True] * 5 + [False] * 75)
    [entry] = feature_shift(pd.DataFrame({"x": source.astype(dtype)}), pd.DataFrame({"x": target.astype(dtype)}))
    assert (entry["test"], entry["shifted"]) == ("chi2", True)
    assert entry["statistic"] == pytest.approx(stats.chi2_contingency([[40, 40], [75, 5]]).statistic)


def test_absent_columns() -> None:
    source = pd.DataFrame({"gone": [1.0, 2], "empty": [1.0, 2], "nowhere": [None, None], "kept": [1.0, 2]})
    target = pd.DataFrame({"empty": [np.nan] * 3, "nowhere": [np.nan] * 3, "kept": [1.0, 2, 2], "new": ["a", "b", "c"]})
    entries = {entry["name"]: entry for entry in feature_shift(source, target)}
    assert list(entries) == ["gone", "empty", "nowhere", "kept", "new"]
    for name, shifted, missing in (
        ("gone", True, (0, 1)),
        ("empty", True, (0, 1)),
        ("nowhere", False, (1, 1)),
        ("new", True, (1, 0)),
    ):
        entry = entries[name]
        assert (entry["test"], entry["shifted"]) == ("absent", shifted)
        assert entry["statistic"] is entry["p_value"] is entry["psi"] is None
        assert (entry["missing_source"], entry["missing_target"]) == missing
    assert entries["kept"]["test"] == "ks"


def test_numbers_that_merely_go_missing_are_shifted() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=80), rng.normal(size=80)
    target[:40] = np.nan
    [entry] = feature_shift(pd.DataFrame({"x": source}), pd.DataFrame({"x": target}))
    expected = 2 * stats.fisher_exact([[80, 40], [0, 40]]).pvalue
    assert entry["p_value"] == pytest.approx(expected)
    assert entry["shifted"] and entry["psi"] > 1


def test_rare_categories_do_not_raise_false_alarms() -> None:
    rng = np.random.default_rng(0)
    shares = [0.6, 0.3] + [0.01] * 10
    p_values = []
    for _ in range(300):
        source, target = (pd.DataFrame({"x": rng.choice(12, n, p=shares).astype(str)}) for n in (80, 40))
        p_values.append(feature_shift(source, target)[0]["p_value"])
    assert 0.01 < np.mean(np.array(p_values) < 0.05) < 0.09
    source, target = (pd.DataFrame({"x": [f"{side}{k}" for k in range(50)]}) for side in "st")
    assert feature_shift(source, target)[0]["p_value"] == 1


def test_holm_keeps_the_family_of_columns() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []
    rng = np.random.default_rng(1)
    alarms = []
    for _ in range(150):
        source, target = (pd.DataFrame(rng.normal(size=(40, 8))) for _ in "st")
        alarms.append(any(entry["shifted"] for entry in feature_shift(source, target)))
    assert 0.0 < np.mean(alarms) < 0.11


def test_psi_by_hand() -> None:
    # Shares 0.25 and 0.75 after half a sample each: (0.5) · ln 3, twice.
    assert psi(np.array([0, 1]), np.array([1, 0])) == pytest.approx(2 * 0.5 * math.log(3))


def test_few_valued_and_infinite_numbers_stay_finite() -> None:
    source = pd.DataFrame({"sex": [0, 1] * 40, "top": [1.0, np.inf] * 40, "one": [3] * 80})
    for entry in feature_shift(source, source):
        assert entry["psi"] == 0 and entry["p_value"] == 1
    moved = feature_shift(source, pd.DataFrame({"sex": [1] * 70, "top": [np.inf] * 70, "one": [4] * 70}))
    assert all(entry["shifted"] and math.isfinite(entry["psi"]) for entry in moved)
    # Bins fall between values: PSI of 40 : 40 against 0 : 70.
    assert moved[0]["psi"] == pytest.approx(psi(np.array([40, 40]), np.array([0, 70])))


def test_an_empty_table_is_an_error() -> None:
    with pytest.raises(UsageError, match="The table of the target has no rows"):
        feature_shift(pd.DataFrame({"x": [1]}), pd.DataFrame({"x": []}))


def test_heart_disease_hospitals_differ_as_is_known(data_root: Path) -> None:
    cleveland, switzerland = (
        pd.read_csv(data_root / "heart_disease" / f"{name}.csv").drop(columns="num")
        for name in ("cleveland", "switzerland")
    )
    entries = {entry["name"]: entry for entry in feature_shift(cleveland, switzerland)}
    assert len(entries) == 13
    # Cholesterol is 0 throughout in Switzerland: no source value is.
    assert (entries["chol"]["statistic"], entries["chol"]["shifted"]) == (1.0, True)
    assert entries["ca"]["missing_target"] > 0.95 and entries["ca"]["shifted"]
    halves = feature_shift(cleveland[::2], cleveland[1::2])
    assert not any(entry["shifted"] for entry in halves)
