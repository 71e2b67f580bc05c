"""What every distance does with its two samples first: check them, and compute in full precision."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import UsageError

__all__ = ["full_precision", "norm_of_square", "points", "squared_distances"]


def points(
    owner: str, x: Float[Tensor, "n d1"], y: Float[Tensor, "m d2"], least: int = 1
) -> tuple[Float[Tensor, "n d1"], Float[Tensor, "m d2"]]:
    """Both samples in at least float32; `UsageError` where widths differ or a sample has fewer than `least` points.

    >>> first, second = points("mmd", torch.zeros(3, 2, dtype=torch.bfloat16), torch.zeros(4, 2))
    >>> first.dtype
    torch.float32
    """
    if x.shape[1] != y.shape[1]:
        raise UsageError(
            f"The points of {owner} must be equally wide in both samples. Got {list(x.shape)} and {list(y.shape)}."
        )
    if min(len(x), len(y)) < least:
        raise UsageError(
            f"The samples of {owner} must have at least {least} points each. Got {len(x)} and {len(y)}. "
            "Give it more data; in training, a larger batch, or leave out the last, incomplete one."
        )
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    return x.to(dtype), y.to(dtype)


def full_precision(x: Tensor) -> torch.autocast:
    """Switches autocast off: differences of large sums are lost in bfloat16."""
    return torch.autocast(x.device.type, enabled=False)


def squared_distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Squared Euclidean distances of all pairs, ≥ 0, with finite gradients where points coincide.

    >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    # Distances do not change with the origin, and rounding is least when the points lie around it.
    centre = x.detach().mean(0)
    centred = x - centre
    squares = centred.square().sum(1)
    if y is x:
        return (squares[:, None] + squares - 2 * centred @ centred.T).clamp(min=0)
    y = y - centre
    return (squares[:, None] + y.square().sum(1) - 2 * centred @ y.T).clamp(min=0)


def norm_of_square(squared: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """The square root, whose gradient at 0 is 0, a subgradient of the norm, and not infinite.

    >>> zero = torch.tensor(0.0, requires_grad=True)
    >>> norm_of_square(zero).backward()
    >>> zero.grad
    tensor(0.)
    """
    positive = ~(squared <= 0)  # NaN is not 0
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)
