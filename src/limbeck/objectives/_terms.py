from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from limbeck.core import Batch, Inline, Knowledge, Outputs, Spec, bad_value
from limbeck.objectives._objective import Objective, Samples
from limbeck.objectives._schedule import Schedule, value_at

__all__ = ["Term", "Terms"]


class Term(nn.Module):
    """An objective with its weight and the samples that it reads.

    weight: a number, a `Schedule`, or "auto": the term is divided by a running mean of its own
    size and multiplied by the first term's, so that both pull equally hard whatever their units
    (a KL term is often 100 times smaller than a cross-entropy). on: "source", "labelled",
    "target" or "both"; the objective's own choice where it is not given.
    """

    decay = 0.99

    def __init__(
        self,
        objective: Annotated[Objective, Inline()],
        weight: float | Schedule | Literal["auto"] = 1.0,
        on: Samples | None = None,
    ):
        super().__init__()
        self.objective = objective
        self.weight = weight
        self.on: Samples = on or objective.samples
        self.name = type(objective).__module__.rpartition(".")[2]
        self._check_samples()
        self.factor = 1.0 if weight == "auto" else value_at(weight, 0.0)
        self.size: Tensor
        self.register_buffer("size", torch.full((), float("nan")))

    def _check_samples(self) -> None:
        if self.objective.samples == "both" and self.on != "both":
            raise bad_value("on", self.name, "both: it compares source and target samples", self.on)
        if "domains" in self.objective.needs and self.on != "source":
            raise bad_value("on", self.name, "source: it compares several sources", self.on)
        # A joined batch carries the source's labels alone, which an objective made for both domains may read.
        readable = ("source", "labelled") if self.objective.samples != "both" else ("both",)
        if "labels" in self.objective.needs and self.on not in readable:
            raise bad_value("on", self.name, "source or labelled, which have labels", self.on)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams whose batches it needs."""
        return ("source", "target") if self.on == "both" else (self.on,)

    @property
    def reads_knowledge(self) -> bool:
        return bool({"logits", "features"} & self.objective.needs)

    def at(self, progress: float) -> None:
        """Set the schedules to this share of training."""
        self.factor = 1.0 if self.weight == "auto" else value_at(self.weight, progress)
        self.objective.at(progress)

    def track(self, loss: Tensor) -> Tensor:
        """The running mean of the term's size, moved by this step's `loss`."""
        size = loss.detach().abs().float()
        self.size.copy_(torch.where(self.size.isnan(), size, self.decay * self.size + (1 - self.decay) * size))
        return self.size


class Terms(nn.Module):
    """A weighted sum of objectives, each over its own samples."""

    def __init__(self, terms: Sequence[Term | Objective]):
        super().__init__()
        wrapped = [term if isinstance(term, Term) else Term(term) for term in terms]
        self.items = nn.ModuleList(wrapped)
        self.terms = wrapped
        self.names = _distinct([term.name for term in wrapped])
        self.balanced = any(term.weight == "auto" for term in wrapped)

    def build(self, student: Spec, knowledge: Spec) -> None:
        """Let each objective make what depends on sizes."""
        for term in self.terms:
            term.objective.build(student, knowledge)

    def at(self, progress: float) -> None:
        """Set all schedules to this share of training."""
        for term in self.terms:
            term.at(progress)

    def forward(
        self,
        outputs: Mapping[str, Outputs],
        knowledge: Mapping[str, Knowledge],
        batches: Mapping[str, Batch],
    ) -> dict[str, Tensor]:
        """The weighted terms by name; their sum is the loss.

        outputs and batches hold every stream that a term reads; knowledge holds "source" and
        "target" where there is any.
        """
        losses: dict[str, Tensor] = {}
        reference: Tensor | None = None
        for name, term in zip(self.names, self.terms, strict=True):
            loss = term.objective(*_narrow(term, outputs, knowledge, batches))
            size = term.track(loss) if self.balanced else None
            reference = size if reference is None else reference
            if term.weight == "auto" and size is not None and reference is not None:
                loss = loss * (reference / size.clamp_min(1e-8))
            losses[name] = loss if term.factor == 1.0 else loss * term.factor
        return losses


def _narrow(
    term: Term, outputs: Mapping[str, Outputs], knowledge: Mapping[str, Knowledge], batches: Mapping[str, Batch]
) -> tuple[Outputs, Knowledge, Batch]:
    if term.on != "both":
        return outputs[term.on], knowledge.get(term.on, Knowledge()), batches[term.on]
    both = Knowledge.join(knowledge["source"], knowledge["target"]) if term.reads_knowledge else Knowledge()
    return (
        Outputs.join(outputs["source"], outputs["target"]),
        both,
        Batch.join(batches["source"], batches["target"]),
    )


def _distinct(names: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    result = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        result.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return result
