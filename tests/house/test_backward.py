"""What code may not do: gradients outside training/, waiting for the device in a step, unpickling, swallowing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from house_tree import PACKAGE, functions, parse, python_files

WAITS = {"item", "tolist", "numpy", "cpu"}
"""Methods of a tensor that wait for the device."""

PICKLES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, str]]:
    """Every call with the name of its owner ("" where there is none) and of the function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, ast.unparse(node.func.value), node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node, "", node.func.id


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), None)


def backward(room: str, tree: ast.AST) -> list[str]:
    """`.backward(` outside training/."""
    return [f"{call.lineno}: backward" for call, _, name in calls(tree) if name == "backward" and room != "training"]


def waits(room: str, tree: ast.AST) -> list[str]:
    """`.item(` and the like in objectives and methods, and in the functions of training/ that take a step."""
    steps: list[ast.AST] = [tree] if room in ("objectives", "methods") and not _has_no_steps(tree) else []
    if room == "training":
        steps = [step for step in functions(tree) if any(name == "backward" for _, _, name in calls(step))]
    return [f"{call.lineno}: {name}" for step in steps for call, _, name in calls(step) if name in WAITS]


def _has_no_steps(tree: ast.AST) -> bool:
    """Whether a method in closed form stands there."""
    return any(
        isinstance(node, ast.AnnAssign)
        and ast.unparse(node.target) == "closed_form"
        and ast.unparse(node.value) == "True"
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and node.value is not None
    )


def untrusted(room: str, tree: ast.AST) -> list[str]:
    """Whatever runs code that lies in a file."""
    faults = []
    for call, owner, name in calls(tree):
        bad = (
            (owner == "torch" and name == "load" and keyword(call, "weights_only") != "True")
            or (owner in ("np", "numpy") and name == "load" and keyword(call, "allow_pickle") not in (None, "False"))
            or (owner == "yaml" and name in ("load", "full_load", "unsafe_load"))
            or (owner == "" and name in ("eval", "exec", "compile"))
            or name == "read_pickle"
        )
        faults += [f"{call.lineno}: {owner}.{name}"] if bad else []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        faults += [f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in PICKLES]
    return faults


def swallowed(room: str, tree: ast.AST) -> list[str]:
    """A bare `except`, or one of everything that goes on as if nothing were."""
    faults = [
        f"{call.lineno}: suppress"
        for call, _, name in calls(tree)
        if name == "suppress" and {ast.unparse(argument) for argument in call.args} & {"Exception", "BaseException"}
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            everything = node.type is not None and ast.unparse(node.type) in ("Exception", "BaseException")
            silent = all(isinstance(line, ast.Pass | ast.Continue | ast.Expr) for line in node.body)
            if node.type is None or (everything and silent):
                faults.append(f"{node.lineno}: except")
    return faults


def probing(room: str, tree: ast.AST) -> list[str]:
    """`hasattr`: capabilities are declared, not felt for."""
    return [f"{call.lineno}: hasattr" for call, owner, name in calls(tree) if not owner and name == "hasattr"]


def unfinished(room: str, tree: ast.AST) -> list[str]:
    """`NotImplementedError`: what is not there is abstract."""
    return [
        f"{node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]


CHECKS = [backward, waits, untrusted, swallowed, probing, unfinished]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_file_does_it(check) -> None:
    faults = []
    for path in python_files("src"):
        place = path.relative_to(PACKAGE)
        faults += [f"{place}:{fault}" for fault in check(place.parts[0], parse(path))]
    assert not faults, "\n".join(faults)


def test_training_takes_a_step() -> None:
    """The rule on `.backward(` speaks of something that exists."""
    assert any(name == "backward" for path in python_files("src/limbeck/training") for _, _, name in calls(parse(path)))


PLANTED = [
    (backward, "methods", "loss.backward()"),
    (waits, "objectives", "x = loss.item()"),
    (waits, "methods", "class A:\n    closed_form: ClassVar[bool] = False\n    x = loss.item()"),
    (waits, "training", "def step():\n    fabric.backward(loss)\n    return loss.item()"),
    (untrusted, "core", "torch.load(path)"),
    (untrusted, "core", "torch.load(path, weights_only=False)"),
    (untrusted, "core", "np.load(path, allow_pickle=True)"),
    (untrusted, "core", "import pickle"),
    (untrusted, "core", "from joblib import load"),
    (untrusted, "core", "yaml.load(text)"),
    (untrusted, "core", "eval(text)"),
    (swallowed, "core", "try:\n    f()\nexcept:\n    raise"),
    (swallowed, "core", "try:\n    f()\nexcept Exception:\n    pass"),
    (swallowed, "core", "with contextlib.suppress(Exception):\n    f()"),
    (probing, "core", "hasattr(x, 'y')"),
    (unfinished, "core", "raise NotImplementedError"),
]

ALLOWED = [
    (backward, "training", "fabric.backward(loss)"),
    (waits, "training", "def read():\n    return loss.item()"),
    (waits, "evaluation", "x = loss.item()"),
    (untrusted, "core", "torch.load(path, weights_only=True); np.load(path); yaml.safe_load(text); re.compile(text)"),
    (swallowed, "core", "try:\n    f()\nexcept OSError:\n    pass"),
    (swallowed, "core", "try:\n    f()\nexcept Exception:\n    close()\n    raise"),
]


@pytest.mark.parametrize(("check", "room", "text"), PLANTED)
def test_it_is_flagged(check, room: str, text: str) -> None:
    assert check(room, ast.parse(text))


@pytest.mark.parametrize(("check", "room", "text"), ALLOWED)
def test_the_right_way_is_not_flagged(check, room: str, text: str) -> None:
    assert not check(room, ast.parse(text))
