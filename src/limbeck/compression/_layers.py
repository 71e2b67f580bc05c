"""Layers in other sizes: how they are told in JSON, so that a network is built again in its new shape."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from limbeck.core import RunError

__all__ = [
    "CONVOLUTIONS",
    "NORMS",
    "Weighted",
    "layer_changes",
    "replaced",
    "weighted_layers",
    "with_changes",
    "with_tensors",
]

Json = dict[str, Any]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
Weighted = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_SETTINGS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features"),
    **dict.fromkeys(CONVOLUTIONS, _CONVOLUTION),
    **dict.fromkeys(NORMS, ("num_features", "eps", "momentum", "affine", "track_running_stats")),
}
_KINDS = {kind.__name__: kind for kind in _SETTINGS}


def _told(layer: nn.Module) -> Json | None:
    """A layer's kind and settings, those of its parts for a chain; None for other layers."""
    if type(layer) is nn.Sequential:
        parts = [_told(part) for part in layer]
        return None if None in parts else {"chain": parts}
    if type(layer) not in _SETTINGS:
        return None
    settings = {name: _plain(getattr(layer, name)) for name in _SETTINGS[type(layer)]}
    biased = {"bias": layer.bias is not None} if not isinstance(layer, NORMS) else {}
    return {"kind": type(layer).__name__, **settings, **biased}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _made(told: Mapping[str, Any]) -> nn.Module:
    if "chain" in told:
        return nn.Sequential(*map(_made, told["chain"]))
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items() if key != "kind"}
    return _KINDS[told["kind"]](**settings)


def layer_changes(before: nn.Module, after: nn.Module) -> dict[str, Json]:
    """The layers of `after` that are others than in `before`, by name, as JSON.

    >>> before = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> after = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> layer_changes(before, after)["0"]
    {'kind': 'Linear', 'in_features': 4, 'out_features': 3, 'bias': True}
    """
    return dict(_changes(before, after, ""))


def _changes(before: nn.Module, after: nn.Module, path: str) -> Iterator[tuple[str, Json]]:
    known = dict(before.named_children())
    for name, layer in after.named_children():
        place, old = f"{path}{name}", known[name]
        told = _told(layer)
        if told is not None and type(layer) is not type(old):
            yield place, told
        elif type(layer) in _SETTINGS:
            if told is not None and told != _told(old):
                yield place, told
        else:
            yield from _changes(old, layer, f"{place}.")


def with_changes(network: nn.Module, changes: Mapping[str, Json]) -> nn.Module:
    """A copy of the network with these layers in it, their weights not yet loaded.

    Undoes `layer_changes`; `RunError` where a layer is not there.

    >>> small = with_changes(nn.Sequential(nn.Linear(4, 8)), {"0": {"kind": "Linear", "in_features": 4,
    ...                                                             "out_features": 3, "bias": True}})
    >>> small[0]
    Linear(in_features=4, out_features=3, bias=True)
    """
    layers = dict(network.named_modules())
    for name, told in changes.items():
        if name not in layers or not ("chain" in told or told.get("kind") in _KINDS):
            raise RunError(f"The compressed student has a layer {name!r} that its network cannot hold: {told!r:.80}.")
    return replaced(network, {name: _made(told) for name, told in changes.items()})


def replaced(network: nn.Module, layers: Mapping[str, nn.Module]) -> nn.Module:
    """A copy of the network with other layers at these names, in the mode of those that they replace."""
    changed = copy.deepcopy(network)
    for name, layer in layers.items():
        layer.train(changed.get_submodule(name).training)
        changed.set_submodule(name, layer)
    return changed


def with_tensors(layer: nn.Module, tensors: Mapping[str, Tensor], **sizes: int) -> nn.Module:
    """The same kind of layer in other sizes, with these parameters and buffers."""
    told = _told(layer)
    assert told is not None, f"{type(layer).__name__} is no layer whose sizes change"
    made = _made({**told, **sizes}).to(next(iter(tensors.values())).device)
    made.load_state_dict(dict(tensors))
    return made


def weighted_layers(network: nn.Module) -> dict[str, Weighted]:
    """The layers that multiply by a matrix, by name."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, (nn.Linear, *CONVOLUTIONS))}
