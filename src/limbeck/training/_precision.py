"""bf16 or fp32, decided by timing both on real steps."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

__all__ = ["faster_precision", "has_bf16"]


def has_bf16(device: torch.device) -> bool:
    """Whether this device multiplies in bf16 natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False


def faster_precision(step: Callable[[], torch.Tensor], device: torch.device, repeats: int = 3) -> str:
    """ "bf16" where a forward and backward pass is faster in it, else "fp32".

    step: computes a loss; gradients are its caller's to clear. The best of `repeats` counts.
    """
    if not has_bf16(device):
        return "fp32"
    times = {}
    for name, enabled in (("fp32", False), ("bf16", True)):
        runs = []
        for _ in range(repeats + 1):  # the first is a warm-up
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
                loss = step()
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            runs.append(time.perf_counter() - start)
        times[name] = min(runs[1:])
    return min(times, key=lambda name: times[name])
