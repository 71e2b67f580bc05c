"""Low rank: a layer becomes two thinner ones, by its singular values."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Le
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.compression import Compression
from limbeck.compression._layers import CONVOLUTIONS, Weighted, replaced, weighted_layers, with_tensors
from limbeck.core import UsageError, bad_value
from limbeck.networks import head_of

__all__ = ["LowRank"]


class LowRank(Compression):
    """Writes each layer's weight as a product `W ≈ U V` of the smallest rank that keeps the share `energy` of `‖W‖²`.

    Paper: Denil et al. 2013, eq. 1, with the factors of the truncated singular value decomposition, which
    for a rank r has the least error, `Σ_{i>r} σ_i²` (Eckart & Young 1936). A convolution becomes
    one to r channels and a 1×1 one (Zhang et al. 2016, section 3.1). A layer stays as it is where two
    would multiply more; so does the head.

    energy: of the squared singular values, in (0, 1].

    >>> network = nn.Sequential(nn.Linear(32, 32, bias=False), nn.ReLU(), nn.Linear(32, 2))
    >>> network[0].weight.data = torch.outer(torch.arange(32.0), torch.ones(32))
    >>> LowRank(0.99).shrunk(network, torch.randn(4, 32))[0]
    Sequential(
      (0): Linear(in_features=32, out_features=1, bias=False)
      (1): Linear(in_features=1, out_features=32, bias=False)
    )
    """

    def __init__(self, energy: Annotated[float, Gt(0), Le(1)] = 0.9):
        if not 0 < energy <= 1:
            raise bad_value("energy", "low_rank", "in (0, 1]", energy)
        self.energy = energy

    def shrunk(self, network: nn.Module, inputs: Tensor, turn: int = 0) -> nn.Module:
        head = head_of(network)
        layers = {}
        for name, layer in weighted_layers(network).items():
            known = type(layer) is nn.Linear or (type(layer) in CONVOLUTIONS and layer.groups == 1)
            if name != head and known:
                rank = rank_of(torch.linalg.svdvals(_matrix(layer)), self.energy)
                if rank * sum(_matrix(layer).shape) < layer.weight.numel():
                    layers[name] = factored(layer, rank)
        return replaced(network, layers)

    def check(self, network: nn.Module, inputs: Tensor) -> None:
        if not [name for name in weighted_layers(network) if name != head_of(network)]:
            raise UsageError(
                f"{type(network).__name__} has no layer beside its head that could be written in low rank: "
                "leave this step out."
            )


def rank_of(singular: Float[Tensor, " n"], energy: float) -> int:
    """The smallest rank whose singular values (largest first) hold this share of the sum of their squares, ≥ 1.

    >>> rank_of(torch.tensor([2.0, 1.0, 0.0]), 0.8), rank_of(torch.tensor([2.0, 1.0, 0.0]), 1.0)
    (1, 2)
    """
    held = singular.double().square().cumsum(0)
    wanted = energy * held[-1] * (1 - 1e-12)  # a sum of doubles is not exact in its last digits
    return int((held < wanted).sum()) + 1


def factored(layer: Weighted, rank: int) -> nn.Sequential:
    """A linear layer or convolution as two, by the truncated singular value decomposition of its weight."""
    left, singular, right = torch.linalg.svd(_matrix(layer), full_matrices=False)
    scale = singular[:rank].sqrt()  # shared, so that both learn at one rate
    first = (scale[:, None] * right[:rank]).float()
    second = {"weight": (left[:, :rank] * scale).float()}
    if layer.bias is not None:
        second["bias"] = layer.bias.detach()
    thin: Weighted
    wide: Weighted
    if isinstance(layer, nn.Linear):
        thin = nn.Linear(layer.in_features, rank, bias=False)
        wide = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    else:
        kind, settings = type(layer), (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        thin = kind(layer.in_channels, rank, *settings, bias=False, padding_mode=layer.padding_mode)  # type: ignore[arg-type]
        wide = kind(rank, layer.out_channels, 1, bias=layer.bias is not None)
    first, second["weight"] = first.reshape(thin.weight.shape), second["weight"].reshape(wide.weight.shape)
    return nn.Sequential(with_tensors(thin, {"weight": first}), with_tensors(wide, second))


def _matrix(layer: Weighted) -> Float[Tensor, "outputs inputs"]:
    return layer.weight.detach().double().flatten(1)
