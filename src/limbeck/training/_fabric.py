"""Lightning Fabric, on the device and in the precision that a recipe asks for."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import torch

from limbeck.core import bad_value
from limbeck.training._settings import Training

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["check_device", "make_fabric"]

_GPU_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"


def check_device(device: str) -> None:
    """`UsageError` where a device that is asked for is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        found = ["auto", "cpu", *(name for name, available in there.items() if available)]
        raise bad_value("device", "training", f"one that this machine has ({', '.join(found)})", device)


def make_fabric(settings: Training) -> Fabric:
    """Fabric on one device; `UsageError` where the device that was asked for is not there."""
    check_device(settings.device)
    before = os.environ.get(_GPU_CHECK)
    from lightning_fabric import Fabric

    if before is None:
        # Lightning sets it, and torch then searches for a GPU driver at every optimiser step: on a machine without
        # one that takes longer than the step of a small network.
        os.environ.pop(_GPU_CHECK, None)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    return Fabric(
        accelerator=settings.device,
        devices=1,
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
    )
