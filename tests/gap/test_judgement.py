import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from limbeck.core import UsageError
from limbeck.gap import AtHome, Judgement, Labelled, Unlabelled, cross_validated, domain_separation, judge, wilson
from limbeck.gap.judgement import above_chance, auc_error


def right(count: int, n: int = 100) -> np.ndarray:
    """The first `count` of n are right."""
    return np.arange(n) < count


def labelled(direct: int, probed: int | None, alone: int | None, chance: float = 0.1, source: int = 95) -> Judgement:
    sides = [None if count is None else right(count) for count in (direct, probed, alone)]
    assert sides[0] is not None
    return judge(AtHome(right(source), chance), Labelled(sides[0], sides[1], sides[2], chance))


def test_better_than_training_alone_and_as_good_as_at_home_is_transfer():
    found = labelled(direct=92, probed=80, alone=60)
    assert (found.verdict, found.sure) == ("transfer", True)
    assert "simple classifier is right on 60%" in found.reason and "its answers are right on 92%" in found.reason


def test_better_than_training_alone_and_far_below_home_asks_for_adaptation():
    found = labelled(direct=70, probed=65, alone=50)
    assert (found.verdict, found.sure) == ("transfer with adaptation", True)
    assert "On its own source it is right on 95%: the gap costs the rest." in found.reason


def test_worse_than_training_alone_both_ways_is_not_worth_it():
    found = labelled(direct=40, probed=55, alone=80)
    assert (found.verdict, found.sure) == ("do not transfer", True)
    assert "a difference of -40 points" in found.reason
    close = labelled(direct=40, probed=79, alone=80)
    assert close.verdict == "do not transfer"


def test_answers_at_chance_leave_the_features():
    """A permutation of the labels: every answer is wrong, and the features are those of a good teacher."""
    permuted = labelled(direct=0, probed=90, alone=50)
    assert permuted.verdict == "transfer with adaptation"
    assert "learn a new head" in permuted.reason
    doubtful = labelled(direct=9, probed=52, alone=50)
    assert doubtful.verdict == "transfer with adaptation" and not doubtful.sure
    assert "That the answers are better than chance is not shown: keep the features" in doubtful.reason
    assert labelled(direct=9, probed=48, alone=50).verdict == "do not transfer"


def test_without_a_classifier_of_ones_own_the_constant_is_the_reference():
    found = labelled(direct=60, probed=None, alone=None)
    assert found.verdict == "transfer with adaptation"
    assert "too few to train on" in found.reason
    assert labelled(direct=5, probed=None, alone=None).verdict == "do not transfer"
    worse = labelled(direct=40, probed=None, alone=20, chance=0.5)
    assert worse.verdict == "do not transfer" and "no better" in worse.reason


def test_a_teacher_that_learnt_nothing_is_told_first():
    found = labelled(direct=92, probed=90, alone=20, source=12)
    assert (found.verdict, found.sure) == ("do not transfer", True)
    assert "right on 12% of 100 held-out samples of its own source" in found.reason
    unlabelled = judge(AtHome(right(12), 0.1), Unlabelled(0.1, 0.9, 100, 0.1))
    assert (unlabelled.verdict, unlabelled.sure) == ("do not transfer", False)


@pytest.mark.parametrize(
    ("separation", "returned", "verdict"),
    [
        (0.2, 0.9, "transfer"),
        (1.2, 0.9, "transfer with adaptation"),
        (1.95, 0.9, "transfer with adaptation"),
        (1.2, 0.1, "transfer with adaptation"),
        (1.95, 0.1, "do not transfer"),
    ],
)
def test_without_labels_the_verdict_is_by_the_gap_and_never_sure(separation: float, returned: float, verdict: str):
    found = judge(AtHome(right(95), 0.1), Unlabelled(separation, returned, 200, 0.1))
    assert (found.verdict, found.sure) == (verdict, False)
    assert found.reason.startswith("Without target labels this is a weak verdict")


@pytest.mark.parametrize(("count", "n"), [(0, 8), (3, 8), (8, 8), (130, 200)])
def test_wilson_is_scipys(count: int, n: int):
    expected = binomtest(count, n).proportion_ci(method="wilson")
    assert wilson(right(count, n)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_chance_is_left_behind_at_three_standard_errors():
    assert not above_chance(0.1 + 2.9 * 0.03, 100, 0.1)
    assert above_chance(0.1 + 3.1 * 0.03, 100, 0.1)
    random = np.random.default_rng(0)
    lucky = sum(above_chance(random.binomial(200, 0.1) / 200, 200, 0.1) for _ in range(2000))
    assert lucky < 15  # 2000 / 740 are expected, some more for so small a share


def test_cross_validation_learns_what_there_is_and_no_more():
    y = torch.arange(4).repeat(10)
    assert cross_validated(torch.eye(4)[y] * 3, y).mean() == 1
    noise = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(2).repeat(100)
    assert abs(cross_validated(noise, labels).mean() - 0.5) < 0.12  # would be far above, were training rows judged


def test_a_sample_is_not_judged_by_what_learnt_from_it():
    """One sample of each pair has the other's label: a classifier that has seen it would be right."""
    y = torch.tensor([0, 1] * 10)
    points = torch.eye(20)
    assert not cross_validated(points, y).all()


def test_two_of_a_class_are_needed():
    assert cross_validated(torch.eye(3), torch.tensor([0, 0, 1])) is None
    assert cross_validated(torch.eye(3), torch.zeros(3, dtype=torch.long)) is None
    with pytest.raises(UsageError, match="not finite"):
        cross_validated(torch.full((4, 2), torch.nan), torch.tensor([0, 1, 0, 1]))


def test_domains_that_are_alike_and_apart():
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    assert abs(domain_separation(x[:100], x[100:])) < 0.4
    assert domain_separation(x, x + 20) == 2


@pytest.mark.parametrize(("auc", "learnt"), [(None, False), (0.55, False), (0.75, True)])
def test_a_teacher_that_names_the_frequent_class_may_have_learnt_to_order(auc: float | None, learnt: bool):
    """88 % right where one class has 85 %: as little as chance allows, but its scores tell the rare ones apart."""
    home = AtHome(right(176, 200), 0.85, auc, [170, 30])
    assert home.learnt is learnt
    target = Labelled(right(29, 40), None, right(20, 40), 0.5)
    assert (judge(home, target).verdict == "do not transfer") is not learnt
    if not learnt:
        assert "that it has learnt something that could be transferred is not shown" in judge(home, target).reason


def test_the_error_of_an_auc_by_chance_is_that_of_random_scores():
    random, labels = np.random.default_rng(0), np.repeat([0, 1], [150, 30])
    drawn = [roc_auc_score(labels, random.normal(size=180)) for _ in range(1500)]
    assert auc_error([150, 30]) == pytest.approx(np.std(drawn), rel=0.06)
    assert auc_error([40]) == auc_error([]) == float("inf")
