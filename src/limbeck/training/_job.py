from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limbeck.augmentations import Views
from limbeck.core import DomainView
from limbeck.knowledge import Reader
from limbeck.methods import Method
from limbeck.training._settings import Training

__all__ = ["Hopeless", "Job", "never"]

Hopeless = Callable[[Sequence[int], Mapping[str, Sequence[float]]], bool]


def never(epochs: Sequence[int], scores: Mapping[str, Sequence[float]]) -> bool:
    """Every training is worth its time."""
    return False


@dataclass(frozen=True)
class Job:
    """One training: a built method, what it may see and how (by domain), and where its files go.

    validate: (source logits, source labels, target logits, target features) of the selection
    splits → scores by name, higher is better; it gets no target labels, and where the method is
    source-free no row of the source: the first two are empty. needs: what it gets besides, by name, of the fields of
    `limbeck.evaluation.Observations`. validator: the score that chooses the checkpoint. about: what is written into
    the weights file. views: the augmented views that a stream shows, by its name. hopeless: (epochs, scores by name,
    of the evaluations up to now) → whether to go on is not worth it; the training then ends.
    """

    name: str
    folder: Path
    method: Method
    domains: Mapping[str, DomainView]
    stores: Mapping[str, Reader]
    settings: Training
    seed: int
    validate: Callable[..., dict[str, float]]
    validator: str
    about: Mapping[str, Any]
    views: Mapping[str, Views] = field(default_factory=dict)
    hopeless: Hopeless = never
    needs: frozenset[str] = frozenset()
