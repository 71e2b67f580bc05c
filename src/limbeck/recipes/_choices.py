"""What a recipe leaves open, decided by measurement once a run: precision, layout, compiling."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.recipes._context import Context
from limbeck.recipes._keys import Row
from limbeck.training import Passes, Training, compile_choice, faster_passes, has_bf16

__all__ = ["labelling_passes", "measured_settings"]

LABELLED = 128
"""So many samples are asked at once when the speed of answers is measured."""


def measured_settings(context: Context, name: str, method: Method, settings: Training) -> Training:
    """What the settings leave open, decided by measurement: once a run for a network, for all its rows and seeds."""
    if method.closed_form:  # it takes no step whose time could be measured
        return replace(settings, precision="fp32", layout="contiguous", compile=False, device="cpu")
    plan, network = context.plan, _moved(method)
    key = name if name in plan.teachers or _own_network(plan.rows[name].make()) else "student"
    seen = context.target if method.source_free else context.source
    inputs, eager = seen.inputs[: settings.batch_size], None
    if "auto" in (settings.precision, settings.layout):
        fixed = [value for value in (settings.precision, settings.layout) if value != "auto"]
        asked = "/".join(["passes", key, *fixed])
        chosen = context.choose(
            asked, lambda: _measured_passes(network, inputs, settings, _steps_ahead(context, key, settings))
        )
        settings = replace(settings, precision=chosen["precision"], layout=chosen["layout"])
        milliseconds = chosen.get("step_ms", {}).get(f"{settings.precision} {settings.layout}")
        eager = None if milliseconds is None else milliseconds / 1e3
    if settings.compile == "auto":
        passes, steps = Passes(settings.precision, settings.layout), _steps_ahead(context, key, settings)
        device = _device_of(settings)

        def measure() -> dict[str, Any]:
            trial = copy.deepcopy(network).to(device)
            return compile_choice(trial, inputs.to(device), passes, steps, context.console.say, eager)

        settings = replace(settings, compile=context.choose(f"compile/{key}", measure)["compile"])
    return settings


def labelling_passes(context: Context, teacher: str, network: nn.Module, inputs: Tensor, answers: int) -> Passes:
    """The precision and layout in which a teacher gives so many answers fastest; its training's, where fixed."""
    settings = context.plan.training(context.plan.teachers[teacher])
    batch = inputs[:LABELLED]
    if "auto" not in (settings.precision, settings.layout):
        return Passes(settings.precision, settings.layout)
    observed = Observed(copy.deepcopy(network))
    ahead = math.ceil(answers / len(batch))
    chosen = context.choose(
        f"answers/{teacher}", lambda: _measured_passes(observed, batch, settings, ahead, backward=False)
    )
    return Passes(chosen["precision"], chosen["layout"])


def _moved(method: Method) -> Observed:
    """What the steps run: the evaluated student, or that of which it is an average."""
    trains = any(parameter.requires_grad for parameter in method.evaluated.parameters())
    return method.evaluated if trains else method.student


def _own_network(row: Row) -> bool:
    """Whether a row's network is another than the recipe's student."""
    return row.student is not None or row.start is not None


def _steps_ahead(context: Context, key: str, settings: Training) -> int:
    """The steps of all trainings of a network in this run."""
    plan = context.plan
    rows = 1 if key != "student" else sum(not _own_network(node.make()) for node in plan.rows.values())
    samples = max(len(domain.splits["train"]) for domain in (context.source, context.target))
    return rows * len(plan.seeds) * settings.epochs * math.ceil(samples / settings.batch_size)


def _device_of(settings: Training) -> torch.device:
    """The device that "auto" stands for on this machine."""
    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _measured_passes(
    network: Observed, inputs: Tensor, settings: Training, ahead: int, backward: bool = True
) -> dict[str, Any]:
    """The precision and layout in which a network is fastest, of those that the settings leave open."""
    device = _device_of(settings) if backward else torch.device("cpu")
    precisions = ["fp32", *(["bf16"] if has_bf16(device) else [])] if settings.precision == "auto" else []
    layouts = ["contiguous", *(["channels_last"] if inputs.ndim == 4 else [])] if settings.layout == "auto" else []
    plain, *others = [
        Passes(precision, layout)
        for precision in precisions or [settings.precision]
        for layout in layouts or [settings.layout]
    ]
    candidates = [plain, *reversed(others)]  # both changes together are the likeliest to win
    there = network if device.type == "cpu" else copy.deepcopy(network).to(device)
    chosen, milliseconds = faster_passes(there, inputs.to(device), candidates, ahead, backward)
    return {"precision": chosen.precision, "layout": chosen.layout, "step_ms": milliseconds}
