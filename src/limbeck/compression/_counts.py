"""What is counted of a network: parameters, bytes, multiply-adds, the memory of a forward pass."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from limbeck.networks import evaluating

__all__ = ["multiply_adds", "network_bytes", "nonzero_parameters", "peak_memory"]


def nonzero_parameters(network: nn.Module) -> int:
    """The number of parameters that are not 0."""
    return sum(int(parameter.count_nonzero()) for parameter in network.parameters())


def network_bytes(network: nn.Module) -> int:
    """Bytes of parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers()))


def multiply_adds(network: nn.Module, inputs: Tensor) -> int:
    """Multiplications of matrix products and convolutions for one sample; inputs: [n, ...], n ≥ 1.

    >>> multiply_adds(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(3, 4))
    48
    """
    from torch.utils.flop_counter import FlopCounterMode  # it imports triton, which a check does not need

    with evaluating(network), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(inputs[:1])
    return counter.get_total_flops() // 2  # a multiplication and an addition each


def peak_memory(network: nn.Module, inputs: Tensor) -> int:
    """Bytes of the weights and of the tensors that are alive together, at most, in one forward pass of `inputs`.

    Counted, not measured: what the framework itself and the workspaces of its kernels take comes on top.
    """
    with evaluating(network), torch.no_grad(), _Alive() as alive:
        network(inputs)
    return network_bytes(network) + inputs.numel() * inputs.element_size() + alive.most


class _Alive(TorchDispatchMode):
    """Counts the bytes of the storages that operations make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_storage(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and _storage(leaf) not in self.known | given:
                self._made(leaf.untyped_storage())
        return result

    def _made(self, storage: torch.UntypedStorage) -> None:
        size, place = storage.nbytes(), storage.data_ptr()
        self.known.add(place)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._freed, place, size)

    def _freed(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.now -= size


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
