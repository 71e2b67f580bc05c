"""Labels: which task they set, mappings and thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from limbeck.core import UsageError
from limbeck.data._labels import Threshold, read_labels


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 4, 2], "classification"),
        ([0.0, 1.0, None], "classification"),
        ([0.5, 1.0], "regression"),
        (list(range(20)), "classification"),
        (list(range(21)), "regression"),
    ],
)
def test_auto_follows_its_rule(values: list, kind: str) -> None:
    assert read_labels(pd.Series(values), "auto", "y").kind == kind


def test_a_task_that_is_said_wins() -> None:
    assert read_labels(pd.Series([0.5, 1.0, None]), "classification", "y").values.tolist() == ["0.5", "1", None]
    numbers = read_labels(pd.Series(["3", None, "4.5"]), "regression", "y").values
    assert numbers[[0, 2]].tolist() == [3, 4.5] and np.isnan(numbers[1])
    with pytest.raises(UsageError, match="y holds 'x'"):
        read_labels(pd.Series(["3", "x"]), "regression", "y")


def test_mapping_names_classes_and_what_it_lacks() -> None:
    mapping = {"0": "well", "1": "ill", "2": "ill"}
    assert read_labels(pd.Series([0, 2, 1]), "auto", "y", mapping).values.tolist() == ["well", "ill", "ill"]
    assert read_labels(pd.Series([0.0, None]), "auto", "y", mapping).values.tolist() == ["well", None]
    with pytest.raises(UsageError, match=r"does not say what '3', '4' is. It names: '0', '1', '2'"):
        read_labels(pd.Series([0, 4, 3]), "auto", "y", mapping)
    with pytest.raises(UsageError, match="'task' is regression"):
        read_labels(pd.Series([0]), "regression", "y", mapping)


@pytest.mark.parametrize(
    ("sign", "true"),
    [
        (">", [False, False, True]),
        (">=", [False, True, True]),
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
    ],
)
@pytest.mark.parametrize("space", ["", " "])
def test_each_operator_and_its_negation(sign: str, true: list[bool], space: str) -> None:
    threshold = Threshold.parse(f"two words{space}{sign}{space}-1.5")
    labels = threshold.apply(pd.Series([-2, -1.5, 0]))
    no, yes = threshold.classes
    assert yes == f"two words {sign} -1.5"
    assert labels.values.tolist() == [yes if value else no for value in true]
    opposite = Threshold.parse(no).apply(pd.Series([-2, -1.5, 0]))
    assert opposite.values.tolist() == labels.values.tolist()
    assert opposite.classes == (yes, no)


def test_texts_compare_by_equality() -> None:
    threshold = Threshold.parse('income == ">50K"')
    assert (threshold.column, threshold.sign, threshold.value) == ("income", "==", ">50K")
    assert threshold.apply(pd.Series([">50K", "<=50K", None])).values.tolist() == [
        'income == ">50K"',
        'income != ">50K"',
        None,
    ]
    assert Threshold.parse("town != Bonn").apply(pd.Series(["Bonn"])).values.tolist() == ['town == "Bonn"']
    for text in ("plain", "a > b > c", "> 3", "a =", "__import__('os')"):
        assert Threshold.parse(text) is None


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(UsageError, match="'ten' is not a number"):
        Threshold.parse("age > ten")
    with pytest.raises(UsageError, match="holds text"):
        Threshold.parse("age > 10").apply(pd.Series(["x"]))
    with pytest.raises(UsageError, match="Texts compare by == and !="):
        Threshold.parse("age > 'x'").apply(pd.Series(["x"]))
