"""What the comparisons of two domains share: their rows, the reversed gradient, the discriminator."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.core import Outputs, Spec, UsageError

__all__ = ["Discriminator", "domain_loss", "entropy", "full_precision", "layer_width", "reverse", "two_domains"]


def two_domains(
    owner: str, outputs: Outputs, layer: str, least: int = 1
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    """The layer of the source's and of the target's rows in at least float32; `UsageError` where rows are too few.

    >>> source, target = two_domains("afn", Outputs(torch.zeros(3, 2), {"a": torch.zeros(3, 5)}, sources=1), "a")
    >>> source.shape, target.shape
    (torch.Size([1, 5]), torch.Size([2, 5]))
    """
    found = outputs.feature(layer)
    source, target = found[: outputs.sources], found[outputs.sources :]
    if min(len(source), len(target)) < least:
        raise UsageError(
            f"{owner} compares at least {least} sample{'s' * (least > 1)} of each domain. Got {list(source.shape)} of "
            f"the source and {list(target.shape)} of the target: use a larger batch."
        )
    dtype = torch.promote_types(found.dtype, torch.float32)
    return source.to(dtype), target.to(dtype)


def layer_width(spec: Spec, layer: str) -> int:
    """How many numbers a layer gives for one sample.

    >>> layer_width(Spec(2, {"conv": (8, 4, 4)}), "conv")
    128
    """
    return math.prod(spec.layers[layer])


def full_precision(x: Tensor) -> torch.autocast:
    """Switches autocast off: a discriminator near chance lives on differences that bfloat16 loses."""
    return torch.autocast(x.device.type, enabled=False)


def reverse(x: Float[Tensor, "*shape"], strength: float) -> Float[Tensor, "*shape"]:
    """The same values, whose gradient comes back times −strength (Ganin et al. 2016, eq. 14–15).

    >>> x = torch.ones(2, requires_grad=True)
    >>> reverse(x, 0.5).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    return x.detach() - strength * (x - x.detach())


def entropy(logits: Float[Tensor, "n classes"]) -> Float[Tensor, " n"]:
    """`−Σ_c p_c log p_c` of each row's softmax, in nats, in [0, log classes].

    >>> round(float(entropy(torch.zeros(1, 4))), 4)  # log 4
    1.3863
    """
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


class Discriminator(nn.Module):
    """Two hidden layers, [n, width] → one logit a row, positive where it believes in the source.

    accuracy: of the last batch, each domain counting one half, in [0, 1]; NaN before the first. It stays on the
    device: 0.5 is chance, 1 means that the domains are told apart.
    """

    accuracy: Tensor

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()), nn.Linear(hidden, 1)
        )
        self.register_buffer("accuracy", torch.full((), float("nan")))

    def forward(self, x: Float[Tensor, "n width"]) -> Float[Tensor, " n"]:
        return self.layers(x).squeeze(1)

    @torch.no_grad()
    def watch(self, source: Float[Tensor, " n"], target: Float[Tensor, " m"]) -> None:
        """Keep the accuracy of these logits."""
        self.accuracy.copy_(((source > 0).float().mean() + (target < 0).float().mean()) / 2)


def domain_loss(
    source: Float[Tensor, " n"], target: Float[Tensor, " m"], weights: Mapping[str, Tensor] | None = None
) -> Float[Tensor, ""]:
    """Binary cross-entropy of the logits, source 1 and target 0, each domain counting one half whatever its size.

    weights: of the rows by domain ("source", "target"), ≥ 0, in any scale; equal where not given.

    >>> round(float(domain_loss(torch.zeros(2), torch.zeros(3))), 4)  # log 2
    0.6931
    """
    halves = []
    for name, logits, label in (("source", source, 1.0), ("target", target, 0.0)):
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, torch.full_like(logits, label), reduction="none"
        )
        weight = torch.ones_like(logits) if weights is None else weights[name]
        halves.append((weight * losses).sum() / weight.sum())
    return (halves[0] + halves[1]) / 2
