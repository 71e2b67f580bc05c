"""Principal components in one pass: those of scikit-learn, of all rows at once."""

from __future__ import annotations

import pytest
import torch
from sklearn.decomposition import PCA

from limbeck.core import UsageError
from limbeck.knowledge._pca import WIDEST, Moments, encode, principal_components

DRAW = torch.Generator().manual_seed(0)
ROWS = torch.randn(200, 7, generator=DRAW) @ torch.randn(7, 7, generator=DRAW) + 1000  # far from the origin


def fitted(rows: torch.Tensor, batch: int) -> Moments:
    moments = Moments(rows.shape[1])
    for part in rows.split(batch):
        moments.add(part)
    return moments


@pytest.mark.parametrize("keep", [1, 3, 7, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("batch", [1, 33, 200])
def test_codes_and_variance_are_those_of_scikit_learn(keep: int | float, batch: int) -> None:
    reference = PCA(keep, svd_solver="full").fit(ROWS.double().numpy())
    encoding = principal_components(fitted(ROWS, batch), keep)
    theirs = torch.from_numpy(reference.transform(ROWS.double().numpy()))
    ours = encode(ROWS, encoding).double()
    assert ours.shape == theirs.shape
    signs = (ours * theirs).sum(0).sign()
    assert torch.allclose(ours, theirs * signs, atol=2e-3)  # rows near 1000 in fp32 are 6e-5 apart
    assert encoding.variance == pytest.approx(reference.explained_variance_ratio_.sum(), abs=1e-9)


def test_all_components_lose_nothing_and_a_narrow_layer_keeps_its_width() -> None:
    encoding = principal_components(fitted(ROWS, 64), 50)
    back = encode(ROWS, encoding) @ encoding.components + encoding.mean
    assert encoding.components.shape == (7, 7) and torch.allclose(back, ROWS, atol=1e-2)
    assert torch.allclose(encoding.components @ encoding.components.T, torch.eye(7), atol=1e-6)


def test_a_constant_layer_has_one_empty_code() -> None:
    encoding = principal_components(fitted(torch.full((9, 4), 2.5), 4), 0.9)
    assert encode(torch.full((9, 4), 2.5), encoding).equal(torch.zeros(9, 1))


def test_a_layer_too_wide_is_refused() -> None:
    with pytest.raises(UsageError, match="pool"):
        Moments(WIDEST + 1)
