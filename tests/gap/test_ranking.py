import math

import numpy as np
import pytest
import torch

from limbeck.core import UsageError
from limbeck.gap import GapSettings, Rating, rank_candidates, subsampled


def ratings(accuracy: float, distance: float, samples: float = 100.0, error: float = 0.0) -> list[Rating]:
    low, high = (accuracy - 1.96 * error, accuracy + 1.96 * error) if error else (None, None)
    return [
        Rating("accuracy", "transferability", accuracy, low, high),
        Rating("mmd", "distance", distance, higher_is_better=False),
        Rating("samples", "teacher", samples),
    ]


def test_the_combined_rank_is_the_mean_over_families_of_mean_normalised_ranks():
    """Against the definition, by hand: two scores of one family weigh as much as the single one of another."""
    extra = {"a": 3.0, "b": 1.0, "c": 2.0}
    given = {"a": ratings(0.9, 0.1), "b": ratings(0.5, 0.2), "c": ratings(0.7, 0.2)}
    for name, value in extra.items():
        given[name].append(Rating("leep", "transferability", value))
    found = {name: standing.combined for name, standing in rank_candidates(given).items()}
    accuracy, leep = {"a": 1.0, "b": 0.0, "c": 0.5}, {"a": 1.0, "b": 0.0, "c": 0.5}
    distance = {"a": 1.0, "b": 0.25, "c": 0.25}  # ties share the mean rank
    teacher = {"a": 0.5, "b": 0.5, "c": 0.5}
    for name in given:
        assert found[name] == pytest.approx(((accuracy[name] + leep[name]) / 2 + distance[name] + teacher[name]) / 3)
    assert list(found) == ["a", "c", "b"]


def test_the_order_in_which_candidates_come_changes_nothing():
    given = {"a": ratings(0.9, 0.4), "b": ratings(0.5, 0.2, 70), "c": ratings(0.7, 0.3, 50)}
    forwards, backwards = rank_candidates(given), rank_candidates(dict(reversed(given.items())))
    assert {name: s.combined for name, s in forwards.items()} == {name: s.combined for name, s in backwards.items()}
    assert {name: s.scaled for name, s in forwards.items()} == {name: s.scaled for name, s in backwards.items()}


def test_scores_that_not_all_candidates_have_are_not_counted():
    given = {"a": ratings(0.9, 0.1), "b": [*ratings(0.5, 0.2), Rating("logme", "transferability", 9.0)]}
    assert (
        rank_candidates(given)["a"].combined == rank_candidates({"a": given["a"], "b": given["b"][:-1]})["a"].combined
    )
    assert "logme" not in rank_candidates(given)["b"].scaled


def test_the_scale_runs_from_the_worst_to_the_best_and_turns_distances_round():
    scaled = rank_candidates(
        {
            "near": [Rating("mmd", "distance", 1.0, 0.5, 2.0, higher_is_better=False)],
            "middle": [Rating("mmd", "distance", 2.0, 1.0, 3.0, higher_is_better=False)],
            "far": [Rating("mmd", "distance", 5.0, 4.0, 5.0, higher_is_better=False)],
        }
    )
    assert scaled["near"].scaled["mmd"] == pytest.approx((1.0, 0.75, 1.125))
    assert scaled["middle"].scaled["mmd"] == pytest.approx((0.75, 0.5, 1.0))
    assert scaled["far"].scaled["mmd"] == pytest.approx((0.0, 0.0, 0.25))


def test_equal_values_are_all_at_the_top_and_a_single_candidate_is_in_the_middle():
    alone = rank_candidates({"only": ratings(0.3, 2.0)})["only"]
    assert (alone.combined, alone.low, alone.high) == (0.5, 0.5, 0.5)
    assert alone.scaled["mmd"] == (1.0, None, None)


def test_the_interval_of_the_rank_says_whether_the_order_could_be_another():
    def at(value: float, error: float) -> list[Rating]:
        return [Rating("x", "teacher", value, value - 1.96 * error, value + 1.96 * error)]

    close = rank_candidates({"a": at(0.6, 0.1), "b": at(0.5, 0.1)})
    assert [(s.combined, s.low, s.high) for s in close.values()] == [(1.0, 0.0, 1.0), (0.0, 0.0, 1.0)]
    apart = rank_candidates({"a": at(0.6, 0.1), "b": at(-9.0, 0.1)})
    assert [(s.combined, s.low, s.high) for s in apart.values()] == [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0)]
    exact = rank_candidates({"a": ratings(0.9, 0.1), "b": ratings(0.5, 0.2)})["a"]
    assert exact.low == exact.combined == exact.high


def test_what_cannot_be_ranked_is_said():
    with pytest.raises(UsageError, match="no candidate"):
        rank_candidates({})
    with pytest.raises(UsageError, match="finite"):
        rank_candidates({"a": [Rating("x", "teacher", math.nan)]})


def test_the_interval_of_a_mean_is_that_of_the_central_limit_theorem():
    values = torch.from_numpy(np.random.default_rng(0).normal(size=400))
    settings = GapSettings(repeats=2000)
    value, low, high = subsampled(lambda rows: values[rows].mean().item(), torch.zeros(400, dtype=torch.long), settings)
    expected = 1.96 * values.std().item() / 20
    assert value == pytest.approx(values.mean().item())
    assert (high - low) / 2 == pytest.approx(expected, rel=0.06)


def test_halves_keep_every_stratum_and_single_samples_have_no_interval():
    strata = torch.tensor([0] * 10 + [1] * 6 + [2])
    seen: list[torch.Tensor] = []
    subsampled(lambda rows: float(seen.append(strata[rows]) or 0), strata, GapSettings(repeats=20))
    assert [part.bincount().tolist() for part in seen[1:]] == [[5, 3, 1]] * 20
    assert subsampled(lambda rows: 3.0, torch.tensor([0, 1, 2])) == (3.0, None, None)


def test_what_does_not_count_is_only_shown() -> None:
    def ratings(leep: float, mmd: float) -> list[Rating]:
        return [
            Rating("leep", "transferability", leep),
            Rating("mmd", "distance", mmd, None, None, False, counts=False),
        ]

    found = rank_candidates({"near": ratings(-2.0, 0.1), "useful": ratings(-1.0, 0.9)})
    assert {name: standing.combined for name, standing in found.items()} == {"useful": 1.0, "near": 0.0}
    assert found["near"].scaled["mmd"][0] == 1.0
    with pytest.raises(UsageError, match="no score in common"):
        rank_candidates({"near": ratings(-2.0, 0.1)[1:]})
