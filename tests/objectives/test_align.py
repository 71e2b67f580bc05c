"""Alignment is the distance itself, on the student's features of both domains."""

from __future__ import annotations

import pytest
import torch
from house_tree import parts
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, UsageError
from limbeck.distances import Distance
from limbeck.objectives.align import Align

DISTANCES = [part.cls() for part in parts() if part.room.base is Distance]


def both(widths: tuple[int, int] = (4, 4), dtype: torch.dtype = torch.float32) -> tuple[Outputs, Outputs]:
    draw = torch.Generator().manual_seed(0)
    features = [torch.randn(n, width, 2, generator=draw).to(dtype) for n, width in zip((9, 7), widths, strict=True)]
    source, target = (Outputs(x.flatten(1)[:, :3], {FEATURES: x, "inner": 2 * x}) for x in features)
    return source, target


def aligned(align: Align, source: Outputs, target: Outputs) -> Tensor:
    empty = Batch(torch.zeros(16, 1), torch.arange(16), sources=9)
    return align(Outputs.join(source, target), Knowledge(), empty)


@pytest.mark.parametrize("distance", [d for d in DISTANCES if d.differentiable], ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("layer", [FEATURES, "inner"])
def test_equals_the_distance_of_the_features(distance: Distance, layer: str) -> None:
    source, target = both()
    align = Align(distance, layer)
    assert align.layers() == {layer}
    assert align.samples == "both" and not align.needs
    assert aligned(align, source, target).equal(distance(source.feature(layer), target.feature(layer)))
    half = both(dtype=torch.bfloat16)
    assert aligned(align, *half).equal(distance(*(outputs.feature(layer).float() for outputs in half)))


@pytest.mark.parametrize("distance", [d for d in DISTANCES if not d.differentiable], ids=lambda d: type(d).__name__)
def test_a_distance_without_a_gradient_is_refused(distance: Distance) -> None:
    with pytest.raises(UsageError, match="no gradient"):
        Align(distance)


class _Other(Distance):
    """`0`"""

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return x.sum() * 0


class _Paired(_Other):
    paired = True


class _Labelled(_Other):
    needs_labels = True


def test_a_distance_of_pairs_or_of_labels_is_refused() -> None:
    with pytest.raises(UsageError, match="compares row i with row i"):
        Align(_Paired())
    with pytest.raises(UsageError, match="needs labels of both"):
        Align(_Labelled())
    Align(_Other())
