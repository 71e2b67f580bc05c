"""Run folders as docs/run-folder.md describes them, made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limbeck.evaluation import chosen_row, verdict

DIGITS = tuple("0123456789")
ROWS = (
    ("teacher", "teacher", "teacher (cnn)", "source_only", 0.842),
    ("alone", "student", "student alone", "source_only", 0.808),
    ("augmented", "student", "student alone, augmented source", "source_only", 0.868),
    ("fine_tuned", "student", "fine-tuned on the labelled target", "fine_tune", 0.861),
    ("features", "student", "new head on frozen features", "feature_extract", 0.829),
    ("distilled", "student", "distilled", "distill", 0.879),
    ("distilled_aligned", "student", "distilled and aligned (MMD)", "distill", 0.894),
    ("bound", "upper_bound", "student trained on the target", "target_only", 0.958),
)
"""Name, kind, title, method, accuracy on the target."""

COMMAND = "limbeck run digits"
EPOCHS = 18
METRICS = ("accuracy", "balanced_accuracy", "macro_recall", "macro_f1", "ece", "nll", "auc")


@dataclass(frozen=True)
class Made:
    """What a made-up run is like."""

    classes: tuple[str, ...] = DIGITS
    regression: bool = False
    known: bool = True
    seeds: int = 3
    source: str = "scan"
    target: str = "photo"
    rows: Sequence[tuple[str, str, str, str, float]] = ROWS
    features: Sequence[str] = ()
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    @property
    def task(self) -> dict[str, Any]:
        kind = "regression" if self.regression else "classification"
        return {"kind": kind, "classes": [] if self.regression else list(self.classes), "offset": 0.0, "scale": 1.0}


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_run(name, **settings of Made)` writes a whole run folder, a new one each time, and returns it."""

    def make(name: str = "digits", **settings: Any) -> Path:
        folder, made = tmp_path_factory.mktemp("run") / name, Made(**settings)
        results = make_results(made, name)
        write(folder / "results.json", results)
        write(folder / "gap.json", make_gap(made))
        write(folder / "embedding.json", make_embedding(made))
        write(folder / "domains.json", make_domains(made))
        write(folder / "environment.json", {"command": COMMAND, "versions": {"torch": "2.14.1"}, "gpu": None})
        (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
        for row in results["rows"]:
            make_logs(folder / ("teachers" if row["kind"] == "teacher" else "students") / row["name"], row, made)
        return folder

    return make


RECIPE = """name: digits
source: {digits: {domain: scan}}
target: {digits: {domain: photo}}
rows:
  distilled: {method: {distill: {objective: [{kl: {temperature: 4.0}}, cross_entropy]}}}
choices: {passes/student: {precision: bf16, layout: channels_last}}
"""


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values))}


def make_results(made: Made, name: str) -> dict[str, Any]:
    metric = "rmse" if made.regression else "accuracy"
    opening = {"domain": made.target, "row": None, "when": "2026-01-01T12:00:00+00:00"}
    openings = [
        opening | {"split": "test", "samples": 300, "purpose": "evaluation"},
        opening | {"split": "selection", "samples": 200, "purpose": "regret, after the end"},
    ]
    results = {
        "schema": 1,
        "limbeck": "0.1.0",
        "name": name,
        "command": COMMAND,
        "task": made.task,
        "metric": metric,
        "higher_is_better": not made.regression,
        "source": made.source,
        "target": made.target,
        "labelled_per_class": 5,
        "target_labels_known": made.known,
        "seeds": list(range(made.seeds)),
        "baseline": "alone",
        "validator": "source_validation" if made.regression else "information_maximisation",
        "rows": [make_row(made, row) for row in made.rows],
        "openings": openings if made.known else [],
    }
    return results | {"selected": chosen_row(results), "verdict": verdict(results)}


def make_row(made: Made, row: tuple[str, str, str, str, float]) -> dict[str, Any]:
    name, kind, title, method, score = row
    teacher, versus = kind == "teacher", kind != "teacher" and name != "alone" and made.known
    seeds = [make_seed(made, seed, score) for seed in range(made.seeds)]
    gain = 20 * (0.808 - score) if made.regression else score - 0.808
    swing = 0.4 if made.regression else 0.021
    made_row = {
        "name": name,
        "kind": kind,
        "title": title,
        "method": method,
        "labelled_per_class": 5 if method == "fine_tune" else 0,
        "parameters": 421834 if teacher else 41630,
        "bytes": 1687336 if teacher else 166520,
        "milliseconds_per_sample": 0.31 if teacher else 0.0402,
        "train_seconds": 112.4 if teacher else 31.2,
        "target": summaries(seeds, "target") if made.known else None,
        "source": summaries(seeds, "source"),
        "regret": {"mean": 0.0041, "std": 0.0023} if made.known else None,
        "versus_baseline": {"difference": gain, "low": gain - swing, "high": gain + swing, "p_value": 0.0002,
                            "mcnemar_p_value": None if made.regression else 0.00013} if versus else None,
        "seeds": seeds,
    }  # fmt: skip
    return made_row if made.regression else made_row | of_classes(made, score)


def summaries(seeds: list[dict[str, Any]], where: str) -> dict[str, Any]:
    values = {name: [seed[where][name] for seed in seeds] for name in seeds[0][where]}
    return {name: None if None in found else summary(found) for name, found in values.items()}


def make_seed(made: Made, seed: int, score: float) -> dict[str, Any]:
    names = ("mae", "rmse", "r2", "spearman") if made.regression else METRICS
    values = {}
    for where, centre in (("target", score), ("source", 0.985)):
        drawn = float(np.clip(centre + made.random.normal(0, 0.008), 0, 1))
        others = {"rmse": 20 * (1 - drawn)} if made.regression else {"nll": None, "ece": 0.4 * (1 - drawn)}
        values[where] = dict.fromkeys(names, drawn) | others
    validator = "source_validation" if made.regression else "information_maximisation"
    return {
        "seed": seed,
        "epoch": EPOCHS - seed - 1,
        "oracle_epoch": EPOCHS - 1 if made.known else None,
        "regret": 0.005 * seed if made.known else None,
        "validators": {validator: 0.4 + score},
        "target": values["target"] if made.known else None,
        "source": values["source"],
        "train_seconds": 31.2 + seed,
    }


def of_classes(made: Made, score: float) -> dict[str, Any]:
    """per_class, confusion and reliability; one class has no sample in the test split."""
    if not made.known:
        return {"per_class": None, "confusion": None, "reliability": None}
    n = len(made.classes)
    confusion = made.random.dirichlet(np.full(n, 0.3), n) * 30 * (1 - score)
    confusion[np.diag_indices(n)] += 30 * np.clip(score + made.random.normal(0, 0.07, n), 0.2, 1)
    if n > 2:
        confusion[-1] = 0
    totals = confusion.sum(1)
    values = [None if total == 0 else summary([confusion[i, i] / total]) for i, total in enumerate(totals)]
    per_class = [
        {"class": name, "support": round(float(total)), "recall": value, "precision": value, "f1": value}
        for name, total, value in zip(made.classes, totals, values, strict=True)
    ]
    share = np.arange(10) ** 3 / (np.arange(10) ** 3).sum()
    bins = [
        {"low": i / 10, "high": (i + 1) / 10, "confidence": i / 10 + 0.05 if share[i] else None,
         "accuracy": max(0.0, i / 10 + 0.05 - 0.6 * (1 - score)) if share[i] else None, "share": float(share[i])}
        for i in range(10)
    ]  # fmt: skip
    return {"per_class": per_class, "confusion": confusion.round(1).tolist(), "reliability": bins}


def make_gap(made: Made) -> dict[str, Any]:
    distances = [
        {"name": name, "space": space, "value": value, "low": 0.8 * value, "high": 1.2 * value, "p_value": 0.002,
         "samples": [480, 497], "sentence": f"{name} of the {space} is {value}, more than chance."}
        for space in ("inputs", "teacher") for name, value in (("mmd", 0.1213), ("coral", 0.0152), ("a_distance", 1.71))
    ]  # fmt: skip
    features = [
        {"name": name, "test": "absent" if i == 3 else "ks", "statistic": None if i == 3 else 0.21 / (1 + i),
         "p_value": None if i == 3 else min(1.0, 0.001 * 4**i), "psi": None if i == 3 else 0.41 / (1 + i),
         "shifted": i < 4, "missing_source": 0.0, "missing_target": 0.5}
        for i, name in enumerate(made.features)
    ]  # fmt: skip
    labels = None
    if not made.regression:
        n = len(made.classes)
        source, target = made.random.dirichlet(np.full(n, 20.0)), made.random.dirichlet(np.full(n, 8.0))
        labels = {"estimated": target.tolist(), "source": source.tolist(), "low": (0.8 * target).tolist(),
                  "high": (1.2 * target).clip(max=1).tolist(), "classes": list(made.classes),
                  "sentence": "The class shares seem to differ, if a class looks alike in both domains."}  # fmt: skip
    found = {"distances": distances, "features": features, "labels": labels}
    return {"source": made.source, "target": made.target, "sentence": "The domains differ clearly.", **found}


def make_embedding(made: Made) -> dict[str, Any]:
    classes = np.arange(300) % max(1, len(made.task["classes"]))
    angle = 2 * np.pi * classes / (1 + classes.max())
    spaces = []
    for title, apart in (("inputs", 0.28), ("student alone", 0.16), ("distilled and aligned (MMD)", 0.03)):
        centre = 0.5 + 0.34 * np.stack([np.cos(angle), np.sin(angle)], 1)
        points = [(centre + made.random.normal(side * apart / 2, 0.035, (300, 2))).round(3) for side in (-1, 1)]
        spaces.append(
            {"title": title, "source": points[0].tolist(), "target": points[1].tolist(),
             "source_classes": None if made.regression else classes.tolist(),
             "target_classes": None if made.regression or not made.known else classes.tolist()}
        )  # fmt: skip
    return {"method": "t-SNE", "spaces": spaces}


def make_domains(made: Made) -> dict[str, Any]:
    source = {"name": made.source, "samples": 800, "splits": {"train": 480, "selection": 160, "test": 160}, "notes": []}
    target = {"name": made.target, "samples": 997, "labels_known": made.known, "labelled_per_class": 5}
    target["splits"] = {"labelled": 50, "train": 447, "selection": 200, "test": 300}
    target["notes"] = ["2 rows without a label train unlabelled."]
    return {"task": made.task, "shape": [1, 16, 16], "source": source, "target": target}


def make_logs(folder: Path, row: dict[str, Any], made: Made) -> None:
    score, rate = row["seeds"][0]["validators"], made.random.uniform(0.12, 0.4)
    for seed in range(made.seeds):
        lines = []
        for epoch in range(1, EPOCHS + 1):
            left = np.exp(-epoch * rate) * (1 + 0.15 * made.random.normal())
            line = {"step": 30 * epoch, "epoch": epoch, "loss": 0.06 + 6 * rate * left, "lr": 0.001}
            line |= {"loss/cross_entropy": 0.05 + left, "source_accuracy": 0.985 - 0.5 * left, "seconds": 1.7 * epoch}
            lines.append(line | {f"validator/{name}": value - left for name, value in score.items()})
        path = folder / str(seed) / "log.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


class Page(HTMLParser):
    """A page taken apart: its text, ids, links, attributes and tags; faults where the nesting is wrong."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input", "path", "line", "circle", "rect", "use"})

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(self.source)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attributes)
        self.open += [] if tag in self.VOID else [tag]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(f"</{tag}> at line {self.getpos()[0]} closes nothing")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def read_page() -> type[Page]:
    return Page
