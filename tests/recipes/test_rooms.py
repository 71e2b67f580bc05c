"""Parts by file name, and classes from elsewhere by their dotted path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from limbeck.core import UsageError
from limbeck.recipes import ROOMS, load_plans, part_names, part_summary
from limbeck.recipes._rooms import part_class

Recipe = dict[str, Any]

MODULE = """
from pathlib import Path
from torch import nn

class Net(nn.Sequential):
    def __init__(self, inputs: int, width: int = 3, outputs: int = 2):
        super().__init__(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))

class Fussy(nn.Module):
    def __init__(self):
        super().__init__()
        raise LookupError("no such thing")

class Hidden(nn.Module):
    def __init__(self, other: "OnlyForTypeCheckers" = None):
        super().__init__()
        self.head = nn.Linear(2, 2)

def called(*anything):
    Path("called").touch()

class Stranger:
    def __init__(self):
        called()
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A user's module in the working directory."""
    (tmp_path / "my_nets.py").write_text(MODULE)
    (tmp_path / "broken_nets.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_nets", None)
    sys.path[:] = [path for path in sys.path if path != str(tmp_path)]


def test_every_room_has_parts_with_a_summary() -> None:
    for room in ROOMS:
        for name in part_names(room):
            assert part_summary(room, name)


def test_a_class_from_elsewhere_is_made_with_checked_settings(recipe: Recipe, elsewhere: Path) -> None:
    recipe["student"] = {"my_nets:Net": {"inputs": 4}}
    (plan,) = load_plans(recipe)
    assert len(plan.make("student")) == 3
    assert plan.foreign() == ["my_nets:Net"]
    assert plan.dump()["student"] == {"my_nets:Net": {"inputs": 4, "width": 3, "outputs": 2}}
    assert load_plans(recipe, ["student.my_nets:Net.width=7"])[0].make("student")[0].out_features == 7


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("my_nets:Net", "my_nets:Net needs 'inputs'."),
        ({"my_nets:Net": {"inputs": "x"}}, "The 'inputs' of my_nets:Net must be a whole number. Got 'x'."),
        ({"my_nets:Net": {"input": 1, "inputs": 2}}, "has no setting 'input'. Did you mean 'inputs'?"),
        ("my_nets:Fussy", "my_nets:Fussy cannot be made with these settings: LookupError: no such thing"),
        ("my_nets:Nett", "'my_nets:Nett' cannot be imported: module 'my_nets' has no attribute 'Nett'"),
        ("broken_nets:Net", "'broken_nets:Net' cannot be imported: ZeroDivisionError: division by zero"),
        ("nowhere:Net", "'nowhere:Net' cannot be imported: No module named 'nowhere'"),
        (":", "cannot be imported"),
        ("my_nets:Stranger", "must be a class derived from torch.nn:Module, to serve as a network."),
        ("my_nets:called", "must be a class derived from torch.nn:Module"),
        ("os:system", "must be a class derived from torch.nn:Module"),
        ("<my_nets:Net 12ab>", "was an object from Python"),
    ],
)
def test_a_wrong_dotted_path_is_told(recipe: Recipe, elsewhere: Path, student: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_plans(recipe | {"student": student})
    assert said in str(caught.value)


def test_what_is_refused_was_never_called(recipe: Recipe, elsewhere: Path) -> None:
    for student in ("my_nets:Stranger", "my_nets:called", {"my_nets:called": {"anything": 1}}):
        with pytest.raises(UsageError):
            load_plans(recipe | {"student": student})
    assert not (elsewhere / "called").exists()


def test_hints_that_cannot_be_read_are_no_hindrance(recipe: Recipe, elsewhere: Path) -> None:
    assert load_plans(recipe | {"student": "my_nets:Hidden"})[0].make("student").head


def test_a_part_of_another_room_is_named_as_such() -> None:
    methods = next(room for room in ROOMS if room.package == "methods")
    with pytest.raises(UsageError, match=r"There is no method 'kl'. It is one of the objectives"):
        part_class(methods, "kl")
