"""Black-box adaptation: a student of the target from the top answers of a model that nobody sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.augmentations.mixup import beta, mixed
from limbeck.core import Batch, DomainView, Knowledge, Outputs, Spec, Task, UsageError, bad_value
from limbeck.methods import Candidates, Evidence, Stream, Update
from limbeck.methods._composed import Composed, on_target_alone
from limbeck.methods._statistics import still_statistics
from limbeck.methods._target_pass import keep_table, said_of, training_rows
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term
from limbeck.objectives.information_max import InformationMax
from limbeck.objectives.kl import Kl

__all__ = ["Dine"]

TINY = 1e-12
"""Below this a probability has no logarithm in float32 that is worth learning."""


class Dine(Composed):
    """Distil an unknown model's answers on the target, then go on without it.

    Paper: Liang et al. 2022 (DINE), section 3: `KL(P ‖ p) + mixing · L_mix − MI`, and in the last share of the run
    −MI alone. P are the smoothed answers of the black box, which the student's own answers of each epoch replace
    little by little; L_mix wants the answer to a mixture of samples to be the mixture of the answers; MI is the
    mutual information of sample and answer. Deviation: a share of the mixture for each sample, not for each batch.
    No source sample is seen, nor in the choice of the checkpoint.

    top: r, so many of the black box's probabilities cross, with their classes; nothing else is stored or used.
    momentum: γ, how much of P stays in each epoch. mixing: weight of L_mix. alpha: of the Beta distribution of the
    mixture's shares. finetune: the last share of the run, in [0, 1). objectives: further terms, on the target and
    without a teacher. A fresh student needs some hundred steps until its own answers are worth keeping: where an
    epoch has few steps, raise momentum.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    needs: ClassVar[frozenset[str]] = frozenset({"teacher"})
    source_free: ClassVar[bool] = True
    memory: Tensor
    share: Tensor

    def __init__(
        self,
        top: Annotated[int, Gt(0)] = 1,
        momentum: Annotated[float, Ge(0), Lt(1)] = 0.6,
        mixing: Annotated[float, Ge(0)] = 1.0,
        alpha: Annotated[float, Gt(0)] = 0.3,
        finetune: Annotated[float, Ge(0), Lt(1)] = 0.25,
        objectives: Sequence[Term | Objective] = (),
    ):
        super().__init__(objectives)
        on_target_alone(self, black_box=True)
        self.top = top
        self.momentum = momentum
        self.mixing = mixing
        self.alpha = alpha
        self.finetune = finetune
        self.tuning = False
        self.kl = Kl(temperature=1.0)
        self.information = InformationMax()

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """Where no sample of the source may be read, and a teacher answers: it fills the recipe's own student."""
        if not (evidence.source_free and evidence.soft and evidence.task.is_classification):
            return {}
        return {"dine": {"dine": {}, "teacher": evidence.teacher}}

    def knowledge_streams(self) -> frozenset[str]:
        return frozenset({"target"})

    def knowledge_top(self) -> int:
        return self.top

    def crossing(self, knowledge: Spec) -> dict[str, int]:
        return {"top probabilities": self.top, "their classes": self.top}

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("dine learns probabilities of classes, and the task is regression.")
        self.kl.build(spec, knowledge)
        if self.top > knowledge.outputs:
            raise bad_value("top", "dine", f"at most {knowledge.outputs}, the classes of the teacher", self.top)
        self.register_buffer("share", torch.ones(()))
        keep_table(self, "memory", torch.empty(0, task.outputs))

    def at(self, progress: float) -> None:
        super().at(progress)
        self.tuning = progress >= 1 - self.finetune

    def start_epoch(self, epoch: int, target: DomainView) -> None:
        """Move the memory: after n epochs it is `γⁿ b + Σ_e (1 − γ) γⁿ⁻ᵉ p_e` with b of the black box.

        b is read again at every step, so only γⁿ, the share, and the sum are kept.
        """
        super().start_epoch(epoch, target)
        if epoch == 0:
            return
        rows = training_rows(target)
        said = said_of(self.student, target, rows, layers=()).logits.softmax(1)
        if not len(self.memory):
            self.memory = said.new_zeros(len(target.inputs), said.shape[1])
        rows = rows.to(said.device)
        self.memory[rows] = self.memory[rows].lerp(said, 1 - self.momentum)
        self.share *= self.momentum

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        outputs, losses = self.said(batches, {})
        batch, said = batches["target"], outputs["target"]
        losses["information"] = self.information(said, Knowledge(), batch)
        if not self.tuning:
            wanted = self.wanted(knowledge["target"], batch)
            losses["black_box"] = self.kl(said, Knowledge(wanted.clamp_min(TINY).log()), batch)
            if self.mixing:
                losses["mixed"] = self.mixing * self._mixed(batch, said)
        return [Update(losses)]

    def wanted(self, said: Knowledge, batch: Batch) -> Float[Tensor, "n classes"]:
        """P of these samples: the black box's smoothed answers, and the memory of the student's own."""
        smoothed = smooth_top(said.scores().float().softmax(1), self.top)
        return self.share * smoothed + self.memory[batch.index] if len(self.memory) else smoothed

    def _mixed(self, batch: Batch, said: Outputs) -> Float[Tensor, ""]:
        """Cross-entropy to the mixture of the answers; batches come shuffled, so a sample's partner is any other."""
        share = beta(torch.rand(len(batch), device=batch.inputs.device), self.alpha)
        with still_statistics(self.student):
            found = self.student(mixed(batch.inputs, share)).logits
        return nn.functional.cross_entropy(found.float(), mixed(said.logits.detach().float().softmax(1), share))


def smooth_top(probabilities: Float[Tensor, "n classes"], top: int) -> Float[Tensor, "n classes"]:
    """Adaptive label smoothing: the `top` largest probabilities, the others share what is left evenly.

    >>> smooth_top(torch.tensor([[0.5, 0.3, 0.2]]), 1)
    tensor([[0.5000, 0.2500, 0.2500]])
    """
    values, places = probabilities.topk(top, dim=1)
    others = max(probabilities.shape[1] - top, 1)
    rest = ((1 - values.sum(1, keepdim=True)) / others).clamp_min(0)
    return rest.expand_as(probabilities).scatter(1, places, values)
