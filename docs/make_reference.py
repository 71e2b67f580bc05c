"""Writes the reference from the docstrings: `python docs/make_reference.py [FOLDER]`, as `make docs` does."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import pdoc

import limbeck


def public_modules() -> list[str]:
    """limbeck and every module and room in it whose name does not begin with `_`."""
    found = [info.name for info in pkgutil.walk_packages(limbeck.__path__, "limbeck.")]
    return ["limbeck", *(name for name in found if not any(word.startswith("_") for word in name.split(".")))]


def main(folder: Path) -> None:
    for name in limbeck.__all__:
        setattr(limbeck, name, getattr(limbeck, name))  # pdoc does not ask the package's `__getattr__`
    for name in public_modules():
        package, _, submodule = name.rpartition(".")
        if package:  # pdoc shows what `__all__` holds, and a room's parts stand in no list
            importlib.import_module(package).__all__.append(submodule)
    pdoc.render.configure(docformat="markdown")
    pdoc.pdoc("limbeck", output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
