"""Every objective keeps the contract of its room: found by discovery, made from its signature."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from house_tree import parts
from small_world import instances, named
from torch import Tensor

from limbeck.core import Batch, Knowledge, LimbeckError, Outputs, Spec, UsageError
from limbeck.objectives import Objective

KINDS = [cls for part in parts() if part.room.base is Objective for cls in [part.cls]]
FOUND = [objective for kind in KINDS for objective in instances(kind)]
EACH = pytest.mark.parametrize("objective", FOUND, ids=named(FOUND))
WIDTH, TEACHER_WIDTH, CLASSES = 5, 7, 4


@dataclass
class Case:
    """A batch for an objective: what it would meet in a step."""

    objective: Objective
    outputs: Outputs
    knowledge: Knowledge
    batch: Batch

    def loss(self) -> Tensor:
        return self.objective(self.outputs, self.knowledge, self.batch)

    def tensors(self) -> list[Tensor]:
        return [self.outputs.logits, *self.outputs.features.values()]

    def said(self) -> list[Tensor]:
        return [value for value in (self.knowledge.logits, *self.knowledge.features.values()) if value is not None]


def case(objective: Objective, n: int = 6, dtype: torch.dtype = torch.float32, same: bool = False) -> Case:
    """n samples of each domain that it reads; `same`: the teacher says what the student says, of equal samples."""
    objective = copy.deepcopy(objective)
    layers, said = sorted(objective.layers()), sorted(objective.knowledge_layers())
    torch.manual_seed(0)
    for width in (CLASSES, 1):
        student = Spec(width, dict.fromkeys(layers, (WIDTH,)))
        teacher = Spec(width, dict.fromkeys(said, (WIDTH if same else TEACHER_WIDTH,)))
        try:
            objective.build(student, teacher)
            break
        except UsageError:
            if width == 1 or "classes" in objective.needs:
                raise
    both = objective.samples == "both"
    rows = 2 * n if both else n

    def draw(columns: int) -> Tensor:
        found = torch.randn(rows, columns).to(dtype)
        return (torch.cat([found[:n]] * 2) if same and both else found).requires_grad_()

    outputs = Outputs(draw(width), {layer: draw(WIDTH) for layer in layers}, n if both else 0)
    if same:
        knowledge = Knowledge(outputs.logits.detach().clone(), {layer: draw(WIDTH) for layer in said})
    else:
        knowledge = Knowledge(draw(width), {layer: draw(TEACHER_WIDTH) for layer in said})
    known = torch.arange(n) % width if width > 1 else torch.randn(n)
    labelled = objective.samples != "target"
    several = torch.eye(2, dtype=torch.bool)[torch.arange(n) % 2] if objective.samples == "source" else None
    known = known if labelled else None
    batch = Batch(torch.zeros(rows, 1), torch.arange(rows), known, n if both else 0, several)
    return Case(objective, outputs, knowledge, batch)


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_a_finite_scalar_in_full_precision(objective: Objective, dtype: torch.dtype) -> None:
    loss = case(objective, dtype=dtype).loss()
    assert loss.shape == () and loss.dtype == torch.float32
    assert loss.isfinite()


@EACH
def test_finite_under_autocast(objective: Objective) -> None:
    made = case(objective)
    with torch.autocast("cpu", torch.bfloat16):
        loss = made.loss()
    assert loss.isfinite()
    assert loss.item() == pytest.approx(case(objective).loss().item(), rel=0.1, abs=0.05)


@EACH
def test_the_gradient_reaches_the_student_and_never_the_teacher(objective: Objective) -> None:
    made = case(objective)
    made.loss().backward()
    student = [tensor.grad for tensor in made.tensors() if tensor.grad is not None]
    assert student and all(grad.isfinite().all() for grad in student)
    assert any(grad.abs().max() > 0 for grad in student)
    assert all(tensor.grad is None for tensor in made.said())


@EACH
def test_what_trains_gets_a_gradient(objective: Objective) -> None:
    made = case(objective)
    made.loss().backward()
    for name, parameter in made.objective.named_parameters():
        assert parameter.requires_grad and parameter.grad is not None, name


@EACH
def test_the_same_again_gives_the_same(objective: Objective) -> None:
    made = case(objective)
    assert made.loss().equal(made.loss())
    assert case(objective).loss().equal(made.loss())


@EACH
@pytest.mark.parametrize(("n", "same"), [(1, False), (1, True), (6, True)], ids=["one", "one and the same", "the same"])
def test_one_sample_and_identical_inputs_behave(objective: Objective, n: int, same: bool) -> None:
    made = case(objective, n, same=same)
    try:
        loss = made.loss()
    except UsageError as error:
        assert n == 1, error
        assert re.search(r"\d", str(error)), error  # it says how many there are, and how many are needed
        return
    loss.backward()
    assert loss.isfinite()
    assert all(tensor.grad is None or tensor.grad.isfinite().all() for tensor in made.tensors())


@EACH
def test_other_widths_work_or_are_refused_with_both(objective: Objective) -> None:
    objective = copy.deepcopy(objective)
    layers, said = sorted(objective.layers()), sorted(objective.knowledge_layers())
    student = Spec(CLASSES, dict.fromkeys(layers, (WIDTH,)))
    teacher = Spec(CLASSES + 1, dict.fromkeys(said, (TEACHER_WIDTH,)))
    try:
        objective.build(student, teacher)
    except UsageError as error:
        numbers = {int(number) for number in re.findall(r"\d+", str(error))}
        assert CLASSES in numbers or WIDTH in numbers, error


@EACH
def test_it_says_what_it_reads(objective: Objective) -> None:
    assert objective.needs <= {"labels", "logits", "features", "classes", "domains"}
    assert objective.samples in ("source", "labelled", "target", "both")
    assert bool(objective.knowledge_layers()) == ("features" in objective.needs)
    made = case(objective)
    taken_away: dict[str, Callable[[], Tensor]] = {
        "labels": lambda: made.objective(made.outputs, made.knowledge, replace(made.batch, known=None)),
        "domains": lambda: made.objective(made.outputs, made.knowledge, replace(made.batch, domains=None)),
        "logits": lambda: made.objective(made.outputs, Knowledge(None, made.knowledge.features), made.batch),
    }
    for what, call in taken_away.items():
        if what in objective.needs:
            with pytest.raises(LimbeckError):
                call()
        else:
            assert call().isfinite()


@EACH
def test_the_state_makes_a_copy_equal(objective: Objective) -> None:
    made, other = case(objective), case(objective)
    for parameter in other.objective.parameters():
        torch.nn.init.constant_(parameter, 0.1)
    other.objective.load_state_dict(made.objective.state_dict())
    assert other.loss().equal(made.loss())
