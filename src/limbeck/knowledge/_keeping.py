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

__all__ = ["DTYPES", "RESERVED", "Keeping", "in_kept_type", "read_logits", "top_answers", "top_count", "top_logits"]

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
    log-sum-exp of the rest; None keeps all logits. top: keep only the k largest probabilities, as
    logarithms, with their classes, and nothing from which more could be told: neither the scale of
    the logits nor any other answer. pool: average feature maps [n, c, ...] over
    space. pca: keep each layer as so many principal components (int), or as many as hold this
    share of its variance (float); None keeps it whole.

    >>> Keeping(dtype="fp16", mass=0.99)
    Keeping(dtype='fp16', mass=0.99, top=None, pool=False, pca=None)
    """

    dtype: Literal["fp32", "fp16", "bf16"] = "fp32"
    mass: Annotated[float, Gt(0), Le(1)] | None = None
    top: Annotated[int, Gt(0)] | None = None
    pool: bool = False
    pca: Annotated[int, Gt(0)] | Annotated[float, Gt(0), Le(1)] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in ("fp32", "fp16", "bf16"):
            raise bad_value("dtype", "keeping", "fp32, fp16 or bf16", self.dtype)
        if self.mass is not None and not 0 < self.mass <= 1:
            raise bad_value("mass", "keeping", "a share in (0, 1]", self.mass)
        if self.top is not None and self.top <= 0:
            raise bad_value("top", "keeping", "> 0", self.top)
        if self.top is not None and self.mass is not None:
            raise UsageError("The 'top' and the 'mass' of keeping both say how many answers stay. Leave one out.")
        share = isinstance(self.pca, float)
        if self.pca is not None and not (self.pca > 0 and (not share or self.pca <= 1)):
            raise bad_value("pca", "keeping", "a number of components, or a share of variance in (0, 1]", self.pca)

    def count(self, logits: Float[Tensor, "n classes"]) -> int | None:
        """How many answers stay, by the first batch; None for all."""
        if self.top is not None:
            return min(self.top, logits.shape[1])
        return None if self.mass is None else top_count(logits, self.mass)

    def cut(self, logits: Float[Tensor, "n classes"], k: int) -> tuple[dict[str, Tensor], float]:
        """The k answers that stay, and the probability that they hold, summed over the samples."""
        if self.top is not None:
            answers = top_answers(logits, k, self.dtype)
            return answers, float(answers[TOP[0]].double().exp().sum())
        parts = top_logits(logits, k)
        return parts, mass_of(logits, parts[TOP[1]])


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
    values, classes = logits.topk(k, dim=1)
    tail = logits.scatter(1, classes, -torch.inf).logsumexp(1)
    return dict(zip(TOP, (values, _small(classes, logits.shape[1]), tail), strict=True))


def top_answers(logits: Float[Tensor, "n classes"], k: int, dtype: str = "fp32") -> dict[str, Tensor]:
    """The k largest log-probabilities [n, k], their classes [n, k] and the logarithm of the rest [n].

    The rest is that of the rounded values: it tells nothing that they do not.

    >>> one, other = (top_answers(torch.tensor([[0.5, 0.3, 0.2]]).log() + scale, 1) for scale in (0, 10))
    >>> one["top_values"].exp(), one["top_tail"].exp(), torch.allclose(one["top_values"], other["top_values"])
    (tensor([[0.5000]]), tensor([0.5000]), True)
    """
    values, classes = logits.log_softmax(1).topk(k, dim=1)
    values = values.to(DTYPES[dtype]).to(logits.dtype)
    held = values.logsumexp(1)
    rest = torch.where(held < 0, torch.log(-torch.expm1(held)), -torch.inf)
    rest = rest if k < logits.shape[1] else torch.full_like(rest, -torch.inf)
    return dict(zip(TOP, (values, _small(classes, logits.shape[1]), rest), strict=True))


def _small(classes: Integer[Tensor, "n k"], count: int) -> Integer[Tensor, "n k"]:
    """Class numbers in the smallest integer type."""
    return classes.to(torch.uint8 if count <= 2**8 else torch.int16 if count <= 2**15 else torch.int32)


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
