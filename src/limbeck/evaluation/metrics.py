"""What is measured of predictions: classification and regression, one dictionary each, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import RunError, Task, UsageError, bad_value

__all__ = ["CLASSIFICATION", "REGRESSION", "classification_metrics", "headline", "regression_metrics", "reliability"]

CLASSIFICATION = ("accuracy", "balanced_accuracy", "macro_recall", "macro_f1", "ece", "nll", "auc")
REGRESSION = ("mae", "rmse", "r2", "spearman")
ECE_BINS = 15
RELIABILITY_BINS = 10
IMBALANCED = 2 / 3
"""A test split with a class above this share is led by balanced accuracy: a constant answer would look good."""


def headline(task: Task, labels: Int[Tensor, " n"] | Float[Tensor, " n"] | None) -> tuple[str, bool]:
    """The metric that leads a comparison on these test labels, and whether higher is better.

    >>> headline(Task("classification", ("no", "yes")), torch.tensor([1, 1, 1, 0]))
    ('balanced_accuracy', True)
    >>> headline(Task("regression"), None)
    ('rmse', False)
    """
    if not task.is_classification:
        return "rmse", False
    if labels is None:
        return "accuracy", True
    largest = labels.bincount().max().item() / len(labels)
    return ("balanced_accuracy" if largest > IMBALANCED else "accuracy"), True


def classification_metrics(
    logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"], classes: Sequence[str]
) -> dict[str, Any]:
    """The metrics of `CLASSIFICATION`, and `per_class`, `confusion` and `reliability`.

    logits: any real scores; for probabilities pass their logarithm. Classes without a sample in
    `labels` have null recall, precision and F1 and take no part in the macro averages, so that
    macro recall and balanced accuracy are the same number; a class that is never predicted has
    precision 0. ece: expected calibration error, 15 bins of the highest probability, L1 (Guo et
    al. 2017, eq. 3). nll: mean negative log-likelihood in nats, null where it is infinite. auc: of
    the second of two classes, else the mean of one-vs-rest over the classes where it is defined;
    null where it is nowhere. confusion: rows are true classes, columns predicted ones.

    Raises `UsageError` where there are no samples or the shapes do not fit, `RunError` on NaN.

    >>> metrics = classification_metrics(torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1]), ["a", "b"])
    >>> metrics["accuracy"], metrics["auc"], metrics["confusion"]
    (1.0, 1.0, [[1, 0], [0, 1]])
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    _check(logits, labels)
    if logits.shape[1] != len(classes) or not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        raise UsageError(
            f"The {len(classes)} classes do not fit logits of width {logits.shape[1]} "
            f"and labels from {int(labels.min())} to {int(labels.max())}."
        )
    scores = logits.detach().cpu().double()
    probabilities = scores.softmax(1).numpy()
    true, predicted = labels.cpu().numpy(), scores.argmax(1).numpy()
    order = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(true, predicted, labels=order, zero_division=0.0)
    present = support > 0
    return {
        "accuracy": float((predicted == true).mean()),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_recall": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "ece": _calibration_error(probabilities, true),
        "nll": _finite(torch.nn.functional.cross_entropy(scores, labels.cpu().long()).item()),
        "auc": _auc(_log_odds(scores), true),
        "per_class": [
            {
                "class": name,
                "recall": float(recall[c]) if present[c] else None,
                "precision": float(precision[c]) if present[c] else None,
                "f1": float(f1[c]) if present[c] else None,
                "support": int(support[c]),
            }
            for c, name in enumerate(classes)
        ],
        "confusion": confusion_matrix(true, predicted, labels=order).tolist(),
        "reliability": reliability(logits, labels),
    }


def regression_metrics(predictions: Float[Tensor, " n"], values: Float[Tensor, " n"]) -> dict[str, float | None]:
    """The metrics of `REGRESSION`, in the unit of the values; r2 and spearman are null where undefined.

    r2 needs values that differ, spearman predictions that differ too. Raises `UsageError` where
    there are no samples, `RunError` on NaN.

    >>> regression_metrics(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.0, 2.0, 3.0]))["mae"]
    0.6666666666666666
    """
    from scipy.stats import spearmanr
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    _check(predictions, values)
    guess, truth = predictions.detach().cpu().double().numpy(), values.cpu().double().numpy()
    spread, ordered = np.ptp(truth) > 0, np.ptp(truth) > 0 and np.ptp(guess) > 0
    return {
        "mae": float(mean_absolute_error(truth, guess)),
        "rmse": float(root_mean_squared_error(truth, guess)),
        "r2": float(r2_score(truth, guess)) if spread else None,
        "spearman": float(spearmanr(truth, guess).statistic) if ordered else None,
    }


def reliability(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> list[dict[str, float | None]]:
    """Ten equal bins (low, high] of the highest probability: its mean, the accuracy, the share of samples.

    An empty bin has share 0 and null values.

    >>> reliability(torch.tensor([[8.0, 0.0]]), torch.tensor([0]))[-1]["accuracy"]
    1.0
    """
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    probabilities = logits.detach().cpu().double().softmax(1).numpy()
    confidence, accuracy, share = _bins(probabilities, labels.cpu().numpy(), RELIABILITY_BINS)
    return [
        {
            "low": round(float(edges[b]), 1),
            "high": round(float(edges[b + 1]), 1),
            "confidence": float(confidence[b]) if share[b] else None,
            "accuracy": float(accuracy[b]) if share[b] else None,
            "share": float(share[b]),
        }
        for b in range(RELIABILITY_BINS)
    ]


def _calibration_error(probabilities: np.ndarray, true: np.ndarray) -> float:
    confidence, accuracy, share = _bins(probabilities, true, ECE_BINS)
    return float((share * np.abs(accuracy - confidence)).sum())


def _bins(probabilities: np.ndarray, true: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and share of samples in equal bins of confidence; zeros where a bin is empty."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == true
    bin_of = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence, side="left")
    count = np.bincount(bin_of, minlength=bins)
    filled = np.maximum(count, 1)
    mean_confidence = np.bincount(bin_of, confidence, bins) / filled
    mean_accuracy = np.bincount(bin_of, correct, bins) / filled
    return mean_confidence, mean_accuracy, count / len(true)


def _log_odds(scores: Tensor) -> np.ndarray:
    """`z_c − log Σ_{k ≠ c} exp z_k`, which orders samples as p_c does, those too whose p_c is 1 up to rounding."""
    log_p = scores.log_softmax(1)
    largest = log_p.argmax(1, keepdim=True)
    others = torch.log1p(-log_p.exp().scatter(1, largest, 0.0))
    rest = log_p.scatter(1, largest, -torch.inf).logsumexp(1, keepdim=True)
    return (log_p - others.scatter(1, largest, rest)).numpy()


def _auc(log_odds: np.ndarray, true: np.ndarray) -> float | None:
    """Area under the ROC curve as the Mann–Whitney statistic, for all classes in one sorting."""
    from scipy.stats import rankdata

    binary = log_odds.shape[1] == 2
    scores = log_odds[:, 1:] if binary else log_odds
    positive = true[:, None] == (np.array([1]) if binary else np.arange(scores.shape[1]))
    n_positive = positive.sum(0)
    pairs = n_positive * (len(true) - n_positive)
    wins = (rankdata(scores, axis=0) * positive).sum(0) - n_positive * (n_positive + 1) / 2
    defined = pairs > 0
    return float((wins[defined] / pairs[defined]).mean()) if defined.any() else None


def _check(outputs: Tensor, labels: Tensor) -> None:
    if not len(labels) or len(outputs) != len(labels):
        raise bad_value("labels", "metrics", f"one for each of {len(outputs)} predictions, at least one", len(labels))
    if outputs.isnan().any():
        raise RunError("Predictions are NaN: the training diverged. Lower the learning rate and train this row again.")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
