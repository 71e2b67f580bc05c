"""What an adaptive training tells of itself at each evaluation, from the selection splits and without target labels."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from limbeck.core import DomainView, Task, generator
from limbeck.gap import bandwidth_of, class_shares, feature_gap
from limbeck.gap.alignment import FEWEST
from limbeck.methods import Method
from limbeck.training._checkpoint import Progress
from limbeck.training._predict import Seen

__all__ = ["diagnose", "is_adaptive", "sample_of", "trouble_with"]

SAMPLE = 256
"""So many samples of each domain are compared."""

JUDGED = 20
"""Fewer target samples than these say nothing of shares, and nothing is judged by them."""

NEARLY_ALL, BEYOND = 0.95, 0.35
"""A class has swallowed the others where it has this share of the predictions, so much above what is expected."""

CONSTANT = 1e-3
"""Outputs that differ by less say the same of every sample: odds within 0.1 %, or values within 0.001 deviations."""


def is_adaptive(method: Method) -> bool:
    """Whether it learns from the target, whose labels it may not read."""
    return not {"target", "labelled"}.isdisjoint(method.reads()) and "target_labels" not in method.requires()


def sample_of(view: DomainView, rows: int) -> Bool[Tensor, " rows"]:
    """Which of the first `rows` selection samples are compared: the same ones at every evaluation and in every row."""
    drawn = generator(0, "diagnostics", view.name).permutation(rows)[:SAMPLE]
    chosen = torch.zeros(rows, dtype=torch.bool)
    chosen[torch.from_numpy(drawn)] = True
    return chosen


def diagnose(progress: Progress, method: Method, source: Seen, labels: Tensor, target: Seen) -> dict[str, float]:
    """The numbers of this evaluation, which `progress` keeps with those of the earlier ones.

    gap and probe: the domains' distance in the evaluated student's features (`limbeck.gap.feature_gap`, with the
    bandwidth of the first evaluation). entropy: the mean over the target's predictions, in nats. balance: half the
    sum of |predicted − expected| class shares of the target, in [0, 1]; largest: the largest predicted share. And
    what the method shows by itself, such as the accuracy of its discriminator. Without the source (empty tensors)
    there is no gap; for a regression, no entropy and no shares.
    """
    found: dict[str, float] = {}
    if min(len(source.features), len(target.features)) >= FEWEST:
        if not progress.bandwidth:
            progress.bandwidth = bandwidth_of(source.features, target.features)
        apart = feature_gap(source.features, target.features, progress.bandwidth)
        found |= {"gap": apart.mmd, "probe": apart.probe}
    if method.task.is_classification:
        said = target.logits.softmax(1)
        _expect(progress, source.logits.softmax(1), labels, said)
        shares = _predicted(target.logits)
        found["entropy"] = float(torch.special.entr(said).sum(1).mean())
        found["balance"] = float(np.abs(shares - progress.expected).sum() / 2)
        found["largest"] = float(shares.max())
    found |= {name: float(value) for name, value in method.watched().items()}
    for name, value in found.items():
        progress.diagnostics.setdefault(name, []).append(value)
    return found


def trouble_with(progress: Progress, task: Task, target: Float[Tensor, "n outputs"]) -> str | None:
    """In what way these answers, to the target, have collapsed; None where they have not."""
    if len(target) < JUDGED:
        return None
    if float((target.amax(0) - target.amin(0)).max()) < CONSTANT:
        return "says the same of every target sample"
    if not task.is_classification:
        return None
    shares = _predicted(target)
    top = int(shares.argmax())
    expected = progress.expected[top]
    if shares[top] < NEARLY_ALL or shares[top] - expected < BEYOND:
        return None
    return f"predicts {task.classes[top]!r} for {shares[top]:.0%} of the target, where about {expected:.0%} is expected"


def _expect(
    progress: Progress,
    source: Float[Tensor, "n classes"],
    labels: Int[Tensor, " n"],
    target: Float[Tensor, "m classes"],
) -> None:
    """The expected class shares: estimated at that evaluation, up to now, at which the classes were told apart best.

    Where none of them tells the classes apart, the source's own shares; where there is no source to see, what the
    first evaluation predicted.
    """
    if not len(source):
        progress.expected = progress.expected or target.mean(0).tolist()
        return
    found = class_shares(labels, source, target)
    if found.tells > progress.tells:
        progress.tells = found.tells
        known = labels[labels >= 0]
        own = torch.bincount(known, minlength=source.shape[1]) / len(known)
        progress.expected = own.tolist() if found.weak else found.estimated.tolist()


def _predicted(logits: Float[Tensor, "n classes"]) -> Float[np.ndarray, " classes"]:
    """The shares of the predicted classes."""
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1]).numpy() / len(logits)
