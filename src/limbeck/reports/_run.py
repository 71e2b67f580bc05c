"""What lies in a run folder, read once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from limbeck.core import RunError, UsageError
from limbeck.core.files import read_json
from limbeck.reports._numbers import Measure

__all__ = [
    "Json",
    "Log",
    "Run",
    "baseline_of",
    "best_of",
    "read_results",
    "read_run",
    "selected_of",
    "sentences",
    "teacher_of",
]

Json = dict[str, Any]
Log = list[Json]
"""The lines of one training."""

SCHEMA = 1


@dataclass(frozen=True)
class Run:
    """A run folder: each file as it was written, None where it does not exist.

    logs: by row, one log for each seed; the teachers come first.
    """

    name: str
    results: Json | None
    gap: Json | None
    embedding: Json | None
    domains: Json | None
    search: Json | None
    choices: Json | None
    environment: Json | None
    export: Json | None
    recipe: str | None
    logs: dict[str, list[Log]]

    @property
    def rows(self) -> list[Json]:
        return self.results["rows"] if self.results else []

    @cached_property
    def measure(self) -> Measure:
        """The metric that leads the comparison."""
        return Measure(self.results["metric"] if self.results else "accuracy")

    @cached_property
    def baseline(self) -> Json | None:
        return baseline_of(self.results) if self.results else None

    @cached_property
    def selected(self) -> Json | None:
        return selected_of(self.results) if self.results else None

    @cached_property
    def best(self) -> Json | None:
        return best_of(self.results) if self.results else None

    @cached_property
    def teacher(self) -> Json | None:
        return teacher_of(self.results) if self.results else None

    @property
    def teachers(self) -> int:
        return sum(row["kind"] == "teacher" for row in self.rows)

    def is_selected(self, row: str) -> bool:
        return self.results is not None and self.results["selected"] == row

    def title(self, row: str) -> str:
        """How the reader knows a row."""
        return next((found["title"] for found in self.rows if found["name"] == row), row)


def baseline_of(results: Json) -> Json | None:
    """The row that the others are compared with."""
    return next((row for row in results["rows"] if row["name"] == results["baseline"]), None)


def selected_of(results: Json) -> Json | None:
    """The row that was chosen without labels of the target, which the verdict is about."""
    return next((row for row in results["rows"] if row["name"] == results["selected"]), None)


def best_of(results: Json) -> Json | None:
    """The best student on the target's test split, None where the target has no labels."""
    return _best(results, "student", "target") if results["target_labels_known"] else None


def teacher_of(results: Json) -> Json | None:
    """The best of the teachers: on the target's test split, or on the source's where the target has no labels."""
    return _best(results, "teacher", "target" if results["target_labels_known"] else "source")


def _best(results: Json, kind: str, where: str) -> Json | None:
    rows = [row for row in results["rows"] if row["kind"] == kind]
    sign = 1 if results["higher_is_better"] else -1
    return max(rows, key=lambda row: sign * row[where][results["metric"]]["mean"], default=None)


def sentences(verdict: str) -> tuple[str, str]:
    """The verdict's first sentence, and the others.

    >>> sentences("It gains 8.6 points (p = 0.01). That closes half of the gap. Good.")
    ('It gains 8.6 points (p = 0.01).', 'That closes half of the gap. Good.')
    """
    first, *rest = re.split(r"(?<=[.!?])\s+(?=[^\W\d_])", verdict, maxsplit=1)
    return first, "".join(rest)


def read_results(folder: Path) -> Json | None:
    """results.json, or None where there is none; `RunError` where another version wrote it."""
    results = _json(folder / "results.json")
    if results is not None and results.get("schema") != SCHEMA:
        raise RunError(
            f"{folder / 'results.json'} has schema {results.get('schema')!r}, and this limbeck reads {SCHEMA}. "
            "Write the report with the version that made the run."
        )
    return results


def read_run(folder: Path) -> Run:
    """Read a run folder; `UsageError` where it holds nothing of a run, `RunError` where a file is damaged."""
    recipe = folder / "recipe.yaml"
    run = Run(
        name=folder.resolve().name,
        results=read_results(folder),
        gap=_json(folder / "gap.json"),
        embedding=_json(folder / "embedding.json"),
        domains=_json(folder / "domains.json"),
        search=_json(folder / "search.json"),
        choices=_choices(recipe),
        environment=_json(folder / "environment.json"),
        export=_json(folder / "export" / "export.json"),
        recipe=recipe.read_text(encoding="utf-8") if recipe.exists() else None,
        logs=_logs(folder / "teachers") | _logs(folder / "students"),
    )
    if not (run.results or run.gap or run.embedding or run.domains or run.recipe or run.logs):
        raise UsageError(f"There is no run in {folder}. Name the folder of a run, or make one: limbeck run <recipe>.")
    return run


def _choices(recipe: Path) -> Json | None:
    """What was decided by measurement, which stands in the resolved recipe."""
    if not recipe.exists():
        return None
    try:
        content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"{recipe} is damaged: {error}. Start anew with --fresh.") from error
    return content.get("choices") if isinstance(content, dict) else None


def _json(path: Path) -> Json | None:
    if not path.exists():
        return None
    value = read_json(path)
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged: it holds no object. Remove it and start the same command again.")
    return value


def _logs(folder: Path) -> dict[str, list[Log]]:
    """The logs below folder/<row>/<seed>/, rows and seeds in order."""
    logs: dict[str, list[Log]] = {}
    for path in sorted(folder.glob("*/*/log.jsonl")):
        logs.setdefault(path.parts[-3], []).append(_log(path))
    return logs


def _log(path: Path) -> Log:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()  # a stopped run may leave half a line
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise RunError(f"{path} is damaged: {error}. Remove it and start the same command again.") from error
