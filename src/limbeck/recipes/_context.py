"""What the stages of one run share: the plan, the folder, the two domains."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from limbeck.core import Domain, Opening, Spec, Task, UsageError
from limbeck.core.files import read_json, write_json, write_text
from limbeck.core.weights import fingerprint
from limbeck.data import Preprocessing, Raw, prepare
from limbeck.knowledge import Reader
from limbeck.recipes._console import Console
from limbeck.recipes._networks import Frame
from limbeck.recipes._plan import Plan
from limbeck.recipes._weighting import weigh
from limbeck.recipes._yaml import read_yaml, write_yaml
from limbeck.teachers import Teacher

__all__ = ["Context", "check_same_data", "open_context", "remember"]


@dataclass
class Context:
    """One run at work.

    prints: what changes with the data. readers: knowledge by teacher, seed, domain, views and the
    top answers of a black box. fitted: teachers that learnt by themselves, by name and seed.
    students: the folder in the run's for the rows that are trained.
    """

    plan: Plan
    folder: Path
    console: Console
    source: Domain
    target: Domain
    preprocessing: Preprocessing
    task: Task
    prints: dict[str, str]
    readers: dict[tuple[str, int, str, str, int | None], Reader] = field(default_factory=dict)
    fitted: dict[tuple[str, int], Teacher] = field(default_factory=dict)
    students: str = "students"

    @property
    def frame(self) -> Frame:
        """What networks are built for."""
        return Frame(self.source.shape, self.task, self.source.shares)

    def about(self, knowledge: Spec | None = None, **more: Any) -> dict[str, Any]:
        """What a weights file of this run says of itself, enough to use it elsewhere."""
        return {
            "task": self.task.state(),
            "shape": list(self.source.shape),
            "preprocessing": self.preprocessing.state(),
            "knowledge": None if knowledge is None else asdict(knowledge),
            **more,
        }

    def known(self, key: str) -> Any:
        """A choice that stands in the run's recipe; None where it is not made yet."""
        return (self._resolved.get("choices") or {}).get(key)

    def keep(self, key: str, choice: Any) -> None:
        """Write a choice into the run's recipe."""
        self._resolved["choices"] = {**(self._resolved.get("choices") or {}), key: choice}
        write_text(self.folder / "recipe.yaml", write_yaml(self._resolved))

    @cached_property
    def _resolved(self) -> dict[str, Any]:
        """The recipe in the folder, which is this context's alone: it is read once."""
        path = self.folder / "recipe.yaml"
        return dict(read_yaml(path.read_text(encoding="utf-8"), str(path)))

    def choose(self, key: str, measured: Callable[[], Any]) -> Any:
        """A choice by measurement, made once a run: the recipe's own, or `measured()`, which then stands in it."""
        choice = self.known(key)
        if choice is None:
            choice = measured()
            self.console.say(f"measured {key}: {_in_words(choice)}")
            self.keep(key, choice)
        return choice


def _in_words(choice: Mapping[str, Any]) -> str:
    told = [(name, f"({_in_words(value)})" if isinstance(value, Mapping) else value) for name, value in choice.items()]
    return ", ".join(f"{name} {value}" for name, value in told)


def open_context(plan: Plan, folder: Path, console: Console) -> Context:
    """Load and prepare both domains; nothing is written."""
    source_data, target_data = plan.make("source"), plan.make("target")
    raw = source_data.load(), target_data.load()
    source, target, preprocessing, task = prepare(
        *raw, source_data.preprocessing(), plan.make("split"), plan.value("classes"), plan.value("match")
    )
    weigh(source, target, plan.value("weighting"), any(node.make().teacher.by_gap() for node in plan.teachers.values()))
    target.on_open = lambda opening: _append(folder / "openings.jsonl", opening)
    prints = {str(domain.role): _fingerprint(domain, read) for domain, read in zip((source, target), raw, strict=True)}
    return Context(plan, folder, console, source, target, preprocessing, task, prints)


def _append(path: Path, opening: Opening) -> None:
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, known + json.dumps(asdict(opening), ensure_ascii=False) + "\n")


def _fingerprint(domain: Domain, raw: Raw) -> str:
    """Changes with the inputs, the splits and the labels, which only go into the digest."""
    labels = "" if raw.labels is None else "\x1f".join(map(str, raw.labels))
    return fingerprint(domain.inputs, *(torch.from_numpy(rows) for rows in domain.splits.values()), labels)


def check_same_data(context: Context) -> None:
    """`UsageError` where the folder has been used with other data."""
    path = context.folder / "domains.json"
    known = read_json(path)["fingerprints"] if path.exists() else context.prints
    changed = [role for role in context.prints if known.get(role) != context.prints[role]]
    if changed:
        raise UsageError(
            f"The data of the {' and the '.join(changed)} changed since {context.folder} was begun. Choose another "
            "name, or start anew: --fresh, in Python fresh=True."
        )


def remember(context: Context) -> None:
    """Write domains.json and preprocessing.json, where they are not there yet."""
    source, target, path = context.source, context.target, context.folder / "domains.json"
    if path.exists():
        return
    write_json(context.folder / "preprocessing.json", context.preprocessing.state())
    write_json(
        path,
        {
            "task": context.task.state(),
            "shape": list(source.shape),
            "source": {**_summary(source), "shares": source.shares},
            "target": {
                **_summary(target),
                "labelled_per_class": context.plan.make("split").labelled,
                "labels_known": target.labelled,
            },
            "fingerprints": context.prints,
        },
    )


def _summary(domain: Domain) -> dict[str, Any]:
    splits = {split: len(rows) for split, rows in domain.splits.items()}
    return {"name": domain.name, "samples": len(domain), "splits": splits, "notes": list(domain.notes)}
