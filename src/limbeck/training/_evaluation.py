"""What happens at an evaluation: scores, diagnostics, and the choice of the checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from limbeck.core import DomainView, RunError, bad_value, some_of
from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.training._checkpoint import Progress
from limbeck.training._collapse import diverged, judge
from limbeck.training._diagnostics import diagnose, is_adaptive, sample_of, trouble_with
from limbeck.training._job import Job
from limbeck.training._predict import Seen, observe, predict, represent

__all__ = ["SELECTION_CAP", "evaluate"]

KNOWN, LEARNT = 0.2, 0.5
"""Where a checkpoint of a training knows so much of the source, others must know this share of that."""

SELECTION_CAP = 2000
"""At most so many samples of each selection split are scored."""


def evaluate(
    job: Job, domains: Mapping[str, DomainView], progress: Progress, epoch: int, last: bool
) -> dict[str, float | str]:
    """Score the selection splits, keep the student if it is the best so far; what the log gets.

    last: no evaluation comes after it.
    """
    method, view = job.method, domains["target"]
    method.before_evaluation(domains)
    target = observe(method.evaluated, view.inputs[view.splits["selection"][_scored(view)]])
    source, labels = Seen(target.logits[:0], target.features[:0]), torch.empty(0, dtype=torch.int64)
    if not method.source_free:
        source, labels = _source(method, domains["source"])
    if not all(values.isfinite().all() for values in (*target, *source)):
        return {"collapse": diverged(job, progress, "answers", math.nan, epoch)}
    scores = _scores(job, domains, (source.logits, labels, target.logits, target.features), epoch)
    values: dict[str, float | str] = {f"validator/{name}": score for name, score in scores.items()}
    trouble = None
    if is_adaptive(method):
        some = Seen(target.logits, target.features[sample_of(view, len(target.logits))])
        found = diagnose(progress, method, source, labels, some)
        trouble = trouble_with(progress, method.task, target.logits)
        values |= {f"diagnostics/{name}": value for name, value in found.items()}
    progress.epochs.append(epoch)
    progress.logits.append(target.logits)
    for name, score in scores.items():
        progress.scores.setdefault(name, []).append(score)
    progress.sound.append(trouble is None)
    progress.learnt.append(_learnt(method, source.logits, labels))
    _choose(job, progress)
    collapse = judge(job, progress, trouble, epoch, last or progress.stopped)
    return values if collapse is None else {**values, "collapse": collapse}


def _source(method: Method, view: DomainView) -> tuple[Seen, Tensor]:
    """The source's selection split with its labels; of the features those that are compared."""
    some = _scored(view)
    rows = view.splits["selection"][some]
    shown = sample_of(view, len(rows)) if is_adaptive(method) else torch.zeros(len(rows), dtype=torch.bool)
    return observe(method.on_source, view.inputs[rows], shown), view.labels("selection")[some]


def _scored(view: DomainView) -> Tensor:
    """The places of the selection samples that are scored."""
    return torch.from_numpy(some_of(len(view.splits["selection"]), SELECTION_CAP))


def _scores(job: Job, domains: Mapping[str, DomainView], seen: tuple[Tensor, ...], epoch: int) -> dict[str, float]:
    found = job.validate(*seen, **_more(job, domains))
    scores = {name: float(score) for name, score in found.items()}
    if job.validator not in scores:
        raise bad_value("validator", "the recipe", f"one of {sorted(scores)} for this task", job.validator)
    for name, score in scores.items():
        if not math.isfinite(score):
            raise RunError(f"The validator {name} of {job.name} became {score} in epoch {epoch}.")
    return scores


def _more(job: Job, domains: Mapping[str, DomainView]) -> dict[str, Any]:
    """What some validators need besides the answers and the target's features."""
    method, target = job.method, domains["target"]
    student, near = method.evaluated, method.on_source

    def of_source(split: str) -> Tensor | None:
        if method.source_free:
            return None
        rows = domains["source"].splits[split]
        return represent(near, domains["source"].inputs[rows[some_of(len(rows), SELECTION_CAP)]]).flatten(1)

    known: dict[str, Callable[[], Any]] = {
        "source_features": lambda: of_source("selection"),
        "source_train_features": lambda: of_source("train"),
        "head_weight": lambda: getattr(student.network.get_submodule(student.head), "weight", None),
        "target_inputs": lambda: target.inputs[target.splits["selection"][_scored(target)]],
        "predict": lambda: partial(predict, student),
    }
    return {name: known[name]() for name in sorted(job.needs & known.keys())}


def _learnt(method: Method, logits: Tensor, labels: Tensor) -> float:
    """The mean recall of the source's classes, from 0 at chance to 1; 0 where it does not learn from them."""
    if not method.task.is_classification or "source" not in method.reads() or not len(labels):
        return 0.0
    said, classes = logits.argmax(1), labels.unique()
    recall = torch.stack([(said[labels == c] == c).double().mean() for c in classes]).mean().item()
    return (recall * len(classes) - 1) / (len(classes) - 1) if len(classes) > 1 else 0.0


def _choose(job: Job, progress: Progress) -> None:
    """Keep the student where it is better than all before.

    Where it may fall back, whatever is sound is better. And whatever knows half as much of the source as the one that
    knows most is better than what does not: of answers that were hardly learnt no score is to be believed, since a
    new network's may be balanced, and lie in clusters.
    """
    history, falls_back = progress.scores[job.validator], job.settings.on_collapse == "fall_back"
    most = max(progress.learnt)
    least = LEARNT * most if most >= KNOWN else -math.inf
    ranks = [
        (sound or not falls_back, learnt >= least, score)
        for sound, learnt, score in zip(progress.sound, progress.learnt, history, strict=True)
    ]
    if progress.chosen < 0 or ranks[-1] > ranks[progress.chosen]:
        progress.chosen = len(history) - 1
        progress.best = _weights_of(job.method.evaluated)
        if job.method.on_source is not job.method.evaluated:
            progress.source_side = _weights_of(job.method.on_source)
    patience = job.settings.patience
    waited = len(history) - 1 - progress.chosen
    progress.stopped = (patience is not None and waited >= patience) or job.hopeless(progress.epochs, progress.scores)


def _weights_of(student: Observed) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in student.network.state_dict().items()}
