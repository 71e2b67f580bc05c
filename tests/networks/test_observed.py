"""Inner layers by hooks: what the head reads, any named layer, nothing left behind."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest
import torch
from small_world import WIDTH, network
from torch import Tensor, nn

from limbeck.core import FEATURES, Spec, UsageError
from limbeck.networks import Observed, evaluating, head_of
from limbeck.networks.mlp import Mlp

INPUTS = torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(0))


def test_features_are_what_the_head_reads() -> None:
    observed = Observed(network(3)).eval()
    outputs = observed(INPUTS)
    assert outputs.logits.equal(observed.network(INPUTS))
    assert outputs.feature().equal(observed.network[:-1](INPUTS))
    assert set(outputs.features) == {FEATURES}


def test_named_layers_are_given_too_and_carry_gradients() -> None:
    observed = Observed(network(3), ["2", FEATURES, "0"])
    outputs = observed(INPUTS)
    assert {name: tuple(value.shape) for name, value in outputs.features.items()} == {
        "0": (4, 8),
        "2": (4, 8),
        FEATURES: (4, 6),
    }
    outputs.feature("2").sum().backward()
    assert observed.network[0].weight.grad is not None and observed.network[4].weight.grad is None


def test_an_unknown_layer_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match=r"has no layer 'body\.00'. Did you mean 'body"):
        made = Mlp(hidden=[4])
        made.build((WIDTH,), 3)
        Observed(made, ["body.00"])


def test_the_head_is_our_own_or_the_last_linear_layer() -> None:
    made = Mlp(hidden=[4])
    made.build((WIDTH,), 3)
    assert head_of(made) == "head" and head_of(network(3)) == "6"
    with pytest.raises(UsageError, match="no linear layer"):
        head_of(nn.Sequential(nn.Conv2d(1, 1, 1)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.LSTM(WIDTH, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs[:, None])[0][:, -1])


def test_a_layer_that_gives_no_tensor_is_refused() -> None:
    assert Observed(Recurrent())(INPUTS).feature().shape == (4, 4)
    with pytest.raises(UsageError, match="layer 'body' gives a tuple"):
        Observed(Recurrent(), ["body"]).spec((WIDTH,))


def test_the_spec_is_found_without_changing_anything() -> None:
    observed = Observed(network(3), ["2"]).train()
    observed.network[1].eval()
    before = copy.deepcopy(observed.state_dict())
    assert observed.spec((WIDTH,)) == Spec(3, {FEATURES: (6,), "2": (8,)})
    assert all(value.equal(before[name]) for name, value in observed.state_dict().items())
    assert observed.training and observed.network[3].training and not observed.network[1].training


class Fussy(nn.Module):
    """Checks its inputs by assertion, as networks for images do."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        assert inputs.shape[1] == WIDTH, "wrong width"
        return self.head(inputs)


@pytest.mark.parametrize("made", [network(3), Fussy()], ids=["RuntimeError", "AssertionError"])
def test_samples_of_another_shape_are_refused(made: nn.Module) -> None:
    with pytest.raises(UsageError, match=r"cannot read samples of shape \[6\]"):
        Observed(made).spec((WIDTH + 1,))


def test_outputs_that_are_no_matrix_are_refused() -> None:
    with pytest.raises(UsageError, match=r"must give \[n, outputs\]. Got a tensor of shape \[2, 7, 3\]"):
        Observed(nn.Sequential(nn.Linear(WIDTH, 3))).spec((7, WIDTH))


def test_nothing_is_kept_between_calls() -> None:
    """Neither by the observed network, nor by one whose network another trains: it would hold each step's graph."""
    teacher = Observed(network(3), ["2"])
    student = Observed(teacher.network)
    kept: list[weakref.ref[Tensor]] = []
    teacher.network[2].register_forward_hook(lambda module, inputs, output: kept.append(weakref.ref(output)))
    for call in (teacher, student, teacher.network):
        call(INPUTS)
        gc.collect()
        assert kept.pop()() is None
    assert set(teacher(INPUTS).features) == {FEATURES, "2"} and set(student(INPUTS).features) == {FEATURES}


def test_a_failed_call_leaves_nothing() -> None:
    observed = Observed(network(3), ["0"])
    with pytest.raises(RuntimeError):
        observed(torch.zeros(4, WIDTH + 1))
    assert set(observed(INPUTS).features) == {FEATURES, "0"}


def test_a_copy_observes_itself() -> None:
    observed = Observed(network(3), ["2"]).eval()
    copied = copy.deepcopy(observed)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert copied(INPUTS).feature("2").abs().max() == 0
    assert observed(INPUTS).feature("2").abs().max() > 0


def test_modes_come_back_even_after_a_failure() -> None:
    made = network(3).train()
    made[1].eval()
    with pytest.raises(ZeroDivisionError), evaluating(made):
        assert not any(module.training for module in made.modules())
        raise ZeroDivisionError
    assert [module.training for module in made[:4]] == [True, False, True, True]
