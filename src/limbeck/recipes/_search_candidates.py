"""What a search tries: the recipe with other values, narrowed to what one row needs, and what its student costs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from limbeck.compression import multiply_adds, network_bytes
from limbeck.core import UsageError
from limbeck.networks import Observed
from limbeck.recipes._context import Context
from limbeck.recipes._fit import check_fit
from limbeck.recipes._keys import SearchPlan
from limbeck.recipes._load import load_plans
from limbeck.recipes._networks import built_student
from limbeck.recipes._overrides import put
from limbeck.recipes._plan import Plan
from limbeck.recipes._search_space import Extreme, Space, space_of
from limbeck.recipes._training_stages import milliseconds_per_sample, train_student
from limbeck.training import Hopeless, never

__all__ = ["Candidates", "searched_row"]

Values = Mapping[str, Any]

UNITS = {"bytes": "bytes", "multiply_adds": "multiply-adds", "latency": "milliseconds"}


def searched_row(plan: Plan) -> str:
    """The row whose student is searched: the recipe's word, or the last that does not read the target's labels."""
    asked = plan.make("search").row
    fit = [name for name, node in plan.rows.items() if "target_labels" not in node.make().method.requires()]
    if asked is None and fit and plan.open_row is None:
        return fit[-1]
    if plan.open_row is not None and asked in (None, plan.open_row):
        raise UsageError(
            "The method of the row is not chosen yet: let `limbeck run` choose it with --stages teacher,gap,contest, "
            "and search then."
        )
    if asked not in fit:
        of = "Every row" if asked is None else f"The row {asked!r}"
        raise UsageError(f"search.row: {of} reads all labels of the target, which a search may not see.")
    return str(asked)


class Candidates:
    """The students of one search: each is the recipe with other values at the places of the space."""

    def __init__(self, context: Context):
        self.context, self.row = context, searched_row(context.plan)
        self.settings: SearchPlan = context.plan.make("search")
        self.space: Space = space_of(context.plan, self.row)
        self.rows = _chain(context.plan, self.row)
        self.content = _narrowed(context.plan, self.rows)
        self.own = self.space.own(self.content)
        limited = [name for name, limit in asdict(self.settings.budget).items() if limit is not None]
        self.costs: list[str] = list(self.settings.costs) or limited or ["bytes"]
        self.counted = list(dict.fromkeys([*self.costs, *limited]))

    def at(self, values: Values, students: str) -> Context:
        """The run with these values, its students in a folder of their own; `UsageError` where they are none."""
        content = copy.deepcopy(self.content)
        for place, value in values.items():
            put(content, place, value)
        (plan,) = load_plans(content)
        return replace(self.context, plan=plan, students=students)

    def recipe(self, values: Values) -> dict[str, Any]:
        """The whole recipe with these values, as it may be written down."""
        content = copy.deepcopy(self.context.plan.dump())
        content["rows"][self.row] = self.context.plan.rows[self.row].dump()
        del content["search"]
        for place, value in values.items():
            put(content, place, value)
        return content

    def measured(self, values: Values) -> dict[str, float]:
        """What the student with these values costs, before any training; `UsageError` where there can be none."""
        context = self.at(values, "")
        network = built_student(context.plan, self.row, context.plan.seeds[0], context.frame)
        observed, inputs = Observed(network), context.target.split_inputs("selection", 1)
        observed.spec(context.frame.shape)
        ways: dict[str, Callable[[], float]] = {
            "bytes": lambda: network_bytes(network),
            "multiply_adds": lambda: multiply_adds(network, inputs),
            "latency": lambda: round(milliseconds_per_sample(observed, inputs), 4),
        }
        return {name: ways[name]() for name in self.counted}

    def check(self, values: Values) -> None:
        """`UsageError` where the values do not suit the data, the teacher or the method."""
        check_fit(self.at(values, ""))

    def allowed(self, costs: Mapping[str, float]) -> bool:
        """Whether the budget admits these costs."""
        limits = asdict(self.settings.budget)
        return all(limits[name] is None or cost <= limits[name] for name, cost in costs.items())

    def check_budget(self, draws: int, random: Callable[[int], Values]) -> None:
        """`UsageError` where no student of the space is found within the budget; random: number → values."""
        smallest, fault = dict[str, float](), "none was found"
        drawn: list[Values] = []
        for number in range(-2, draws):
            values = random(number) if number >= 0 else self.space.drawn(Extreme(long=number == -1))
            if values in drawn:
                continue
            drawn.append(values)
            try:
                costs = self.measured(values)
                if self.allowed(costs):
                    self.check(values)
                    return
            except UsageError as error:
                fault = str(error)
                continue
            smallest = {name: min(cost, smallest.get(name, cost)) for name, cost in costs.items()}
        if not smallest:
            raise UsageError(f"No student of the search's space can be built: {fault}")
        raise UsageError(
            f"No student of the search's space is within the budget of {_in_words(asdict(self.settings.budget))}. Of "
            f"{len(drawn)} students, the least: {_in_words(smallest)}. Raise 'search.budget', or widen 'search.space'."
        )

    def train(
        self, context: Context, seed: int, tick: Callable[[float], None], hopeless: Hopeless = never
    ) -> dict[str, Any]:
        """Train the row, and before it those that it starts from; its `done.json`."""
        for name in self.rows[:-1]:
            train_student(context, name, seed, lambda share: None)
        return train_student(context, self.row, seed, tick, hopeless)


def _in_words(costs: Mapping[str, float | None]) -> str:
    return " and ".join(f"{cost:,} {UNITS[name]}" for name, cost in costs.items() if cost is not None)


def _chain(plan: Plan, row: str) -> list[str]:
    """A row, and before it the rows from which it starts."""
    start = plan.rows[row].make().start
    return [*(_chain(plan, start) if start in plan.rows else []), row]


def _narrowed(plan: Plan, rows: list[str]) -> dict[str, Any]:
    """The recipe with these rows and the teachers that they need, alone."""
    content = plan.dump()
    asked = {str(plan.rows[name].make().start) for name in rows}
    asked |= {str(plan.teacher_of(name)) for name in rows if plan.rows[name].make().method.knowledge_streams()}
    consulted = {
        member for name in asked & plan.teachers.keys() for member in plan.teachers[name].make().teacher.consults()
    }
    teachers = {name: teacher for name, teacher in content["teachers"].items() if name in asked | consulted}
    return content | {
        "rows": {name: {**plan.rows[name].dump(), "compress": []} for name in rows},
        "teachers": teachers,
        "baseline": rows[-1],
        "export": [],
        "training": {**content["training"], "compile": False},  # what it takes to compile is paid at every trial
    }
