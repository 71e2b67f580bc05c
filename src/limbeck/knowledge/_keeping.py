"""What is kept of a teacher's answers, and in which numbers: from what it said to arrays on disk, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Le
from jaxtyping import Float, Integer
from torch import Tensor

from limbeck.core import UsageError, bad_value

__all__ = ["DTYPES", "RESERVED", "Keeping", "in_kept_type", "read_logits", "top_count", "top_logits"]

DTYPES = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
}
"""The types that an array of a store may have, by their names in the manifest."""

LOGITS = "logits"
TOP = ("top_values", "top_classes", "top_tail")
RESERVED = frozenset({LOGITS, *TOP, "rows"})
"""Names of arrays and files, which no layer may have."""


@dataclass(frozen=True)
class Keeping:
    """What a store keeps of each answer.

    dtype: the type of logits, layers and codes. mass: keep only the top-k logits, with k the
    smallest whose mean probability mass reaches this share in the first batch, and the
    log-sum-exp of the rest; None keeps all logits. pool: average feature maps [n, c, ...] over
    space. pca: keep each layer as so many principal components (int), or as many as hold this
    share of its variance (float); None keeps it whole.

    >>> Keeping(dtype="fp16", mass=0.99)
    Keeping(dtype='fp16', mass=0.99, pool=False, pca=None)
    """

    dtype: Literal["fp32", "fp16", "bf16"] = "fp32"
    mass: Annotated[float, Gt(0), Le(1)] | None = None
    pool: bool = False
    pca: Annotated[int, Gt(0)] | Annotated[float, Gt(0), Le(1)] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in ("fp32", "fp16", "bf16"):
            raise bad_value("dtype", "keeping", "fp32, fp16 or bf16", self.dtype)
        if self.mass is not None and not 0 < self.mass <= 1:
            raise bad_value("mass", "keeping", "a share in (0, 1]", self.mass)
        share = isinstance(self.pca, float)
        if self.pca is not None and not (self.pca > 0 and (not share or self.pca <= 1)):
            raise bad_value("pca", "keeping", "a number of components, or a share of variance in (0, 1]", self.pca)


def in_kept_type(values: Tensor, dtype: str, name: str) -> Tensor:
    """Values on the CPU in the kept type; `UsageError` where a finite number becomes infinite.

    >>> in_kept_type(torch.tensor([1.0]), "bf16", "logits")
    tensor([1.], dtype=torch.bfloat16)
    """
    kept = values.detach().to(DTYPES[dtype])
    if dtype == "fp16" and bool((kept.isinf() & ~values.isinf()).any()):
        raise UsageError(
            f"The {name!r} of the teacher reach {values.abs().max():.3g}, beyond what fp16 holds (65504). "
            "Set the 'dtype' of keeping to bf16."
        )
    return kept.cpu().contiguous()


def top_count(logits: Float[Tensor, "n classes"], mass: float) -> int:
    """The smallest k for which the k most probable classes hold `mass` of the probability, in the mean.

    >>> top_count(torch.tensor([[3.0, 0.0, 0.0]]), 0.9)
    1
    """
    held = logits.double().softmax(1).sort(descending=True).values.cumsum(1).mean(0)
    return min(int((held < mass - 1e-12).sum()) + 1, logits.shape[1])


def top_logits(logits: Float[Tensor, "n classes"], k: int) -> dict[str, Tensor]:
    """The k largest logits [n, k], their classes [n, k] and the log-sum-exp of the rest [n].

    The class numbers are of the smallest integer type; the tail is -inf where nothing is left.
    """
    count = logits.shape[1]
    values, classes = logits.topk(k, dim=1)
    tail = logits.scatter(1, classes, -torch.inf).logsumexp(1)
    small = torch.uint8 if count <= 2**8 else torch.int16 if count <= 2**15 else torch.int32
    return dict(zip(TOP, (values, classes.to(small), tail), strict=True))


def read_logits(top: Mapping[str, Tensor], classes: int) -> Float[Tensor, "n classes"]:
    """Logits [n, classes] in which the classes outside the top k share the tail evenly.

    `softmax` of them is exact in each of the top k, and in the sum of the others.

    >>> read_logits(top_logits(torch.tensor([[2.0, 0.0, 0.0]]), 1), 3)
    tensor([[2., 0., 0.]])
    """
    values, numbers, tail = (top[name] for name in TOP)
    numbers = numbers.long()
    others = max(classes - values.shape[1], 1)
    spread: Tensor = (tail - torch.log(torch.tensor(float(others)))).to(values.dtype)
    return spread[:, None].repeat(1, classes).scatter(1, numbers, values)


def mass_of(logits: Float[Tensor, "n classes"], numbers: Integer[Tensor, "n k"]) -> float:
    """The probability that the classes `numbers` hold, summed over the samples."""
    return float(logits.double().softmax(1).gather(1, numbers.long().to(logits.device)).sum())
