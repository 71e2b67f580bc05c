"""The stage that chooses a method where the recipe leaves it open: a contest without target labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from limbeck.core import RunError, Spec, UsageError, some_of
from limbeck.core.weights import load_weights, read_weights
from limbeck.evaluation import (
    BETWEEN_METHODS,
    DEFAULT_VALIDATOR,
    Observations,
    applicable,
    better_on_source,
    combined,
    validate,
)
from limbeck.recipes._check import ON_SOURCE, check_plan
from limbeck.recipes._contest_evidence import gathered
from limbeck.recipes._contest_teacher import PASSES, offered, second_round
from limbeck.recipes._contest_words import explained
from limbeck.recipes._context import Context
from limbeck.recipes._fit import check_fit
from limbeck.recipes._keys import OPEN, AutoPlan
from limbeck.recipes._networks import built_method
from limbeck.recipes._nodes import ObjectNode, ValueNode
from limbeck.recipes._plan import Plan, read_row
from limbeck.recipes._schema import Faults
from limbeck.recipes._training_stages import student_folder, teacher_stage, train_student
from limbeck.training import SOURCE_SIDE, predict, represent

__all__ = ["contest_stage", "recall_choice"]

FOLDER = "contest"
"""In the run's folder, where the candidates are trained."""

SCORED = 2000
"""At most so many samples of each selection split are scored."""

TIMED, LONG = 3, 1.0
"""So many epochs of the baseline are timed, fewer where one takes longer than so many seconds."""

READ = (*BETWEEN_METHODS, "calibrated_information", DEFAULT_VALIDATOR, ON_SOURCE)
"""The validators that candidates are scored by: some choose, the others stand beside them in the record."""


def contest_stage(context: Context) -> None:
    """Choose the method of the open row, where there is one, and put the row into the plan."""
    if context.plan.open_row is None:
        return
    choice = _Contest(context).held()
    context.keep(OPEN, choice)
    context.console.say(choice["why"])
    recall_choice(context)
    teacher_stage(context)  # of a teacher that was adapted, the other seeds


def recall_choice(context: Context) -> None:
    """Put the row that a contest chose into the plan, where it was held before."""
    if context.plan.open_row is None:
        return
    choice = context.known(OPEN)
    if choice is not None:
        context.plan = context.plan.decide(choice)
        check_fit(context)


class _Contest:
    """The candidates of one run, each trained for a while with the first seed, then compared."""

    def __init__(self, context: Context):
        self.context, self.plan, self.seed = context, context.plan, context.plan.seeds[0]
        self.settings: AutoPlan = context.plan.make("auto")
        self.evidence = gathered(context, self.settings)
        self.left: dict[str, str] = {}
        self.epochs, self.spent = 0, 0.0
        self.offered = offered(self.evidence)
        self.rows = {self.plan.baseline: self.plan.rows[self.plan.baseline], **self._readable(self.offered)}
        self.second = second_round(context, self.evidence) if len(self.rows) > 1 else None
        if self.second is not None and not self.second.fits(self._budget):
            minutes = self.second.seconds / 60
            self.left[self.second.name] = f"adapting the teacher takes about {minutes:.1f} minutes of the budget"
            self.second = None

    @property
    def _budget(self) -> float:
        return 60 * self.settings.budget

    def held(self) -> dict[str, Any]:
        """The choice: the winner's row (None for the baseline, or where there is nothing to choose from), and why."""
        scores: dict[str, dict[str, float]] = {}
        adapted = None
        if len(self.rows) > 1:
            self.epochs = self.context.choose(FOLDER, self._measured)["epochs"]
            self._train(self.rows)
        if len(self.rows) > 1:  # still, of those that the budget had room for
            scores = {name: self._scores(name) for name in self.rows}
            adapted = self._adapted(self._ranked(scores))
            scores |= {name: self._scores(name) for name in self.rows if name not in scores}
        ranks, by = self._ranked(scores), self._validators(scores)
        winner = max(ranks, key=ranks.__getitem__) if ranks else self.plan.baseline
        doubted = by == [ON_SOURCE] and self.evidence.apart  # where domains are alike the source speaks for the target
        if doubted and winner != self.plan.baseline and not self._better(winner):
            winner = self.plan.baseline
        row = None if winner == self.plan.baseline else self.offered[winner] | {"title": f"auto: {winner}"}
        taught = adapted is not None and row is not None and row.get("teacher") == adapted["name"]
        choice = {
            "row": row,
            "adapted": adapted if taught else None,
            "winner": winner,
            "baseline": self.plan.baseline,
            "by": by,
            "epochs": self.epochs,
            "minutes": round(self.spent / 60, 4),
            "candidates": [
                {"name": name, "score": round(ranks[name], 4), "scores": scores[name]}
                for name in sorted(ranks, key=lambda name: -ranks[name])
            ],
            "left_out": self.left,
        }
        names = (self.context.source.name, self.context.target.name)
        return {"why": explained(self.evidence, names, choice), **choice}

    def _adapted(self, ranks: Mapping[str, float]) -> dict[str, Any] | None:
        """The second round: the teacher is adapted by what adapted the student best, and candidates learn from it."""
        way = None if self.second is None else self.second.best(ranks)
        if self.second is None or way is None:
            return None
        adapted, rows = self.second.adapted(way), self.second.rows(way, self.rows, self.offered)
        if self.spent + self.second.seconds > self._budget:
            self.left |= dict.fromkeys(rows, f"the budget of {self.settings.budget:g} minutes was spent")
            return None
        self.plan = self.plan.with_adapted(adapted)
        self.context = replace(self.context, plan=self.plan)
        with self.context.console.progress("adapted teacher", 1) as show:
            try:
                self.spent += self.second.train(self.context, partial(_tell, show, 0, way))
            except RunError as error:
                self.left[self.second.name] = str(error)
                return None
        self.offered |= rows
        self._train(self._readable(rows))
        return adapted

    def _readable(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, ObjectNode]:
        """Of these rows those that can be carried out."""
        found = {}
        for name, row in rows.items():
            try:
                node = read_row(name, row)
                self._check(name, node)
            except UsageError as error:
                self.left[name] = str(error).splitlines()[-1].strip(" -")
            else:
                found[name] = node
        return found

    def _check(self, name: str, node: ObjectNode) -> None:
        trial, faults = self._trial({name: node}), Faults()
        check_plan(trial, faults)
        faults.raise_any(name)
        check_fit(replace(self.context, plan=trial))

    def _trial(self, rows: Mapping[str, ObjectNode], **training: Any) -> Plan:
        shortened = {name: _changed(node, training) for name, node in rows.items()}
        return self.plan.trial(shortened, self.seed)

    def _train(self, rows: Mapping[str, ObjectNode]) -> None:
        """Train candidates, as far as the budget goes; `rows` are then those that have been."""
        plan = self._trial({**self.rows, **rows}, epochs=self.epochs, compile=False)
        self.context = replace(self.context, plan=plan, students=FOLDER)
        trained = {name: node for name, node in self.rows.items() if name not in rows}
        with self.context.console.progress("contest", len(rows)) as show:
            for number, (name, node) in enumerate(rows.items()):
                if self.spent > self._budget:
                    self.left[name] = f"the budget of {self.settings.budget:g} minutes was spent"
                    continue
                try:
                    done = train_student(self.context, name, self.seed, partial(_tell, show, number, name))
                except RunError as error:
                    self.left[name] = str(error)
                    continue
                self.spent += done["seconds"]
                trained[name] = node
        self.rows = trained

    def _measured(self) -> dict[str, Any]:
        """How many epochs of each candidate fit into the budget, by the time that one of the baseline takes.

        The least of some counts: what else the machine does only adds to it, and is not to decide the contest.
        """
        names = [f"one_epoch_{number}" for number in range(TIMED)]
        plan = self._trial(dict.fromkeys(names, self.rows[self.plan.baseline]), epochs=1, compile=False)
        context, seconds = replace(self.context, plan=plan, students=FOLDER), math.inf
        for name in names:
            seconds = min(seconds, train_student(context, name, self.seed, lambda share: None)["seconds"])
            if seconds > LONG:
                break
        trained = sum(not node.make().method.closed_form for node in self.rows.values())
        budget = self._budget
        if self.second is not None:
            budget, trained = budget - self.second.seconds, trained + 2
        fitting = int(budget / (max(1, trained) * PASSES * max(seconds, 1e-3)))
        epochs = self.plan.make("training").epochs
        return {"epochs": max(1, min(epochs, fitting)), "epoch_seconds": seconds}

    def _scores(self, name: str) -> dict[str, float]:
        seen = self._observed(name)
        return {validator: validate(validator, seen) for validator in applicable(seen) if validator in READ}

    def _observed(self, name: str) -> Observations:
        """What the validators see of a candidate: its answers and features on the selection splits."""
        context, folder = self.context, student_folder(self.context, name, self.seed)
        state, about = read_weights(folder / "weights.safetensors")
        layers = {layer: tuple(size) for layer, size in about["knowledge"]["layers"].items()}
        knowledge = Spec(about["knowledge"]["outputs"], layers)
        method = built_method(context.plan, name, self.seed, context.frame, knowledge)
        load_weights(method.evaluated.network, state, name)
        student, target = method.evaluated, context.target.split_inputs("selection", SCORED)
        seen = Observations(
            torch.empty(0, context.task.outputs),
            torch.empty(0, dtype=torch.int64),
            predict(student, target),
            context.task,
            target_features=represent(student, target).flatten(1).float(),
        )
        if self.evidence.source_free:
            return seen
        source, labels = context.source.split_inputs("selection", SCORED), context.source.view().labels("selection")
        shown = method.on_source
        if (folder / SOURCE_SIDE).exists():
            load_weights(shown.network, read_weights(folder / SOURCE_SIDE)[0], name)
        return replace(
            seen,
            source_logits=predict(shown, source),
            source_labels=labels[some_of(len(labels), SCORED)],
            source_features=represent(shown, source).flatten(1).float(),
        )

    def _validators(self, scores: Mapping[str, Mapping[str, float]]) -> list[str]:
        """Those that all candidates have: on the source alone where it is like the target, or nothing else can be."""
        common = set.intersection(*map(set, scores.values())) if scores else set()
        if ON_SOURCE in common and (not self.evidence.apart or not common & set(BETWEEN_METHODS)):
            return [ON_SOURCE]
        return [name for name in BETWEEN_METHODS if name in common]

    def _better(self, winner: str) -> bool:
        """Beyond chance on the source, which says little enough of the target."""
        return better_on_source(self._observed(winner), self._observed(self.plan.baseline))

    def _ranked(self, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The mean rank of each candidate, in [0, 1], or the score of the one validator; the first of the best wins."""
        if not scores:
            return {}
        table = {by: [scores[name][by] for name in scores] for by in self._validators(scores)}
        if len(table) == 1:
            return dict(zip(scores, *table.values(), strict=True))
        return dict(zip(scores, combined(table).tolist(), strict=True))


def _tell(show: Any, number: int, name: str, share: float) -> None:
    show(number + share, name)


def _changed(node: ObjectNode, training: Mapping[str, Any]) -> ObjectNode:
    own = {**node.settings["training"].make(), **training}
    return replace(node, settings={**node.settings, "training": ValueNode(own)})
