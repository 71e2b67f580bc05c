"""Every part keeps its room's contract: found by discovery, so that a new file is held to it with no edit here."""

from __future__ import annotations

import importlib
import inspect
import sys

import pytest
from house_tree import Part, parts, rooms

DOCUMENTED = {"objectives": ("Paper:", "Needs:", "Range:")}
"""The lines that a room asks of each part's docstring."""

FORMULA = ("distances",)
"""The rooms whose parts give a formula, in backticks, or name their paper."""


def constructor_faults(cls: type) -> list[str]:
    """What makes a constructor unfit as a schema."""
    faults = []
    signature = inspect.signature(cls)
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            faults.append(f"takes *{name}: a misspelt setting would pass")
        elif parameter.annotation is parameter.empty:
            faults.append(f"{name} has no type, and the type is the validation")
        elif parameter.default is parameter.empty and name not in (inspect.getdoc(cls) or ""):
            faults.append(f"{name} has no default and is not in the docstring")
    return faults


def docstring_faults(cls: type, room: str) -> list[str]:
    own = cls.__dict__.get("__doc__") or ""
    heads = [line.split()[0] for line in own.splitlines() if line.split()]
    faults = [] if own else ["has no docstring"]
    faults += [f"has no line '{word}'" for word in DOCUMENTED.get(room, ()) if word not in heads]
    if room in FORMULA and "`" not in own and "Paper:" not in own:
        faults.append("gives neither its formula nor its paper")
    return faults


def part_faults(part: Part) -> list[str]:
    module = importlib.import_module(part.module)
    public = getattr(module, "__all__", None)
    if public is None or len(public) != 1:
        return [f"__all__ must hold exactly one name. Got {public}"]
    cls = getattr(module, public[0])
    faults = [] if (module.__doc__ or "").strip() else ["the file has no docstring"]
    if not (inspect.isclass(cls) and issubclass(cls, part.room.base)):
        return [*faults, f"{public[0]} does not derive from {part.room.base.__name__}"]
    if inspect.isabstract(cls):
        faults.append(f"lacks {', '.join(sorted(cls.__abstractmethods__))}")
    wanted = "".join(word.capitalize() for word in part.name.split("_"))
    if public[0] not in (wanted, wanted + part.room.base.__name__):
        faults.append(f"the class of {part.name}.py is called {wanted}. Got {public[0]}")
    if cls.__mro__.index(part.room.base) > 2:
        faults.append("is more than two classes away from its base")
    return faults + docstring_faults(cls, part.room.name) + constructor_faults(cls)


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.module.removeprefix("limbeck."))
def test_a_part_keeps_the_contract(part: Part) -> None:
    assert not part_faults(part), "\n".join(part_faults(part))


def test_every_room_has_parts() -> None:
    assert {room.name for room in rooms()} >= {"data", "distances", "methods", "networks", "objectives", "teachers"}
    assert {part.room.name for part in parts()} == {room.name for room in rooms()}


def test_recipes_know_every_room() -> None:
    from limbeck.recipes._rooms import ROOMS

    assert {room.package for room in ROOMS} == {room.name for room in rooms()}


class _Bare:
    def __init__(self, layer, *rest: int, width: int, **more: float):
        pass


class _Documented:
    """Divide by `n`.

    Paper: nobody 2000, eq. 1.
    Needs: nothing.
    Range: ≥ 0.

    width: how wide.
    """

    def __init__(self, width: int, depth: int = 1):
        pass


def test_an_unfit_constructor_is_flagged() -> None:
    faults = "\n".join(constructor_faults(_Bare))
    for word in ("*rest", "*more", "layer has no type", "width has no default"):
        assert word in faults
    assert not constructor_faults(_Documented)


def test_a_missing_docstring_is_flagged() -> None:
    assert docstring_faults(_Bare, "objectives") == [
        "has no docstring",
        "has no line 'Paper:'",
        "has no line 'Needs:'",
        "has no line 'Range:'",
    ]
    assert docstring_faults(_Bare, "distances")
    assert not docstring_faults(_Documented, "objectives")
    assert not docstring_faults(_Documented, "distances")


PLANTED = {
    "two names": '"""Two."""\n__all__ = ["A", "B"]\n',
    "no __all__": '"""None."""\n',
    "another base": '"""Other."""\n__all__ = ["Planted"]\nclass Planted:\n    """`x`"""\n',
    "abstract": '"""Abstract."""\nfrom limbeck.distances import Distance\n__all__ = ["Planted"]\n'
    'class Planted(Distance):\n    """`x`"""\n',
    "another name": '"""Named."""\nfrom limbeck.distances import Distance\n__all__ = ["Different"]\n'
    'class Different(Distance):\n    """`x`"""\n    def __call__(self, x, y):\n        return x\n',
}

RIGHT = (
    '"""Right."""\nfrom limbeck.distances import Distance\n__all__ = ["Planted"]\n'
    'class Planted(Distance):\n    """`x`"""\n    def __call__(self, x, y):\n        return x\n'
)


def _planted(text: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "planted.py").write_text(text)
    package = importlib.import_module("limbeck.distances")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    room = next(room for room in rooms() if room.name == "distances")
    try:
        return part_faults(Part(room, "planted"))
    finally:
        sys.modules.pop("limbeck.distances.planted", None)


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED.keys())
def test_a_part_that_breaks_the_contract_is_flagged(text: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _planted(text, tmp_path, monkeypatch)


def test_a_part_that_keeps_it_is_not_flagged(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _planted(RIGHT, tmp_path, monkeypatch)
