import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score

from limbeck.core import Task, UsageError
from limbeck.evaluation import (
    bootstrap,
    mcnemar,
    mean_std,
    paired_bootstrap,
    sample_scores,
    statistic_for,
    vote,
    wilson,
)

CLASSES = Task("classification", ("a", "b", "c"))


def _coins(shape, share, seed=0):
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def test_equal_rows_do_not_differ_even_with_other_numbers_of_seeds():
    a = _coins((1, 200), 0.8)
    found = paired_bootstrap(a, np.repeat(a, 3, axis=0), resamples=500)
    assert (found.low, found.high, found.p_value) == (0.0, 0.0, 1.0)


def test_interval_agrees_with_the_normal_approximation():
    a, b = _coins((1, 2000), 0.8, 0), _coins((1, 2000), 0.7, 1)
    found = paired_bootstrap(a, b, resamples=4000)
    error = (a - b).std(ddof=1) / math.sqrt(2000)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.low == pytest.approx(found.difference - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(found.difference + 1.96 * error, abs=0.15 * error)
    assert found.p_value < 0.001


def test_the_opposite_comparison_is_the_mirror_image():
    a, b = _coins((2, 100), 0.8, 0), _coins((3, 100), 0.75, 1)
    one, other = paired_bootstrap(a, b, resamples=999), paired_bootstrap(b, a, resamples=999)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert one.p_value == other.p_value


def test_the_same_samples_are_drawn_for_both_rows():
    noise = np.random.default_rng(0).normal(size=(1, 300)) * 100
    found = paired_bootstrap(noise + 1, noise, resamples=200)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))


def test_p_value_is_calibrated_and_the_interval_covers_under_the_null():
    random = np.random.default_rng(0)
    rejected = covered = 0
    for trial in range(300):
        shared = random.random(120)
        a, b = ((0.7 * shared + 0.3 * random.random((2, 120)) < 0.6).astype(float) for _ in range(2))
        found = paired_bootstrap(a, b, resamples=399, seed=trial)
        rejected += found.p_value < 0.05
        covered += found.low <= 0 <= found.high
    # Binomial with 300 trials at 5 %: ±3.5 standard deviations.
    assert 2 <= rejected <= 29
    assert 271 <= covered <= 298


def test_seeds_are_averaged_within_a_resample():
    point, drawn = bootstrap(
        [np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]])], statistic_for("accuracy", torch.zeros(2))
    )
    assert point == pytest.approx([2 / 3])
    np.testing.assert_allclose(drawn, 2 / 3)


def test_every_statistic_equals_its_metric_on_explicit_resamples():
    random = np.random.default_rng(0)
    labels = torch.from_numpy(random.choice(3, 60, p=[0.8, 0.15, 0.05]))
    logits = torch.from_numpy(random.normal(size=(2, 60, 3)))
    rows = random.integers(0, 60, size=(5, 60))
    counts = np.stack([np.bincount(row, minlength=60) for row in rows]).astype(float)
    balanced = statistic_for("balanced_accuracy", labels)(counts, sample_scores(logits, labels, CLASSES))
    predicted = logits.argmax(-1).numpy()
    expected = [[balanced_accuracy_score(labels[r], seed[r]) for seed in predicted] for r in rows]
    np.testing.assert_allclose(balanced, expected)
    plain = statistic_for("accuracy", labels)(counts, sample_scores(logits, labels, CLASSES))
    np.testing.assert_allclose(plain, [[(predicted[s][r] == labels.numpy()[r]).mean() for s in (0, 1)] for r in rows])

    task, values = Task("regression", offset=5.0, scale=2.0), torch.randn(60)
    outputs = torch.randn(2, 60, 1)
    rmse = statistic_for("rmse", values)(counts, sample_scores(outputs, values, task))
    errors = (outputs.squeeze(-1) * 2 + 5 - values).numpy()
    np.testing.assert_allclose(rmse, [[np.sqrt((e[r] ** 2).mean()) for e in errors] for r in rows], rtol=1e-5)


def test_blocks_do_not_change_the_number_of_resamples(monkeypatch):
    monkeypatch.setattr("limbeck.evaluation.statistics.CELLS", 350)
    _, drawn = bootstrap([_coins((1, 100), 0.5)], statistic_for("accuracy", torch.zeros(100)), resamples=10)
    assert drawn.shape == (1, 10)
    assert len(np.unique(drawn)) > 3


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (6, 0), (9, 4), (30, 12), (7, 7)])
def test_mcnemar_is_the_exact_binomial_test(only_a, only_b):
    a = np.array([True] * only_a + [False] * only_b + [True] * 5 + [False] * 3)
    b = np.array([False] * only_a + [True] * only_b + [True] * 5 + [False] * 3)
    n, extreme = only_a + only_b, max(only_a, only_b)
    closed = min(1.0, 2 * sum(math.comb(n, k) for k in range(extreme, n + 1)) / 2**n)
    assert mcnemar(a, b) == pytest.approx(closed)
    assert mcnemar(a, b) == mcnemar(b, a)
    if n:
        assert mcnemar(a, b) == pytest.approx(binomtest(only_b, n, 0.5).pvalue)


def test_vote_is_the_highest_mean_probability():
    logits = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 9.0, 0.0]], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    assert vote(logits).tolist() == logits.softmax(-1).mean(0).argmax(-1).tolist() == [0, 1]
    assert vote(logits[:1]).tolist() == logits[0].argmax(-1).tolist()


def test_mean_and_sample_deviation():
    assert mean_std([0.7, 0.8, 0.9]) == pytest.approx((0.8, 0.1))
    assert mean_std([0.7]) == (0.7, 0.0)


def test_bad_requests_are_refused():
    a = np.ones((1, 3))
    with pytest.raises(UsageError, match="same test samples"):
        bootstrap([a, np.ones((1, 4))], statistic_for("accuracy", torch.zeros(3)))
    with pytest.raises(UsageError, match="at least one"):
        paired_bootstrap(a[:, :0], a[:, :0])
    with pytest.raises(UsageError, match="resamples"):
        paired_bootstrap(a, a, resamples=0)
    with pytest.raises(UsageError, match="confidence"):
        paired_bootstrap(a, a, confidence=95.0)
    with pytest.raises(UsageError, match="metric"):
        statistic_for("auc", torch.zeros(3))
    with pytest.raises(UsageError, match="mean_std"):
        mean_std([])


@pytest.mark.parametrize(("right", "n"), [(0, 20), (7, 20), (20, 20), (255, 256)])
def test_an_interval_of_a_share_is_that_of_scipy(right, n):
    wanted = binomtest(right, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(right / n, n), (wanted.low, wanted.high), atol=1e-12)
