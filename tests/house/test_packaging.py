"""What is installed and published: versions, extras, pinned versions, files that name no place but the project."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from house_tree import PACKAGE, ROOT, functions, parse, python_files

import limbeck

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"])

REGISTRY = re.compile(r"(https?|file)://[^\s\"')]*(pypi|pythonhosted|registry|download\.pytorch|/simple\b|/wheels?\b)")
OWN_PLACE = re.compile(r"(?<![\w.])/(root|work|tmp/w|home/\w+)/")

OFFERED = {"README.md", "README.zh-CN.md"}
"""Files that may say where a CPU build of torch comes from."""


def tracked() -> list[Path]:
    """The files that git knows or would add; all of them where there is no git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def addresses(text: str) -> list[str]:
    """Registries and places of one machine that a text names."""
    return [match.group(0) for pattern in (REGISTRY, OWN_PLACE) for match in pattern.finditer(text)]


def extras_named(tree: ast.AST) -> list[str]:
    """The extras that `missing_extra(library, extra, needed_by)` promises."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func).split(".")[-1] == "missing_extra"]
    return [ast.literal_eval(call.args[1]) for call in named]


def distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~;\s]", requirement)[0].lower().replace("_", "-")


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "a line is a name and one version"
    return {distribution(line): line.split("==")[1] for line in lines}


def test_versions_agree() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[([\d.]+)\]", changelog, re.MULTILINE).group(1) == limbeck.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", limbeck.__version__)


def test_every_promised_extra_exists() -> None:
    named = {extra for path in python_files("src") for extra in extras_named(parse(path))}
    assert named
    assert named <= EXTRAS


def test_an_unknown_extra_would_be_found() -> None:
    assert extras_named(ast.parse("raise missing_extra('x', 'nowhere', 'y')")) == ["nowhere"]


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    specifiers = pytest.importorskip("packaging.requirements")
    wanted = [
        *PROJECT["dependencies"],
        *(line for lines in PROJECT["optional-dependencies"].values() for line in lines),
    ]
    pinned = pins()
    for line in wanted:
        if distribution(line) != "limbeck":
            assert pinned[distribution(line)] in specifiers.Requirement(line).specifier, line
            assert "<" not in line and "==" not in line and "~" not in line, f"no upper bounds: {line}"


def test_the_environment_is_the_tested_one() -> None:
    """What runs now has the pinned versions, of the libraries whose changes matter most; a local build may differ."""
    for name in ("torch", "numpy", "pydantic", "lightning-fabric"):
        assert version(name).split("+")[0] == pins()[name]


def foreign_imports(body: list[ast.stmt]) -> set[str]:
    """The packages from elsewhere that these statements import, what is inside functions left out."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.ClassDef | ast.Try | ast.If | ast.With):
            found |= foreign_imports(node.body)
    return found - set(sys.stdlib_module_names) - {"limbeck"}


owners = cache(packages_distributions)  # it reads every file list of the environment


def undeclared(modules: set[str], requirements: list[str]) -> set[str]:
    """Those modules that belong to none of the required distributions."""
    wanted = {distribution(line) for line in requirements}
    return {module for module in modules if not {distribution(name) for name in owners().get(module, [])} & wanted}


def test_what_is_imported_is_required() -> None:
    """At the top of a file only what every installation has; inside functions, what some extra brings."""
    everything = [
        *PROJECT["dependencies"],
        *(line for lines in PROJECT["optional-dependencies"].values() for line in lines),
    ]
    for path in python_files("src"):
        tree = parse(path)
        assert not undeclared(foreign_imports(tree.body), PROJECT["dependencies"]), path
        inner = {name for function in functions(tree) for name in foreign_imports(function.body)}
        assert not undeclared(inner, everything), path


def test_an_undeclared_import_would_be_found() -> None:
    found = foreign_imports(ast.parse("import ast\nimport ruff.x\nfrom torch import nn\ndef f():\n    import ot").body)
    assert found == {"ruff", "torch"}
    assert undeclared({"pytest", "torch"}, ["torch>=2"]) == {"pytest"}


def test_dev_is_everything() -> None:
    (whole,) = PROJECT["optional-dependencies"]["dev"]
    assert set(re.findall(r"\w+", whole.split("[")[1])) == EXTRAS - {"dev"}


def test_no_file_names_a_registry_or_a_machine() -> None:
    faults = []
    for path in tracked():
        if path.suffix not in (".png", ".npz", ".gz") and path.name not in OFFERED:
            faults += [f"{path.relative_to(ROOT)}: {found}" for found in addresses(path.read_text("utf-8"))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "text",
    [
        "pip install --index-url https" + "://pypi.example/simple torch",
        "https" + "://files.pythonhosted" + ".org/x.whl",
        "file:" + "///opt/wheels" + "/torch.whl",
        "data = '/ro" + "ot/data'",
        "see /wo" + "rk/main/src",
    ],
)
def test_an_address_is_flagged(text: str) -> None:
    assert addresses(text)


@pytest.mark.parametrize("text", ["https://arxiv.org/abs/1503.02531", "runs/work/x", "a simple /tmp/x"])
def test_a_paper_is_not_flagged(text: str) -> None:
    assert not addresses(text)


def test_the_wheel_takes_the_whole_package() -> None:
    """hatchling takes every file under src/limbeck that git does not ignore: nothing there may be ignored."""
    others = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {"py.typed"} <= {path.name for path in others}
    assert set(others) <= set(tracked())


def test_the_licence_is_the_standard_text() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"
