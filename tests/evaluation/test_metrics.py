import json
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional.classification import multiclass_calibration_error

from limbeck.core import RunError, Task, UsageError
from limbeck.evaluation import classification_metrics, headline, regression_metrics, reliability

NAMES = ("a", "b", "c", "d")


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _case(n=400, classes=4, seed=0, sharpness=2.0):
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=random)
    logits = torch.randn(n, classes, generator=random) * sharpness + torch.nn.functional.one_hot(labels, classes)
    return logits, labels


def test_metrics_agree_with_scikit_learn_and_torchmetrics():
    logits, labels = _case()
    found = classification_metrics(logits, labels, NAMES)
    probabilities, predicted = logits.double().softmax(1), logits.argmax(1)
    expected = {
        "accuracy": reference.accuracy_score(labels, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
        "macro_recall": reference.recall_score(labels, predicted, average="macro"),
        "macro_f1": reference.f1_score(labels, predicted, average="macro"),
        "nll": reference.log_loss(labels, probabilities),
        "auc": reference.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "ece": multiclass_calibration_error(probabilities, labels, 4, n_bins=15, norm="l1").item(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert found["confusion"] == reference.confusion_matrix(labels, predicted).tolist()
    assert [row["precision"] for row in found["per_class"]] == pytest.approx(
        reference.precision_score(labels, predicted, average=None)
    )
    assert [row["support"] for row in found["per_class"]] == labels.bincount().tolist()
    assert sum(map(sum, found["confusion"])) == len(labels)


def test_binary_auc_is_of_the_second_class_and_counts_ties_half():
    labels = torch.tensor([0, 0, 1, 1, 1, 0, 1])
    logits = torch.stack([torch.zeros(7), torch.tensor([0.0, 1.0, 1.0, 2.0, -1.0, 0.5, 0.5])], dim=1)
    found = classification_metrics(logits, labels, ("no", "yes"))
    assert found["auc"] == pytest.approx(reference.roc_auc_score(labels, logits[:, 1]))
    flipped = classification_metrics(-logits, labels, ("no", "yes"))
    assert flipped["auc"] == pytest.approx(1 - found["auc"])


def test_a_class_without_samples_takes_no_part():
    logits, labels = _case()
    kept = labels != 2
    logits, labels = logits[kept], labels[kept]
    found = classification_metrics(logits, labels, NAMES)
    recall = reference.recall_score(labels, logits.argmax(1), labels=[0, 1, 3], average=None)
    assert found["balanced_accuracy"] == pytest.approx(recall.mean())
    assert found["macro_f1"] == pytest.approx(
        reference.f1_score(labels, logits.argmax(1), labels=[0, 1, 3], average="macro")
    )
    assert found["per_class"][2] == {"class": "c", "recall": None, "precision": None, "f1": None, "support": 0}
    probabilities = logits.softmax(1)
    one_vs_rest = [reference.roc_auc_score(labels == c, probabilities[:, c]) for c in (0, 1, 3)]
    assert found["auc"] == pytest.approx(np.mean(one_vs_rest), abs=1e-6)


def test_one_sample_is_json_without_nan():
    found = classification_metrics(torch.tensor([[0.0, 3.0]]), torch.tensor([1]), ("no", "yes"))
    assert found["accuracy"] == found["balanced_accuracy"] == found["macro_f1"] == 1.0
    assert found["auc"] is None
    json.dumps(found, allow_nan=False)


def test_a_class_never_predicted_has_precision_zero():
    found = classification_metrics(torch.tensor([[3.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1]), ("no", "yes"))
    assert found["per_class"][1] == {"class": "yes", "recall": 0.0, "precision": 0.0, "f1": 0.0, "support": 1}


def test_impossible_labels_have_a_null_nll():
    log_probabilities = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).log()
    assert classification_metrics(log_probabilities, torch.tensor([0, 0]), ("no", "yes"))["nll"] is None


def test_reliability_adds_up_to_the_accuracy():
    logits, labels = _case()
    bins = reliability(logits, labels)
    assert [row["low"] for row in bins] == [b / 10 for b in range(10)]
    assert sum(row["share"] for row in bins) == pytest.approx(1)
    filled = [row for row in bins if row["share"]]
    assert sum(row["share"] * row["accuracy"] for row in filled) == pytest.approx(
        (logits.argmax(1) == labels).double().mean().item()
    )
    assert all(row["low"] < row["confidence"] <= row["high"] for row in filled)
    assert bins[0] == {"low": 0.0, "high": 0.1, "confidence": None, "accuracy": None, "share": 0.0}


def test_ece_of_certain_predictions_is_the_error_rate():
    logits, labels = torch.eye(2).repeat(5, 1) * 1000, torch.tensor([0, 1] * 4 + [1, 1])
    found = classification_metrics(logits, labels, ("no", "yes"))
    assert found["ece"] == pytest.approx(0.1)
    assert found["reliability"][-1]["share"] == 1.0


def test_regression_agrees_with_scikit_learn():
    values = torch.randn(50, generator=torch.Generator().manual_seed(0))
    guesses = values + torch.randn(50, generator=torch.Generator().manual_seed(1))
    found = regression_metrics(guesses, values)
    ranks = [x.argsort().argsort().double() for x in (guesses, values)]
    assert found == pytest.approx(
        {
            "mae": (guesses - values).abs().mean().item(),
            "rmse": reference.mean_squared_error(values, guesses) ** 0.5,
            "r2": reference.r2_score(values, guesses),
            "spearman": torch.corrcoef(torch.stack(ranks))[0, 1].item(),
        },
        abs=1e-6,
    )


def test_regression_of_values_that_do_not_differ_has_null_r2():
    assert regression_metrics(torch.tensor([1.0]), torch.tensor([3.0])) == {
        "mae": 2.0,
        "rmse": 2.0,
        "r2": None,
        "spearman": None,
    }
    constant = regression_metrics(torch.ones(3), torch.tensor([0.0, 1.0, 2.0]))
    assert constant["spearman"] is None and constant["r2"] == pytest.approx(0.0)


@pytest.mark.parametrize(("ones", "metric"), [(5, "accuracy"), (6, "accuracy"), (7, "balanced_accuracy")])
def test_an_imbalanced_test_split_is_led_by_balanced_accuracy(ones, metric):
    labels = torch.tensor([1] * ones + [0] * (9 - ones))
    assert headline(Task("classification", ("no", "yes")), labels) == (metric, True)


def test_bad_input_is_refused():
    logits, labels = _case(8)
    with pytest.raises(UsageError, match="at least one"):
        classification_metrics(logits[:0], labels[:0], NAMES)
    with pytest.raises(UsageError, match="3 classes do not fit"):
        classification_metrics(logits, labels, NAMES[:3])
    with pytest.raises(UsageError, match="labels from -1"):
        classification_metrics(logits, labels - 1 - labels.min(), NAMES)
    with pytest.raises(RunError, match="diverged"):
        classification_metrics(logits * torch.nan, labels, NAMES)
    with pytest.raises(RunError, match="diverged"):
        regression_metrics(torch.tensor([torch.nan]), torch.tensor([1.0]))


@pytest.mark.parametrize("columns", [[0, 1], [1, 0]])
def test_samples_that_are_surer_than_rounding_shows_are_told_apart(columns: list[int]) -> None:
    logits = torch.tensor([[0.0, 40.0], [0.0, 50.0], [0.0, 45.0], [0.0, 60.0]])[:, columns]
    labels = torch.tensor([0, 1, 0, 1])
    labels = labels if columns == [0, 1] else 1 - labels
    assert classification_metrics(logits, labels, ["a", "b"])["auc"] == 1.0


def test_sure_answers_of_many_classes_are_ordered_by_their_log_odds() -> None:
    draw = np.random.default_rng(0)
    logits, labels = torch.from_numpy(60 * draw.normal(size=(200, 4))), torch.from_numpy(draw.integers(0, 4, 200))
    exact = np.array([[float(z[c] - np.logaddexp.reduce(np.delete(z, c))) for c in range(4)] for z in logits.numpy()])
    expected = np.mean([reference.roc_auc_score(labels.numpy() == c, exact[:, c]) for c in range(4)])
    assert classification_metrics(logits, labels, list("abcd"))["auc"] == pytest.approx(expected, abs=1e-12)
