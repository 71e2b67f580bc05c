"""What the source-free methods share: no term may reach beyond what they may see."""

from __future__ import annotations

import pytest

from limbeck.core import UsageError
from limbeck.distances.coral import Coral
from limbeck.methods.dine import Dine
from limbeck.methods.shot import Shot
from limbeck.objectives import Term
from limbeck.objectives.align import Align
from limbeck.objectives.bnm import Bnm
from limbeck.objectives.cross_entropy import CrossEntropy
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
