"""Which classes two domains share, and in what order."""

from __future__ import annotations

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.data import Raw
from limbeck.data._classes import agree_on_classes, class_numbers, natural_order, take_rows


def raw(labels: str, name: str = "one", classes: tuple[str, ...] | None = None) -> Raw:
    values = np.array([None if label == "?" else label for label in labels.split()], dtype=object)
    return Raw(name, np.arange(len(values) * 2.0).reshape(-1, 2), values, "classification", classes)


def test_numbers_are_ordered_by_value_and_text_by_its_digits() -> None:
    assert natural_order({"10", "2", "-3", "1.5"}) == ("-3", "1.5", "2", "10")
    assert natural_order({"b", "a10", "a9", "2"}) == ("2", "a9", "a10", "b")
    assert natural_order({"nan", "1", "inf"}) == ("1", "inf", "nan")


def test_the_same_classes_keep_the_order_of_the_source() -> None:
    source, target, names = agree_on_classes(raw("b a b", classes=("b", "a")), raw("a b ?"), "same")
    assert names == ("b", "a")
    assert (len(source), len(target)) == (3, 3)
    assert class_numbers(target.labels, names).tolist() == [1, 0, -1]


def test_a_declared_class_without_rows_in_the_target_is_no_difference() -> None:
    _, _, names = agree_on_classes(raw("n y", classes=("n", "y")), raw("y y", classes=("n", "y")), "same")
    assert names == ("n", "y")


def test_differing_classes_are_named_with_the_mend() -> None:
    with pytest.raises(UsageError, match=r"only one has 'c'; only two has 'd'.*shared.*mapping") as caught:
        agree_on_classes(raw("a b c"), raw("a b d", "two"), "same")
    assert "classes: source" not in str(caught.value)
    with pytest.raises(UsageError, match="classes: source"):
        agree_on_classes(raw("a b c"), raw("a b", "two"), "same")
    with pytest.raises(UsageError, match="only two has 'd'"):
        agree_on_classes(raw("a b"), raw("a d", "two"), "source")


def test_partial_open_set_and_disjoint_are_named() -> None:
    for theirs, case in (("a b", "partial"), ("a b c d", "open-set"), ("a b d", "partial and open-set")):
        with pytest.raises(UsageError, match=f"other classes, {case} transfer: only"):
            agree_on_classes(raw("a b c"), raw(theirs, "two"), "same")
    for rule in ("same", "shared", "source"):
        with pytest.raises(UsageError, match=r"share no class: one has 'a', 'b', two has 'c', 'd'.*mapping"):
            agree_on_classes(raw("a b"), raw("c d", "two"), rule)


def test_what_a_partial_target_lacks_is_noted() -> None:
    _, target, _ = agree_on_classes(raw("a b c"), raw("a b", "two"), "source")
    assert target.notes == ("Partial transfer: no row is of c, which the student may still answer.",)
    _, target, _ = agree_on_classes(raw("a b", classes=("a", "b")), raw("b b ?", classes=("a", "b")), "same")
    assert target.notes == ("Every label is b: nothing is measured of the other classes.",)


def test_shared_drops_the_rows_of_the_others_with_a_note() -> None:
    source, target, names = agree_on_classes(raw("a b c a"), raw("d b a ? d", "two"), "shared")
    assert names == ("a", "b")
    assert source.labels.tolist() == ["a", "b", "a"]
    assert target.labels.tolist() == ["b", "a", None]
    assert source.inputs.tolist() == [[0, 1], [2, 3], [6, 7]]
    assert target.notes == ("2 rows are not used: one has no class d.",)


def test_one_shared_class_is_told_as_that() -> None:
    with pytest.raises(UsageError, match=r"one and two share one class only, 'b'.*`classes: source` keeps"):
        agree_on_classes(raw("a b c"), raw("b b", "two"), "shared")


def test_source_lets_the_target_lack_some() -> None:
    _, target, names = agree_on_classes(raw("a b c"), raw("b b", "two"), "source")
    assert names == ("a", "b", "c")
    assert class_numbers(target.labels, names).tolist() == [1, 1]


def test_one_class_or_a_class_a_row_is_an_error() -> None:
    with pytest.raises(UsageError, match="one class only, 'a'"):
        agree_on_classes(raw("a a"), raw("a a"), "same")
    many = raw(" ".join(map(str, range(30))))
    with pytest.raises(UsageError, match="30 classes in 30 rows"):
        agree_on_classes(many, many, "same")


def test_take_rows_narrows_everything_that_has_rows() -> None:
    whole = Raw(
        "one", np.arange(3.0)[:, None], np.array(list("abc")), "classification", None, np.arange(3), np.ones(3, bool)
    )
    part = take_rows(whole, np.array([True, False, True]), "one less")
    assert (part.inputs.tolist(), part.labels.tolist(), part.groups.tolist()) == ([[0], [2]], ["a", "c"], [0, 2])
    assert len(part.test) == 2 and part.notes == ("one less",)
    assert take_rows(whole, np.ones(3, bool)) is whole
