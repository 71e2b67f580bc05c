"""bf16 only where it is faster."""

from __future__ import annotations

import time

import pytest
import torch

from limbeck.training import _precision
from limbeck.training._precision import faster_precision, has_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize("faster", ["fp32", "bf16"])
def test_the_faster_one_is_chosen(faster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_precision, "has_bf16", lambda device: True)
    weight = torch.zeros((), requires_grad=True)

    def step() -> torch.Tensor:
        now = "bf16" if torch.is_autocast_enabled("cpu") else "fp32"
        time.sleep(0.0 if now == faster else 0.02)
        return weight * 2

    assert faster_precision(step, CPU) == faster


def test_without_bf16_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_precision, "has_bf16", lambda device: False)
    assert faster_precision(lambda: pytest.fail("was timed"), CPU) == "fp32"


def test_an_unknown_device_has_no_bf16() -> None:
    assert isinstance(has_bf16(CPU), bool)
    assert has_bf16(torch.device("meta")) is False
