"""Distillation: which streams are read, how they pass through the student, what is refused."""

from __future__ import annotations

import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World, network

from limbeck.core import Batch, Knowledge, Spec, Task, UsageError
from limbeck.distances.coral import Coral
from limbeck.methods.distill import Distill
from limbeck.networks import Observed
from limbeck.objectives import Schedule, Term
from limbeck.objectives.align import Align
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl, kl
from limbeck.objectives.mean_squared_error import MeanSquaredError


def built(objectives, task: Task = CLASSES, **more) -> Distill:
    method = Distill(objectives, **more)
    student = Observed(network(task.outputs), method.student_layers())
    method.build(student, task, student.spec((WIDTH,)), Spec(task.outputs))
    return method


def batches() -> dict[str, Batch]:
    torch.manual_seed(0)
    source = Batch(torch.randn(6, WIDTH), torch.arange(6), torch.arange(6) % 3)
    return {"source": source, "target": Batch(torch.randn(4, WIDTH) + 3, torch.arange(4))}


@pytest.mark.parametrize(
    ("objectives", "reads", "knowledge"),
    [
        ([CrossEntropy()], ("source",), set()),
        ([Kl(), CrossEntropy()], ("source", "target"), {"target"}),
        ([Term(Kl(), on="labelled"), Term(CrossEntropy(), on="labelled")], ("labelled",), {"labelled"}),
        ([Align(Coral(), layer="2")], ("source", "target"), set()),
        ([Term(Kl(), on="both")], ("source", "target"), {"source", "target"}),
    ],
)
def test_it_reads_what_its_terms_need(objectives, reads: tuple[str, ...], knowledge: set[str]) -> None:
    method = Distill(objectives)
    assert method.reads() == reads
    assert method.knowledge_streams() == knowledge
    assert method.requires() == (frozenset({"teacher"}) if knowledge else frozenset())
    assert method.student_layers() == {layer for o in method.terms.terms for layer in o.objective.layers()}


def test_the_classic_loss() -> None:
    """Hard labels on the source, soft labels on the target, each over its own samples."""
    method = built([Term(CrossEntropy(), 0.3), Term(Kl(4.0), 0.7)]).eval()
    said = Knowledge(torch.randn(4, 3))
    found = batches()
    (update,) = method(found, {"target": said})
    source, target = (method.student(found[name].inputs).logits for name in ("source", "target"))
    hard = torch.nn.functional.cross_entropy(source, found["source"].labels)
    assert update.losses["cross_entropy"].item() == pytest.approx(0.3 * hard.item(), rel=1e-5)
    assert update.losses["kl"].item() == pytest.approx(0.7 * kl(target, said.scores(), 4.0).item(), rel=1e-5)


def test_separate_statistics_see_one_domain_at_a_time_and_joint_ones_both() -> None:
    losses = {}
    for statistics in ("separate", "joint"):
        torch.manual_seed(0)
        method = built([CrossEntropy(), Align(Coral())], statistics=statistics)
        method.student.network[3].p = 0.0
        method.train()
        losses[statistics] = method(batches(), {})[0].losses["cross_entropy"].item()
        alone = torch.nn.functional.cross_entropy(
            method.student(batches()["source"].inputs).logits, batches()["source"].labels
        )
        assert (losses[statistics] == pytest.approx(alone.item(), rel=1e-5)) == (statistics == "separate")
        steps = method.student.network[1].num_batches_tracked.item()
        assert steps == (3 if statistics == "separate" else 2)  # with the one above


def test_in_evaluation_mode_both_are_the_same() -> None:
    found = []
    for statistics in ("separate", "joint"):
        torch.manual_seed(0)
        found.append(built([CrossEntropy(), Align(Coral())], statistics=statistics).eval()(batches(), {})[0].losses)
    for name in found[0]:
        assert found[0][name].item() == pytest.approx(found[1][name].item(), rel=1e-4)


def test_schedules_reach_weights_and_temperatures() -> None:
    method = built([CrossEntropy(), Term(Kl(Schedule(start=8.0, end=2.0)), Schedule(start=0.0, end=1.0))])
    method.at(0.5)
    term = method.terms.terms[1]
    assert term.factor == 0.5 and term.objective.current == 5.0


def test_no_objective_is_refused() -> None:
    with pytest.raises(UsageError, match="'objectives' of distill must be a list with at least one"):
        Distill([])


@pytest.mark.parametrize("objective", [Kl(), CrossEntropy()])
def test_losses_of_classes_are_refused_for_a_regression(objective) -> None:
    """The KL of one output is 0 whatever it says: nothing would be learnt, in silence."""
    with pytest.raises(UsageError, match=r"is a loss of classes, and the task is regression"):
        built([objective], VALUES)
    built([MeanSquaredError(to="labels"), MeanSquaredError(to="teacher")], VALUES)


def test_the_teacher_of_other_classes_is_refused() -> None:
    method = Distill([Kl()])
    student = Observed(network(3))
    with pytest.raises(UsageError, match="student has 3 outputs and the teacher 4"):
        method.build(student, CLASSES, student.spec((WIDTH,)), Spec(4))


def test_it_learns_what_only_the_teacher_knows() -> None:
    """Soft labels alone, of a linear teacher, on the target: the student comes to agree with it."""
    torch.manual_seed(0)
    inputs, teacher = World().domain("target").inputs, torch.nn.Linear(WIDTH, 3)
    said = Knowledge(teacher(inputs).detach() * 4)
    method = built([Kl(2.0)])
    method.student.network[3].p = 0.0
    optimiser = torch.optim.Adam(method.parameters(), 0.02)
    batch = {"target": Batch(inputs, torch.arange(60))}
    for _ in range(150):
        optimiser.zero_grad()
        sum(method(batch, {"target": said})[0].losses.values()).backward()
        optimiser.step()
    agreement = (method.student(inputs).logits.argmax(1) == said.scores().argmax(1)).float().mean()
    assert agreement > 0.95
