"""A first recipe for a user's own table, written by looking at it."""

from __future__ import annotations

import importlib.resources
import json
import re
import shlex
from pathlib import Path
from typing import Any

from limbeck.core import Domain, Task, UsageError, did_you_mean
from limbeck.core.files import write_text
from limbeck.core.tables import pd
from limbeck.data import Preprocessing, Raw, prepare, read_table
from limbeck.recipes._load import load_plans
from limbeck.recipes._yaml import read_yaml

__all__ = ["write_new"]

_LABEL_NAMES = ("label", "target", "class", "y", "outcome", "diagnosis", "response", "result")
FEWEST = 20
_NUMBERED = re.compile(r"(^|[_\W])(id|uuid|index|key|nr|no)$", re.IGNORECASE)
_ROWS_EACH = 20
"""A column named like an identifier may be one of people where a value stands in no more rows than this on average."""
_STEPS = 1500
"""About so many steps are enough for a table; epochs are chosen for them."""


def write_new(source: Path, target: Path | None, label: str | None, domain: str | None, out: Path) -> list[str]:
    """Write a recipe for two tables, or for one with a domain column; returns notes and what to do next.

    domain: "column:source value:target value" where both domains are in one file. label: a
    column or a condition; guessed by its name where not given. `UsageError` where the tables
    cannot serve, with the reason.
    """
    if out.exists():
        raise UsageError(f"{out} exists. Name another file with --out.")
    column, near, far = _domain(domain, source, target)
    frames = [_rows(source, column, near), _rows(target or source, column, far)]
    for frame, name in zip(frames, (near or source, far or target), strict=True):
        if 0 < len(frame) < FEWEST:
            raise UsageError(
                f"{name} has {len(frame)} rows, and {FEWEST} are the fewest to train, choose and test with."
            )
    label, guessed = (label, False) if label else (_guess(frames[0]), True)
    labels_known = _has_label(frames[1], label)
    drop = _ids(frames[0], label)
    settings = [
        _settings(source, column, near, label, drop),
        _settings(target or source, column, far, label if labels_known else None, drop),
    ]
    values = {
        "source": settings[0],
        "target": settings[1],
        "source_name": _in_one_line(near or source.stem),
        "target_name": _in_one_line(far or (target or source).stem),
        "source_rows": len(frames[0]),
        "target_rows": len(frames[1]),
        "file": _in_one_line(shlex.quote(str(out))),
        "labels_known": labels_known,
        "labelled": 0,
        **_sizes(len(frames[0]), len(frames[1])),
    }
    text, notes = _fitting(values)
    write_text(out, text)
    done = [f"wrote {out}", "next: limbeck check {0}, then limbeck run {0}".format(shlex.quote(str(out)))]
    first = [f"label: {label}" + (" (guessed; --label names another)" if guessed else "")]
    if drop:
        first.append(f"not used, since every row has its own value: {', '.join(drop)}")
    first += _repeated(frames[0], label)
    if not labels_known:
        first.append("the target has no labels: results cannot be proven there, only chosen")
    return [*first, *notes, *done]


def _domain(domain: str | None, source: Path, target: Path | None) -> tuple[str | None, str | None, str | None]:
    """The column that tells the domains apart and its two values; None where there are two files."""
    if (domain is None) == (target is None):
        got = "neither" if domain is None else "both"
        raise UsageError(f"Name a second file, or --domain COLUMN:SOURCE:TARGET for one file. Got {got} of them.")
    if domain is None:
        if target is not None and source.resolve() == target.resolve():
            raise UsageError(f"The source and the target are both {source}: --domain COLUMN:SOURCE:TARGET divides it.")
        return None, None, None
    names = list(map(str, read_table(source).columns))
    column = max((name for name in names if domain.startswith(f"{name}:")), key=len, default=None)
    values = domain[len(column or "") + 1 :].split(":")
    if column is None and domain.count(":") == 2:
        column = domain.partition(":")[0]
        raise UsageError(f"{source} has no column {column!r}. {did_you_mean(column, names)}")
    if column is None or len(values) != 2 or values[0] == values[1]:
        raise UsageError(f"--domain must be COLUMN:SOURCE:TARGET, two different values of it. Got {domain!r}.")
    return column, values[0], values[1]


def _rows(path: Path, column: str | None, value: str | None) -> pd.DataFrame:
    frame = read_table(path)
    return frame if column is None else frame[frame[column].astype(str).isin([value, f"{value}.0"])]


def _guess(frame: pd.DataFrame) -> str:
    for wanted in _LABEL_NAMES:
        for column in frame.columns:
            if str(column).lower() == wanted:
                return str(column)
    columns = ", ".join(map(str, frame.columns))
    raise UsageError(f"Which column is the label? Name it with --label, one of: {columns}.")


def _has_label(frame: pd.DataFrame, label: str) -> bool:
    """Whether the label's column, or the one its condition is on, is there with any value."""
    column = next((name for name in frame.columns if label == name), None)
    if column is None:
        column = next((name for name in frame.columns if re.match(rf"\s*{re.escape(str(name))}\s*[<>=!]", label)), None)
    return column is not None and bool(frame[column].notna().any())


def _repeated(frame: pd.DataFrame, label: str) -> list[str]:
    """A note on a column that is named like an identifier, of which some values stand in several rows."""
    for column in frame.columns:
        values = frame[column].dropna()
        several = len(values) / max(values.nunique(), 1)
        if str(column) != label and _NUMBERED.search(str(column)) and 1 < several <= _ROWS_EACH:
            return [
                f"several rows have the same value of {column}: where they are of one person or thing, put it as "
                "'group' under both csv, so that none is in two splits and it is no feature"
            ]
    return []


def _ids(frame: pd.DataFrame, label: str) -> list[str]:
    """Columns that number the rows: all different, and either text or named like an identifier."""
    found = []
    for column in frame.columns:
        values = frame[column]
        whole = not pd.api.types.is_float_dtype(values)
        named = _NUMBERED.search(str(column))
        text = not pd.api.types.is_numeric_dtype(values)
        if str(column) != label and len(values) > 20 and values.is_unique and whole and (named or text):
            found.append(str(column))
    return found


def _settings(path: Path, column: str | None, value: str | None, label: str | None, drop: list[str]) -> str:
    settings: dict[str, Any] = {"path": str(path)}
    if label is not None:
        settings["label"] = label
    if column is not None:
        settings["where"] = {column: value}
    if drop:
        settings["drop"] = drop
    return json.dumps(settings, ensure_ascii=False)  # JSON is YAML, whatever the names hold


def _sizes(source: int, target: int) -> dict[str, int]:
    smallest = int(min(source, target) * 0.45)
    batch = 2 ** max(1, min(7, (max(smallest, 4) // 4).bit_length() - 1))
    steps = max(1, int(max(source, target) * 0.5) // batch)
    return {"batch_size": batch, "epochs": max(5, min(60, _STEPS // steps))}


def _fitting(values: dict[str, Any]) -> tuple[str, list[str]]:
    """The recipe's text, after it was checked against the data themselves."""
    values = {**values, "classes": "same", "regression": False, "match": "none"}
    (plan,) = load_plans(_content(_render(values)))
    source, target = plan.make("source").load(), plan.make("target").load()
    values["regression"] = source.kind == "regression"
    if target.labels is not None and _classes(source) != _classes(target):
        shared = _classes(source) & _classes(target)
        values["classes"] = "source" if len(shared) == 1 and shared == _classes(target) else "shared"
    near, far, fitted, task = _prepared(_render(values), source, target)
    foreign = fitted.foreign(target.inputs)
    if foreign:
        values["match"] = "units"
        near, far, _, task = _prepared(_render(values), source, target)
        far.notes = (*far.notes, f"On another scale in the source: {', '.join(foreign)}.")
    text = _render(values)
    about = f"classes: {', '.join(task.classes)}" if task.is_classification else "a value is predicted (regression)"
    return text, [about, f"features after encoding: {near.shape[0]}", *near.notes, *far.notes]


def _prepared(text: str, source: Raw, target: Raw) -> tuple[Domain, Domain, Preprocessing, Task]:
    (plan,) = load_plans(_content(text))
    settings = plan.value("classes"), plan.value("match")
    return prepare(source, target, plan.make("source").preprocessing(), plan.make("split"), *settings)


def _classes(raw: Raw) -> set[str]:
    if raw.labels is None or raw.kind == "regression":
        return set()
    return set(raw.classes or raw.labels[~pd.isna(raw.labels)])


def _in_one_line(text: str) -> str:
    """Without the breaks that would end a comment."""
    return " ".join(text.split())


def _render(values: dict[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    template = (importlib.resources.files("limbeck.recipes") / "table.yaml.jinja").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(values)


def _content(text: str) -> Any:
    return read_yaml(text, "the new recipe")
