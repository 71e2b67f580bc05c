"""The shapes in annotations are executed while the tests run."""

from __future__ import annotations

import inspect

import pytest
import torch
from house_tree import parts
from jaxtyping import Float
from torch import Tensor

pytestmark = pytest.mark.extra("test")


def test_a_wrong_shape_is_refused() -> None:
    from jaxtyping import TypeCheckError

    from limbeck.objectives.kl import kl

    with pytest.raises(TypeCheckError):
        kl(torch.zeros(3, 2), torch.zeros(3, 4))


def test_every_objective_and_distance_says_its_shapes() -> None:
    calls = {"objectives": "forward", "distances": "__call__"}
    shaped = [part for part in parts() if part.room.name in calls]
    assert shaped
    for part in shaped:
        given = inspect.signature(getattr(part.cls, calls[part.room.name]), eval_str=True).return_annotation
        assert (given.array_type, given.dim_str) == (Tensor, ""), part.module
        assert given.dtypes == Float.dtypes, part.module
