"""The base of methods that add losses to objectives: what is read, by what is normalised, what none may reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from small_world import CLASSES, WIDTH, network

from limbeck.core import Batch, Knowledge, Spec, UsageError
from limbeck.distances.coral import Coral
from limbeck.methods import Stream, Update
from limbeck.methods._composed import Composed
from limbeck.methods.dine import Dine
from limbeck.methods.distill import Distill
from limbeck.methods.shot import Shot
from limbeck.networks import Observed
from limbeck.objectives import Term
from limbeck.objectives.align import Align
from limbeck.objectives.bnm import Bnm
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.information_max import InformationMax
from limbeck.objectives.kl import Kl


@pytest.mark.parametrize("kind", [Shot, Dine])
@pytest.mark.parametrize("objective", [CrossEntropy(), Align(Coral()), Term(Kl(), on="source"), Term(Bnm(), on="both")])
def test_terms_on_the_source_are_refused(kind, objective) -> None:
    name = type(objective.objective if isinstance(objective, Term) else objective).__module__.rpartition(".")[2]
    message = rf"The 'objectives' of {kind.__name__.lower()} must be terms on the target.*Got '{name}'"
    with pytest.raises(UsageError, match=message):
        kind(objectives=[objective])


@pytest.mark.parametrize("kind", [Shot, Dine])
def test_terms_on_the_target_are_taken(kind) -> None:
    method = kind(objectives=[Bnm(), Term(CrossEntropy(), on="labelled")])
    assert method.source_free
    assert method.reads() == ("labelled", "target")


def test_of_a_black_box_only_the_top_answers_cross() -> None:
    with pytest.raises(UsageError, match=r"The 'objectives' of dine must be terms without a teacher.*Got 'kl'"):
        Dine(objectives=[Kl()])
    assert Shot(objectives=[Kl()]).requires() == {"start", "teacher"}


class Both(Composed):
    """Reads the target, whatever its objectives read, and goes on from another row."""

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    needs: ClassVar[frozenset[str]] = frozenset({"start"})

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        outputs, losses = self.said(batches, knowledge)
        return [Update(losses | {"own": outputs["target"].logits.square().mean()})]


def test_streams_and_needs_are_those_of_the_class_and_of_its_terms() -> None:
    assert Both([CrossEntropy()]).reads() == ("source", "target")
    assert Both([]).reads() == ("target",) and Both([]).requires() == {"start"}
    assert Both([Kl()]).requires() == {"start", "teacher"} and Both([Kl()]).knowledge_streams() == {"target"}


def test_own_losses_and_objectives_share_one_pass() -> None:
    method, student = Both([CrossEntropy(), InformationMax()]), Observed(network(3))
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    source = Batch(torch.randn(6, WIDTH), torch.arange(6), torch.arange(6) % 3)
    (update,) = method.train()({"source": source, "target": Batch(torch.randn(4, WIDTH), torch.arange(4))}, {})
    assert set(update.losses) == {"cross_entropy", "information_max", "own"}
    assert student.network[1].num_batches_tracked == 2


def test_statistics_of_the_target_alone() -> None:
    """After one batch of each, BatchNorm's mean has moved a tenth of the way to the target's."""
    method, student = Distill([CrossEntropy(), InformationMax()], statistics="target"), Observed(network(3))
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    source = Batch(torch.randn(6, WIDTH) - 9, torch.arange(6), torch.arange(6) % 3)
    target = Batch(torch.randn(4, WIDTH) + 3, torch.arange(4))
    method.train()({"source": source, "target": target}, {})
    expected = 0.1 * student.network[0](target.inputs).mean(0)
    torch.testing.assert_close(student.network[1].running_mean, expected)


def test_statistics_of_a_target_that_nobody_reads_are_refused() -> None:
    with pytest.raises(UsageError, match="The 'statistics' of distill must be 'separate' or 'joint'"):
        Distill([CrossEntropy()], statistics="target")
    Both([CrossEntropy()], statistics="target")
