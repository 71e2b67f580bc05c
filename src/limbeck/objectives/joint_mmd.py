"""Alignment of the joint distribution of several layers and the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Annotated

import torch
from annotated_types import MinLen
from jaxtyping import Float
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs
from limbeck.distances.mmd import MULTIPLIERS, gaussian_kernel, u_statistic
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import full_precision, two_domains

__all__ = ["JointMmd"]


class JointMmd(Objective):
    """MMD² under the product of a kernel for each of `inner` layers and one for the class probabilities.

    Paper: Long et al. 2017 (JAN), eq. 8–9, by the unbiased U-statistic of Gretton et al. 2012, eq. 3, so that the
    two batches may differ in size. Each kernel is the mean of Gaussians of `mmd`, around its own median distance.
    Needs: source and target samples in every step, at least two of each, classes; no labels, no teacher.
    Range: [−1/n − 1/m, 2]; 0 in expectation where both domains give equal joint distributions.
    """

    needs: frozenset[str] = frozenset({"classes"})
    samples: Samples = "both"

    def __init__(self, inner: Annotated[Sequence[str], MinLen(1)] = (FEATURES,)):
        super().__init__()
        self.inner = tuple(inner)

    def layers(self) -> frozenset[str]:
        return frozenset(self.inner)

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        pooled = [torch.cat(two_domains("joint_mmd", outputs, layer, least=2)) for layer in self.inner]
        p = outputs.logits.to(pooled[0].dtype).softmax(1)
        return joint_mmd([*pooled, p], outputs.sources)


def joint_mmd(
    layers: Sequence[Float[Tensor, "rows _"]], sources: int, bandwidths: Sequence[float] = MULTIPLIERS
) -> Float[Tensor, ""]:
    """The unbiased MMD² of the first `sources` rows and the others, under the product of the layers' kernels.

    >>> x = torch.tensor([[0.0], [0.0], [0.0], [9.0], [9.0]])
    >>> bool(joint_mmd([x, x], sources=3) > 1)
    True
    """
    with full_precision(layers[0]):
        kernel = reduce(torch.mul, [gaussian_kernel(layer, bandwidths) for layer in layers])
        first = (torch.arange(len(kernel), device=kernel.device) < sources).to(kernel.dtype)[None]
        return u_statistic(kernel, first, 1 - first)[0]
