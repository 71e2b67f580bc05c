from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task
from limbeck.methods._evidence import Candidates, Evidence
from limbeck.networks import Observed
from limbeck.objectives import Objective

__all__ = ["Method", "Stream", "Update"]

Stream = Literal["source", "labelled", "target"]


class Update(NamedTuple):
    """One optimiser step: the parts of its loss by name, already weighted, and the group that it moves."""

    losses: Mapping[str, Tensor]
    group: str = "student"


class Method(nn.Module, ABC):
    """The base of the room: how a student learns, one training step each.

    streams: the samples a step reads: "source" (labelled), "labelled" (the k labelled target
    samples), "target" (all target training samples, unlabelled). needs: what must be there beyond
    that: "teacher", "start" (the weights of another row, or of the teacher), "domains" (several source
    domains, told apart) and "target_labels" (opens the labels of the target's training split, which the results
    say). source_free: it may
    see no sample of the source, neither in a step nor in the choice of the checkpoint. closed_form: it
    has no gradient steps, and therefore no updates; `fit` is called once in place of the loop.

    All that a method keeps between steps is in `state_dict()`, so that a run resumes.
    """

    streams: ClassVar[tuple[Stream, ...]] = ()
    needs: ClassVar[frozenset[str]] = frozenset()
    source_free: ClassVar[bool] = False
    closed_form: ClassVar[bool] = False
    student: Observed

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        """Take the student, and make what depends on sizes; extend this, do not replace it.

        spec and knowledge: the widths and layers of the student and of the teacher's knowledge
        (empty where the method reads none).
        """
        self.student = student
        self.task = task

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """The rows by which this method may take part where a recipe leaves the choice open; none where it does not."""
        return {}

    @abstractmethod
    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> Iterable[Update]:
        """The losses of one step, by stream name; one entry for nearly all methods.

        A method with several yields them: each is computed after the optimiser step of the one before.
        """

    def forward(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> Iterable[Update]:
        """`updates`; the loop calls the module, so that precision and distributed wrappers see it."""
        return self.updates(batches, knowledge)

    def reads(self) -> tuple[Stream, ...]:
        """The streams of this instance, where its settings narrow the class's."""
        return self.streams

    def requires(self) -> frozenset[str]:
        """The needs of this instance, where its settings widen the class's."""
        return self.needs

    def student_layers(self) -> frozenset[str]:
        """Inner layers of the student to observe, beyond the representation."""
        return frozenset()

    def knowledge_layers(self) -> frozenset[str]:
        """Inner layers of the teacher to store, for `reads` with knowledge."""
        return frozenset()

    def knowledge_streams(self) -> frozenset[str]:
        """The domains ("source", "target") whose knowledge a step reads."""
        return frozenset()

    def knowledge_top(self) -> int | None:
        """How many of the teacher's largest probabilities may be stored, and nothing else; None for no limit."""
        return None

    def crossing(self, knowledge: Spec) -> dict[str, int]:
        """What is used of the teacher's answer to one sample: how many numbers, by what they are."""
        if not self.knowledge_streams():
            return {}
        layers = {layer: math.prod(knowledge.layers[layer]) for layer in sorted(self.knowledge_layers())}
        return {"logits": knowledge.outputs} | layers

    def parameter_groups(self) -> dict[str, list[dict[str, Any]]]:
        """What trains, by group: lists of {"params": …, "scale": factor of the learning rate}."""
        return {"student": [{"params": [p for p in self.parameters() if p.requires_grad], "scale": 1.0}]}

    def at(self, progress: float) -> None:
        """Called before each step with the share of training done, in [0, 1)."""

    def start_epoch(self, epoch: int, target: DomainView) -> None:
        """Called before each epoch."""

    def after_update(self) -> None:
        """Called after each optimiser step."""

    def before_evaluation(self, domains: Mapping[str, DomainView]) -> None:
        """Called before each evaluation, with what training may see: what `evaluated` needs is brought up to date."""

    def watched(self) -> dict[str, Tensor]:
        """Scalars that are worth a look at each evaluation, by name: those that its objectives show."""
        return {
            name: value
            for part in self.modules()
            if isinstance(part, Objective)
            for name, value in part.watched().items()
        }

    def fit(self, source: DomainView, target: DomainView) -> None:
        """Where `closed_form`: find everything at once, and write it into what `build` made for `evaluated`."""

    @property
    def evaluated(self) -> Observed:
        """The student that is evaluated, selected and exported."""
        return self.student

    @property
    def on_source(self) -> Observed:
        """The same as the source's samples are shown to it: another where `evaluated` has the target's way in."""
        return self.evaluated
