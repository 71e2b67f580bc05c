"""Every format exports every network, and its file says in its own runtime what PyTorch says: found by discovery."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from house_tree import Part, parts
from torch import Tensor, nn

from limbeck.core import RunError, UsageError
from limbeck.export import DEFAULT, Export, export_network
from limbeck.networks import Network

SMALL = {"depth": 8, "width": 0.25}
"""Settings that make a network small, where its signature has them."""
SHAPES = [(5,), (3, 16, 16)]


SLOW = "executorch"
"""Its converter takes seconds a network: one network is enough for every day."""


def marked(part: Part, *marks: pytest.MarkDecorator) -> object:
    extra = [pytest.mark.extra(part.cls.extra)] if part.cls.extra else []
    return pytest.param(part.cls, id=part.name, marks=[*marks, *extra])


FOUND = [part for part in parts() if part.room.base is Export]
FORMS = pytest.mark.parametrize("form", [marked(part) for part in FOUND])
QUICK = pytest.mark.parametrize("form", [marked(part, *[pytest.mark.slow] * (part.name == SLOW)) for part in FOUND])
KINDS = [part for part in parts() if part.room.base is Network]
EACH = pytest.mark.parametrize(
    ("form", "kind"),
    [
        pytest.param(form.cls, kind.cls, id=f"{form.name}-{kind.name}", marks=[*extra, *slow])
        for form in FOUND
        for kind in KINDS
        for extra in [[pytest.mark.extra(form.cls.extra)] if form.cls.extra else []]
        for slow in [[pytest.mark.slow] if form.name == SLOW and kind.name != "mlp" else []]
    ],
)


def built(kind: type[Network]) -> tuple[Network, Tensor]:
    """A network with statistics of its own, and samples for it."""
    torch.manual_seed(0)
    known = inspect.signature(kind).parameters
    settings = {name: type(known[name].default)(value) for name, value in SMALL.items() if name in known}
    for shape in reversed(SHAPES):
        network = kind(**{name: max(1, value) if isinstance(value, int) else value for name, value in settings.items()})
        try:
            network.build(shape, 4)
        except UsageError:
            continue
        network.train()(3 * torch.randn(16, *shape) + 1)
        return network, torch.randn(37, *shape)
    raise AssertionError(f"{kind} reads none of {SHAPES}")


@EACH
def test_the_file_says_what_pytorch_says(form: type[Export], kind: type[Network], tmp_path: Path) -> None:
    network, samples = built(kind)
    parity = export_network(network, samples, tmp_path, form(), {"row": "distilled"})
    assert parity.samples == 37 and parity.difference < 1e-4 and parity.agreement == 1
    assert [path.name for path in tmp_path.iterdir()] == [form.file]
    assert network.training, "it is left in the mode in which it was"
    run, network = form().runner(tmp_path / form.file), network.eval()
    for size in (1, 2, 33):
        with torch.no_grad():
            wanted = network(samples[:size]).numpy()
        found = run(samples[:size].numpy())
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@QUICK
def test_a_file_beyond_the_tolerance_is_not_left(form: type[Export], tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
    with pytest.raises(RunError, match=r"differs from the student by .* on 5 samples, where 1e-30 is allowed"):
        export_network(_Shifted(network), torch.randn(5, 3), tmp_path, form(tolerance=1e-30))
    assert not list(tmp_path.iterdir())


class _Shifted(nn.Module):
    """Gives something else in the graph than in Python."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        return self.network(inputs) + float(torch.compiler.is_exporting())


class _Bessel(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.special.bessel_j1(inputs)


@FORMS
def test_an_operator_that_is_not_known_is_named_with_its_layer(form: type[Export], tmp_path: Path) -> None:
    network = nn.Sequential()
    network.add_module("inner", nn.Linear(4, 4))
    network.add_module("odd", _Bessel())
    network.add_module("head", nn.Linear(4, 2))
    try:
        export_network(network, torch.randn(5, 4), tmp_path, form())
    except UsageError as error:
        assert "bessel_j1 of the layer 'odd' (_Bessel)" in str(error)
        assert not list(tmp_path.iterdir())
    else:
        assert form.extra is None, "only PyTorch itself knows this operator"


@FORMS
@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_is_positive(form: type[Export], tolerance: float) -> None:
    with pytest.raises(UsageError, match=r"The 'tolerance' of \w+ must be > 0"):
        form(tolerance=tolerance)


@FORMS
def test_a_file_that_is_no_model_is_told(form: type[Export], tmp_path: Path) -> None:
    (tmp_path / form.file).write_bytes(b"nothing of the kind")
    with pytest.raises(UsageError, match=form.file):
        form().runner(tmp_path / form.file)


def test_the_default_is_a_part() -> None:
    assert DEFAULT in {part.name for part in parts() if part.room.base is Export}
