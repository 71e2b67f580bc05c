"""The second round of a contest: its teacher is adapted first, and then teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from limbeck.core.files import read_json
from limbeck.methods import Candidates, Evidence, Method
from limbeck.recipes._context import Context
from limbeck.recipes._networks import built_teacher
from limbeck.recipes._nodes import ObjectNode
from limbeck.recipes._rooms import parts_of
from limbeck.recipes._teachers import teacher_folder, teacher_is_ready
from limbeck.recipes._training_stages import train_teacher

__all__ = ["PASSES", "SecondRound", "offered", "second_round"]

PASSES = 2.5
"""Adapting takes about so many times as long as training on the source alone."""

LARGEST = 0.5
"""A teacher is adapted where that takes at most this share of the budget."""


@dataclass(frozen=True)
class SecondRound:
    """A teacher that can be adapted.

    of, name: the teacher, and how it is called once it is adapted. ways: by which methods, as rows of a recipe.
    seconds: about what that takes.
    """

    of: str
    name: str
    ways: Mapping[str, Mapping[str, Any]]
    seconds: float

    def fits(self, budget: float) -> bool:
        """Whether the budget, in seconds, allows it."""
        return self.seconds <= LARGEST * budget

    def best(self, ranks: Mapping[str, float]) -> str | None:
        """What adapted the student best, of what can adapt a teacher."""
        tried = [name for name in ranks if name in self.ways]
        return max(tried, key=ranks.__getitem__) if tried else None

    def adapted(self, way: str) -> dict[str, Any]:
        """The teacher as `Plan.with_adapted` takes it."""
        return {"name": self.name, "of": self.of, "way": way, "method": self.ways[way]}

    def train(self, context: Context, tick: Callable[[float], None]) -> float:
        """Train it with the first seed, where it is not yet; the seconds of that. context: of a plan that has it."""
        seed = context.plan.seeds[0]
        if teacher_is_ready(context, self.name, seed):
            return float(read_json(teacher_folder(context, self.name, seed) / "done.json")["seconds"])
        return float(train_teacher(context, self.name, seed, tick)["seconds"])

    def rows(self, way: str, known: Mapping[str, ObjectNode], rows: Candidates) -> dict[str, dict[str, Any]]:
        """The candidates that it teaches: those that were taught without any adaptation, and those by its own way."""
        taught = [name for name, node in known.items() if "teacher" in node.make().method.requires()]
        again = [name for name in taught if name == way or name not in self.ways]
        return {f"{name}_from_adapted": {**rows[name], "teacher": self.name} for name in again}


def second_round(context: Context, evidence: Evidence) -> SecondRound | None:
    """None where no teacher can be adapted: it comes from a file, has a method of its own, or nothing asks for it."""
    plan, of = context.plan, evidence.teacher
    if of is None or evidence.source_free or not (evidence.apart and evidence.soft):
        return None
    name, seed = f"{of}_adapted", plan.seeds[0]
    if plan.teachers[of].make().method is not None or name in (*plan.names("teachers"), *plan.names("rows")):
        return None
    if built_teacher(plan, of, seed, context.frame).trainable() is None:
        return None
    ways = {
        way: row
        for way, row in offered(replace(evidence, teacher=None, provides=frozenset(), copied=False)).items()
        if not row.keys() & {"student", "start"} and not parts_of(Method)[next(iter(row))].closed_form
    }
    done = read_json(teacher_folder(context, of, seed) / "done.json")
    return SecondRound(of, name, ways, PASSES * done["seconds"]) if ways else None


def offered(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """What the methods offer for these data, the quick ones first."""
    kinds: Sequence[type[Method]] = sorted(parts_of(Method).values(), key=lambda kind: not kind.closed_form)
    return {name: dict(row) for kind in kinds for name, row in kind.candidates(evidence).items()}
