"""The device and the precision that a recipe asks for."""

from __future__ import annotations

import os
import sys
import types

import lightning_fabric
import pytest
import torch
from small_world import settings

from limbeck.core import UsageError
from limbeck.training._fabric import make_fabric


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "mps"):
        with pytest.raises(UsageError, match=rf"'device' of training must be .*\(auto, cpu\).*Got '{device}'"):
            make_fabric(settings(device=device))


@pytest.mark.parametrize(("precision", "computed"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_precision_arrives(precision, computed: torch.dtype) -> None:
    fabric = make_fabric(settings(precision=precision))
    assert fabric.device.type == "cpu"
    with fabric.autocast():
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == computed


@pytest.mark.parametrize("before", [None, "1"])
def test_no_search_for_gpus_at_each_step_unless_the_user_wants_it(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"

    class Lightning(types.ModuleType):
        """Does what importing Lightning does."""

        def __getattr__(self, attribute: str) -> object:
            monkeypatch.setenv(name, "1")
            return getattr(lightning_fabric, attribute)

    monkeypatch.setitem(sys.modules, "lightning_fabric", Lightning("lightning_fabric"))
    monkeypatch.delenv(name, raising=False) if before is None else monkeypatch.setenv(name, before)
    make_fabric(settings())
    assert os.environ.get(name) == before
