"""What a search may change: places in a recipe, and what may stand there."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from annotated_types import Ge, Gt, Le, Lt

from limbeck.core import UsageError
from limbeck.objectives import Term
from limbeck.recipes._keys import Range
from limbeck.recipes._nodes import ListNode, Node, ObjectNode
from limbeck.recipes._overrides import look
from limbeck.recipes._plan import Plan
from limbeck.recipes._schema import settings_of

__all__ = ["Draw", "Extreme", "Space", "space_of"]

SMALLER, LARGER = 4, 2
"""By default a size goes from a fourth of the recipe's own to twice it."""

LIGHTER, HEAVIER = 4.0, 4.0
"""By default a weight goes from a fourth of the recipe's own to four times it; a temperature from the half."""

TEMPERATURE = "temperature"


@runtime_checkable
class Draw(Protocol):
    """Who says which number is taken: a trial of Optuna's, or an `Extreme`."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: Sequence[int]) -> int: ...


@dataclass(frozen=True)
class Extreme:
    """Draws the lowest of everything; of lists the longest where `long`."""

    long: bool

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return high if self.long and name.endswith(LENGTH) else low

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return low

    def suggest_categorical(self, name: str, choices: Sequence[int]) -> int:
        return choices[0]


LENGTH = ".length"


@dataclass(frozen=True)
class Space:
    """Places, as `--set` names them, each with a range or the list of what may stand there."""

    places: Mapping[str, Range | Sequence[Any]]

    def drawn(self, draw: Draw) -> dict[str, Any]:
        """A value for each place. What is drawn is called as its place, of a list `place.0` and so on.

        >>> Space({"student.mlp.hidden": Range(4, 64, length=(1, 2)), "training.epochs": [5, 10]}).drawn(Extreme(True))
        {'student.mlp.hidden': [4, 4], 'training.epochs': 5}
        """
        return {place: _value(draw, place, searched) for place, searched in self.places.items()}

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """What would have to be drawn for these values; None where the space lacks them.

        >>> space = Space({"student.mlp.hidden": Range(4, 64, length=(1, 2)), "training.epochs": [5, 10]})
        >>> space.parameters({"student.mlp.hidden": [8], "training.epochs": 10})
        {'student.mlp.hidden.length': 1, 'student.mlp.hidden.0': 8, 'training.epochs': 1}
        >>> space.parameters({"student.mlp.hidden": [128], "training.epochs": 10}) is None
        True
        """
        found: dict[str, Any] = {}
        for place, searched in self.places.items():
            own = _parameters(place, searched, values[place])
            if own is None:
                return None
            found |= own
        return found

    def own(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What stands at the places of a recipe; `UsageError` where it has no such place."""
        return {place: look(content, place) for place in self.places}


def _value(draw: Draw, place: str, searched: Range | Sequence[Any]) -> Any:
    if not isinstance(searched, Range):
        return searched[draw.suggest_categorical(place, range(len(searched)))]
    if searched.lengths is None:
        return _number(draw, place, searched)
    low, high = searched.lengths
    length = draw.suggest_int(place + LENGTH, low, high)
    return [_number(draw, f"{place}.{n}", searched) for n in range(length)]


def _number(draw: Draw, name: str, searched: Range) -> int | float:
    low, high, log = searched.low, searched.high, searched.logarithmic
    if searched.whole:
        return draw.suggest_int(name, int(low), int(high), log=log)
    return float(f"{draw.suggest_float(name, low, high, log=log):.4g}")  # what is trained is what is written down


def _parameters(place: str, searched: Range | Sequence[Any], value: Any) -> dict[str, Any] | None:
    if not isinstance(searched, Range):
        return {place: list(searched).index(value)} if value in searched else None
    if searched.lengths is None:
        return {place: value} if _inside(searched, value) else None
    if not isinstance(value, list | tuple) or not all(_inside(searched, item) for item in value):
        return None
    low, high = searched.lengths
    named = {f"{place}.{n}": item for n, item in enumerate(value)}
    return {place + LENGTH: len(value), **named} if low <= len(value) <= high else None


def _inside(searched: Range, value: Any) -> bool:
    number = isinstance(value, int if searched.whole else int | float) and not isinstance(value, bool)
    return number and searched.low <= value <= searched.high


def space_of(plan: Plan, row: str) -> Space:
    """The space of the recipe's `search`, or what the parts of a row declare as sizes.

    Searched by themselves are, of the student, the numbers whose type hint sets a lower bound of 0 or more and no upper
    bound, and lists of them; of the objectives but the first, the weight; of all objectives, the temperature.
    """
    given = plan.make("search").space
    found = dict(given) if given else {**_sizes(plan, row), **_balance(plan, row)}
    empty = [place for place, searched in found.items() if not isinstance(searched, Range) and not searched]
    if empty:
        raise UsageError(f"The list of what may stand at {empty[0]!r} is empty: name values, or leave the place out.")
    if not found:
        raise UsageError(
            f"Nothing can be searched of row {row!r}: its student declares no sizes. Name places in 'search.space', "
            "such as {student.mlp.hidden: {low: 4, high: 64, length: [1, 2]}}."
        )
    return Space(found)


def _sizes(plan: Plan, row: str) -> dict[str, Range]:
    own = plan.rows[row].settings["student"]
    node, place = (own, f"rows.{row}.student") if isinstance(own, ObjectNode) else (plan.tree.settings["student"], "")
    if not isinstance(node, ObjectNode) or plan.rows[row].settings["start"].make() in plan.teachers:
        return {}
    ranges = {key: _size(hint, node.settings[key].make()) for key, (hint, _) in settings_of(node.kind).items()}
    return {f"{place or 'student'}.{node.name}.{key}": found for key, found in ranges.items() if found is not None}


def _size(hint: Any, value: Any) -> Range | None:
    """The range around a value that a type hint declares as a size, or as a list of them."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        low = _lowest(hint)
        return None if low is None else _around(value, value, low)
    arguments = typing.get_args(hint)
    if isinstance(value, list | tuple) and value and len(arguments) == 1 and _lowest(arguments[0]) is not None:
        lengths = max(1, len(value) - 1), len(value) + 1
        around = _around(min(value), max(value), _lowest(arguments[0]) or 0)
        return Range(around.low, around.high, length=lengths)
    return None


def _around(least: float, most: float, bound: float) -> Range:
    if isinstance(least, int) and isinstance(most, int):
        return Range(max(1, -int(-bound // 1), least // SMALLER), most * LARGER)
    return Range(max(bound, least / SMALLER), float(most * LARGER))


def _lowest(hint: Any) -> float | None:
    """The lower bound of a number that has one, of 0 or more, and no upper bound; None of any other hint."""
    if typing.get_origin(hint) is not typing.Annotated or typing.get_args(hint)[0] not in (int, float):
        return None
    limits = typing.get_args(hint)[1:]
    lower = [limit.gt if isinstance(limit, Gt) else limit.ge for limit in limits if isinstance(limit, Gt | Ge)]
    bounded = any(isinstance(limit, Lt | Le) for limit in limits)
    low = max((float(str(limit)) for limit in lower), default=-1.0)
    return None if low < 0 or bounded else low


def _balance(plan: Plan, row: str) -> dict[str, Range]:
    """The weights and temperatures of a row's objectives: of the weights but the first, since only ratios count."""
    method = plan.rows[row].settings["method"]
    found: dict[str, Range] = {}
    for place, number, term in _terms(method, f"rows.{row}"):
        objective, weight = term.settings["objective"], term.settings["weight"].make()
        if number and isinstance(weight, int | float) and weight > 0:
            found[f"{place}.weight"] = Range(weight / LIGHTER, weight * HEAVIER)
        if isinstance(objective, ObjectNode) and TEMPERATURE in objective.settings:
            value = objective.settings[TEMPERATURE].make()
            if isinstance(value, int | float):
                # Below 1 it would only make the student surer than its teacher, which validators mistake for better.
                low = max(1.0, value / 2) if value >= 1 else value / 2
                found[f"{place}.{objective.name}.{TEMPERATURE}"] = Range(low, value * HEAVIER)
    return found


def _terms(method: Node, place: str) -> Iterator[tuple[str, int, ObjectNode]]:
    """The weighted objectives of a method with their places and numbers."""
    if not isinstance(method, ObjectNode):
        return
    for key, node in method.settings.items():
        for number, item in enumerate(node.items if isinstance(node, ListNode) else ()):
            if isinstance(item, ObjectNode) and issubclass(item.kind, Term):
                yield f"{place}.{method.name}.{key}.{number}", number, item
