import math

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from limbeck.core import Task, UsageError
from limbeck.evaluation import regret

TASK = Task("classification", ("a", "b"))
LABELS = torch.tensor([0, 0, 0, 1])


def _history():
    """Three checkpoints that are right 2, 4 and 3 times of 4."""
    predictions = torch.tensor([[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    return torch.nn.functional.one_hot(predictions, 2).float()


def test_regret_is_zero_where_the_validator_is_the_oracle():
    accuracies = (_history().argmax(-1) == LABELS).float().mean(1)
    assert regret(accuracies.tolist(), _history(), LABELS, TASK) == (1, 1, 0.0)


@pytest.mark.parametrize(("scores", "chosen", "lost"), [([9.0, 1.0, 2.0], 0, 0.5), ([0.0, 1.0, 2.0], 2, 0.25)])
def test_regret_is_what_the_choice_lost(scores, chosen, lost):
    assert regret(scores, _history(), LABELS, TASK) == (1, chosen, lost)


def test_regret_in_balanced_accuracy():
    values = [balanced_accuracy_score(LABELS, logits.argmax(-1)) for logits in _history()]
    found = regret([1.0, 0.0, 0.0], _history(), LABELS, TASK, "balanced_accuracy")
    assert found == (1, 0, pytest.approx(values[1] - values[0]))


def test_regret_of_a_regression_is_in_the_unit_of_the_values():
    task = Task("regression", offset=10.0, scale=2.0)
    outputs = torch.tensor([[[1.0], [1.0]], [[0.5], [0.5]]])
    assert regret([1.0, 0.0], outputs, torch.tensor([10.0, 10.0]), task) == (1, 0, pytest.approx(1.0))


def test_the_chosen_of_equal_checkpoints_is_the_oracle():
    logits = _history()[[1, 0, 1]]
    assert regret([0.0, 0.0, 1.0], logits, LABELS, TASK) == (2, 2, 0.0)


def test_the_first_of_equal_scores_is_chosen_and_never_a_nan():
    assert regret([math.nan, 1.0, 1.0], _history(), LABELS, TASK).chosen == 1


def test_a_checkpoint_that_was_kept_against_the_scores_is_the_chosen_one():
    assert regret([1.0, 0.0, 0.5], _history(), LABELS, TASK, kept=1).chosen == 1
    assert [regret([1.0, 0.0, 0.5], _history(), LABELS, TASK, kept=kept).regret for kept in range(3)] == [
        0.5,
        0.0,
        0.25,
    ]


def test_scores_must_fit_the_checkpoints():
    with pytest.raises(UsageError, match="3 checkpoints"):
        regret([1.0], _history(), LABELS, TASK)
