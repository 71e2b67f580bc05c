"""Hints: the student's layer, seen through a regressor, shall be the teacher's."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import full_precision, layer_width

__all__ = ["Fitnet"]


class Fitnet(Objective):
    """Half the squared distance between the teacher's layer and a linear map of the student's, averaged over the batch.

    Paper: Romero et al. 2015, eq. 3. The regressor trains with the student, and is no part of it.
    Needs: the teacher's layer, of any width: encoded layers are only narrower ones.
    Range: ≥ 0, in the squared unit of the teacher's layer; it grows with that layer's width.
    """

    needs: frozenset[str] = frozenset({"features"})
    samples: Samples = "target"
    regressor: nn.Linear

    def __init__(self, layer: str = FEATURES, teacher_layer: str = FEATURES):
        super().__init__()
        self.layer = layer
        self.teacher_layer = teacher_layer

    def build(self, student: Spec, knowledge: Spec) -> None:
        self.regressor = nn.Linear(layer_width(student, self.layer), layer_width(knowledge, self.teacher_layer))

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def knowledge_layers(self) -> frozenset[str]:
        return frozenset({self.teacher_layer})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        student = outputs.feature(self.layer).float()
        with full_precision(student):
            return fitnet(self.regressor(student), knowledge.feature(self.teacher_layer))


def fitnet(regressed: Float[Tensor, "n d"], teacher: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """`½ · mean over the batch of ‖teacher − regressed‖²`.

    >>> import torch
    >>> fitnet(torch.zeros(2, 3), torch.ones(2, 3)).item()
    1.5
    """
    return (regressed - teacher.detach().to(regressed.dtype)).square().sum(1).mean() / 2
