"""Small files, small functions, and in src/ few parameters."""

from __future__ import annotations

import ast

import pytest
from house_tree import ROOT, functions, parse, python_files

FILE_LINES = 300
BODY_LINES = 40
PARAMETERS = 6

FACES = {"src/limbeck/api.py", "src/limbeck/cli.py", "src/limbeck/cli_device.py"}
"""The one-call faces, whose functions may take as many parameters as their users need."""

EXCEPTIONS: dict[str, str] = {
    "src/limbeck/recipes/_export_stage.py:export_run": "the one call behind `limbeck export`, likewise",
    "src/limbeck/recipes/_run.py:run_recipe": "the one call behind `limbeck run`; its options are that command's",
}
"""`path` or `path:function` → why it may be larger."""


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The parameters that a caller gives: without self or cls, and none counted for a constructor."""
    if function.name == "__init__":
        return 0
    named = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def too_large(path: str, text: str) -> list[str]:
    faults = []
    if len(text.splitlines()) > FILE_LINES:
        faults.append(f"{path}: {len(text.splitlines())} lines, {FILE_LINES} allowed")
    for function in functions(ast.parse(text)):
        place = f"{path}:{function.name}"
        if body_lines(function) > BODY_LINES:
            faults.append(f"{place}: a body of {body_lines(function)} lines, {BODY_LINES} allowed")
        if parameters(function) > PARAMETERS and path.startswith("src/") and path not in FACES:
            faults.append(f"{place}: {parameters(function)} parameters, {PARAMETERS} allowed")
    return [fault for fault in faults if fault.split(": ")[0] not in EXCEPTIONS]


def test_files_functions_and_parameters_stay_small() -> None:
    paths = python_files("src", "tests", "benchmarks", "examples")
    assert paths
    faults = [
        fault for path in paths for fault in too_large(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    assert not faults, "\n".join(faults)


def test_every_exception_is_still_there() -> None:
    for place in EXCEPTIONS:
        path, _, name = place.partition(":")
        assert not name or name in {function.name for function in functions(parse(ROOT / path))}, place


LONG_FILE = "x = 1\n" * (FILE_LINES + 1)
LONG_BODY = "def f():\n" + "    x = 1\n" * (BODY_LINES + 1)
LONG_DOCSTRING = 'def f():\n    """' + "\n" * BODY_LINES + '    """\n    return 1\n'
MANY = "def f(a, b, c, d, e, f, *, g): pass\n"
CONSTRUCTOR = "class A:\n    def __init__(self, a, b, c, d, e, f, g): pass\n"
METHOD = "class A:\n    def f(self, a, b, c, d, e, f): pass\n"


@pytest.mark.parametrize("text", [LONG_FILE, LONG_BODY, MANY])
def test_what_is_too_large_is_flagged(text: str) -> None:
    assert too_large("src/limbeck/planted.py", text)


@pytest.mark.parametrize("text", [LONG_DOCSTRING, CONSTRUCTOR, METHOD])
def test_what_is_allowed_is_not_flagged(text: str) -> None:
    assert not too_large("src/limbeck/planted.py", text)


def test_only_the_faces_take_many_parameters() -> None:
    assert not too_large("src/limbeck/api.py", MANY)
