"""Weights on disk: safetensors with what they belong to, never pickles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.core.errors import UsageError
from limbeck.core.files import atomic_path

__all__ = ["fingerprint", "load_weights", "read_weights", "save_weights"]


def save_weights(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write a state dict with `about` (JSON) in the file's metadata, whole or not at all."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    content = save(tensors, metadata={"limbeck": json.dumps(about, ensure_ascii=False)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A state dict and what was said about it; `UsageError` where the file is not safetensors."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UsageError(f"There is no file of weights {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("limbeck", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise UsageError(f"{path} is not a whole safetensors file ({error}). Pickled weights are not read.") from error


def load_weights(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict strictly; `UsageError` names the first layers that do not fit."""
    own = network.state_dict()
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    shapes = [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if missing or extra or shapes:
        faults = []
        if missing:
            faults.append(f"it lacks {missing[0]!r} ({len(missing)} in all)")
        if extra:
            faults.append(f"it has {extra[0]!r} besides ({len(extra)} in all)")
        if shapes:
            name = sorted(shapes)[0]
            faults.append(f"{name!r} is {list(state[name].shape)} there and {list(own[name].shape)} here")
        raise UsageError(f"The weights of {origin} do not fit {type(network).__name__}: {'; '.join(faults)}.")
    network.load_state_dict(dict(state))


def fingerprint(*parts: Mapping[str, Tensor] | Tensor | str) -> str:
    """A hexadecimal digest (32 characters) of tensors and texts; changes with any bit of them."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, str):
            _add_text(digest, part)
        elif isinstance(part, Tensor):
            _add(digest, part)
        else:
            for name in sorted(part):
                _add_text(digest, name)
                _add(digest, part[name])
        digest.update(b"\x00")
    return digest.hexdigest()


def _add_text(digest: Any, text: str) -> None:
    digest.update(f"{len(text)}:{text}".encode())  # with its length, so that two texts are not one longer text


def _add(digest: Any, tensor: Tensor) -> None:
    digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    if tensor.numel():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
