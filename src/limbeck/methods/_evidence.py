from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limbeck.core import Task

__all__ = ["Candidates", "Evidence"]

Candidates = Mapping[str, Mapping[str, Any]]
"""Rows as a recipe writes them, by name; a name begins with its method's."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a transfer before its method is chosen; no label of the target takes part.

    kind: what a sample is, as its preprocessing says: "table", "vectors", "images" or "text". shape: of one sample.
    source, target: training samples of each. labelled: labelled target samples, per class. apart: whether the
    domains differ beyond chance; not where they do in their classes' shares alone (shares_alone). teacher: its name,
    and `provides` what it gives; None and nothing where there is none. copied: whether a student can go on from its
    weights. source_free: no sample of the source may be read.

    >>> digits = Evidence("images", Task("classification", ("0", "1")), (1, 8, 8), 90, 80, 0, True)
    >>> digits.hard, digits.soft
    (['cross_entropy'], [])
    """

    kind: str
    task: Task
    shape: tuple[int, ...]
    source: int
    target: int
    labelled: int
    apart: bool
    teacher: str | None = None
    provides: frozenset[str] = frozenset()
    copied: bool = False
    source_free: bool = False
    shares_alone: bool = False

    @property
    def hard(self) -> list[Any]:
        """The terms that read labels: the source's, and the target's where some samples have them."""
        if self.task.is_classification:
            return ["cross_entropy", *([{"cross_entropy": {}, "on": "labelled"}] if self.labelled else [])]
        values: dict[str, Any] = {"mean_squared_error": {"to": "labels"}}
        return [values, *([{**values, "on": "labelled"}] if self.labelled else [])]

    @property
    def soft(self) -> list[Any]:
        """The term that reads the teacher's answers, none where there are none."""
        if "logits" not in self.provides:
            return []
        return [
            {"kl": {"temperature": 2.0}} if self.task.is_classification else {"mean_squared_error": {"to": "teacher"}}
        ]
