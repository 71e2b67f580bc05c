"""What channels and weights are worth, so that the least of them go."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from limbeck.compression._channels import Graph
from limbeck.networks import evaluating

__all__ = ["channel_scores", "largest"]


def channel_scores(network: nn.Module, graph: Graph, inputs: Tensor) -> dict[int, Float[Tensor, " channels"]]:
    """What each channel of each free group gives to the layers that read it.

    `Σ_i E[x_c²] · ‖W_i,c‖²` over the layers i that read the channel c: the squared score of Sun et
    al. 2024 (eq. 1), summed over a channel's weights. A channel that is always 0, or that nobody
    reads, has the score 0.
    """
    energies = _energies(network, list(graph.reads), inputs)
    scores = {group: torch.zeros(size, dtype=torch.float64) for group, size in graph.free.items()}
    for name, segments in graph.reads.items():
        weight = network.get_parameter(f"{name}.weight").detach().double()
        given = energies[name] * weight.square().transpose(0, 1).flatten(1).sum(1).cpu()
        first = 0
        for segment in segments:
            last = first + segment.size * segment.repeat
            group = graph.root(segment.group)
            if group in scores:
                scores[group] += given[first:last].reshape(segment.size, segment.repeat).sum(1)
            first = last
    return scores


def _energies(network: nn.Module, names: list[str], inputs: Tensor) -> dict[str, Tensor]:
    """The mean square of what each of these layers reads, by channel."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> object:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            seen[name] = arguments[0].double().square().transpose(0, 1).flatten(1).mean(1).cpu()

        return network.get_submodule(name).register_forward_pre_hook(hook)

    handles = [keep(name) for name in names]
    try:
        with evaluating(network), torch.no_grad():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]
    return seen


def largest(scores: Float[Tensor, " n"], count: int) -> Bool[Tensor, " n"]:
    """Where the `count` largest scores stand; of equal ones the first.

    >>> largest(torch.tensor([3.0, 1.0, 2.0, 2.0]), 2)
    tensor([ True, False,  True, False])
    """
    kept = torch.zeros(len(scores), dtype=torch.bool)
    kept[scores.argsort(descending=True, stable=True)[:count]] = True
    return kept
