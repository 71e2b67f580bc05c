"""The division of rows: shares, strata, groups, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.core import UsageError, generator
from limbeck.data import SplitSettings
from limbeck.data._splits import apportion, draw_labelled, draw_splits, quantile_bins, stratified_choice


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.data())
def test_apportion_gives_every_seat_and_keeps_each_share_within_one(counts: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(counts)))
    seats = apportion(np.array(counts), total)
    assert seats.sum() == total
    assert (seats <= counts).all() and (seats >= 0).all()
    exact = np.array(counts) * total / max(1, sum(counts))
    assert (np.abs(seats - exact) < 1).all()


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6), st.data())
def test_apportion_under_limits_gives_as_many_seats_as_they_allow(most: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, 60))
    seats = apportion(np.full(len(most), 10), total, np.array(most))
    assert (seats <= most).all()
    assert seats.sum() == min(total, sum(most))


def test_stratified_choice_draws_each_stratum_by_its_share() -> None:
    strata = np.repeat([0, 1, 2], [60, 30, 10])
    chosen = stratified_choice(strata, 50, generator(0, "test"))
    assert np.bincount(strata[chosen]).tolist() == [30, 15, 5]


def test_splits_cover_every_row_once_and_keep_shares_and_classes() -> None:
    strata = np.repeat([0, 1], [60, 40])
    splits = draw_splits(strata, SplitSettings(), "source")
    rows = np.concatenate(list(splits.values()))
    assert sorted(rows) == list(range(100))
    assert {name: np.bincount(strata[rows]).tolist() for name, rows in splits.items()} == {
        "train": [30, 20],
        "selection": [12, 8],
        "test": [18, 12],
    }


def test_splits_depend_on_seed_and_role_alone() -> None:
    strata = np.arange(100) % 3
    first, again = (draw_splits(strata, SplitSettings(seed=5), "source") for _ in range(2))
    assert all((first[name] == again[name]).all() for name in first)
    for other in (
        draw_splits(strata, SplitSettings(seed=6), "source"),
        draw_splits(strata, SplitSettings(seed=5), "target"),
    ):
        assert not np.array_equal(first["test"], other["test"])


@pytest.mark.parametrize("rare", [1, 2])
def test_a_rare_class_always_has_a_row_to_train(rare: int) -> None:
    strata = np.repeat([0, 1, 2], [50, rare, rare])
    for seed in range(20):
        train = draw_splits(strata, SplitSettings(seed=seed, test=0.6), "source")["train"]
        assert set(strata[train]) == {0, 1, 2}


@pytest.mark.parametrize("labelled", [1.0, 0.6])
def test_no_group_straddles_and_shares_are_near(labelled: float) -> None:
    random = np.random.default_rng(0)
    groups = random.integers(0, 60, 600)
    strata = random.integers(0, 3, 600)
    strata[random.random(600) > labelled] = -1
    splits = draw_splits(strata, SplitSettings(), "target", groups)
    held = [set(groups[rows]) for rows in splits.values()]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    known = (strata >= 0).sum()
    for name, share in (("selection", 0.2), ("test", 0.3)):
        assert (strata[splits[name]] >= 0).all()
        assert abs(len(splits[name]) / known - share) < 0.03
        assert np.bincount(strata[splits[name]]).min() > 0.2 * len(splits[name])


def test_three_groups_of_unequal_size_fill_three_splits() -> None:
    splits = draw_splits(np.zeros(120, dtype=int), SplitSettings(), "source", np.repeat([0, 1, 2], [100, 10, 10]))
    assert sorted(map(len, splits.values())) == [10, 10, 100]
    with pytest.raises(UsageError, match="more groups"):
        draw_splits(np.zeros(120, dtype=int), SplitSettings(), "source", np.repeat([0, 1], 60))


def test_the_official_test_split_stays_as_it_is() -> None:
    test = np.arange(100) >= 70
    strata = np.arange(100) % 2
    strata[[0, 99]] = -1
    splits = draw_splits(strata, SplitSettings(selection=0.5), "target", test=test)
    assert splits["test"].tolist() == list(range(70, 99))  # row 99 has no label to test
    assert 0 in splits["train"]
    assert len(splits["selection"]) == round(0.5 * 69)
    with pytest.raises(UsageError, match="official test split"):
        draw_splits(strata, SplitSettings(), "target", np.full(100, 1), test)


def test_an_empty_split_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"selection and test would be empty \(train 2, selection 0, test 0\)"):
        draw_splits(np.array([0, 1]), SplitSettings(), "source")


def test_labelled_rows_are_k_of_each_class_that_the_target_has() -> None:
    labels, train = np.array([0, 1] * 20), np.arange(30)
    rows = draw_labelled(train, labels, ("a", "b", "absent"), SplitSettings(labelled=4))
    assert np.bincount(labels[rows]).tolist() == [4, 4]
    assert set(rows) <= set(train)
    with pytest.raises(UsageError, match="has 15 rows of class 'a'"):
        draw_labelled(train, labels, ("a", "b"), SplitSettings(labelled=16))
    with pytest.raises(UsageError, match="no row would be left"):
        draw_labelled(train, labels, ("a", "b"), SplitSettings(labelled=15))


def test_labelled_values_spread_over_their_range() -> None:
    labels = np.random.default_rng(0).permutation(np.arange(100.0))
    labels[:10] = np.nan
    rows = draw_labelled(np.arange(100), labels, (), SplitSettings(labelled=3))
    known = np.sort(labels[10:])
    assert [int(np.searchsorted(known, value) // 30) for value in sorted(labels[rows])] == [0, 1, 2]


def test_quantile_bins_are_of_equal_size() -> None:
    values = np.random.default_rng(0).exponential(size=1000)
    bins = quantile_bins(np.append(values, np.nan))
    assert bins[-1] == -1
    assert np.bincount(bins[:-1]).tolist() == [100] * 10
    assert values[bins[:-1] == 3].max() < values[bins[:-1] == 4].min()


@pytest.mark.parametrize(
    ("settings", "name"), [({"selection": 0.0}, "selection"), ({"test": 1.0}, "test"), ({"labelled": -1}, "labelled")]
)
def test_bad_settings_name_themselves(settings: dict, name: str) -> None:
    with pytest.raises(UsageError, match=f"The '{name}' of split"):
        SplitSettings(**settings)
