"""results.json: every number of the comparison, from the outputs of the trained models."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core import RunError, some_of
from limbeck.evaluation.compressed import compressed
from limbeck.evaluation.metrics import headline
from limbeck.evaluation.records import History, RowRecord, SeedRecord, Study
from limbeck.evaluation.regret import regret
from limbeck.evaluation.scored import scored, summary
from limbeck.evaluation.statistics import bootstrap, compare, mcnemar, sample_scores, statistic_for, vote
from limbeck.evaluation.verdict import chosen_row, verdict

__all__ = ["assemble", "check_results"]

SCHEMA = 1

Json = dict[str, Any]


def assemble(study: Study) -> Json:
    """The content of results.json (docs/run-folder.md): metrics, intervals, regret, and the verdict.

    Raises `UsageError` where labels and outputs do not fit, `RunError` where outputs are NaN.

    >>> from limbeck.core import Task
    >>> labels, task = torch.tensor([0, 1]), Task("classification", ("no", "yes"))
    >>> seed = SeedRecord(0, None, {}, 1.0, None, target_logits=torch.eye(2), source_logits=torch.eye(2))
    >>> alone = RowRecord("alone", "student", "alone", "source_only", 0, 10, 40, 0.1, [seed])
    >>> results = assemble(Study(
    ...     "demo", "limbeck run demo", "0.1.0", task, "scan", "photo", 0, [alone], "alone", "entropy",
    ...     test_labels=labels, source_test_labels=labels, selection_labels=None, openings=[],
    ... ))
    >>> results["rows"][0]["target"]["accuracy"]
    {'mean': 1.0, 'std': 0.0}
    """
    metric, higher_is_better = headline(study.task, study.test_labels)
    rows = [_row(study, row, metric) for row in study.rows]
    for row, versus in zip(rows, _versus_baseline(study, metric), strict=True):
        row["versus_baseline"] = versus
    results = {
        "schema": SCHEMA,
        "limbeck": study.version,
        "name": study.name,
        "command": study.command,
        "task": study.task.state() | {"classes": list(study.task.classes)},
        "metric": metric,
        "higher_is_better": higher_is_better,
        "source": study.source_name,
        "target": study.target_name,
        "labelled_per_class": study.labelled_per_class,
        "target_labels_known": study.test_labels is not None,
        "seeds": sorted({seed.seed for row in study.rows for seed in row.seeds}),
        "baseline": study.baseline,
        "validator": study.validator,
        "rows": rows,
        "compression": [compressed(study, chain, metric) for chain in study.compressions],
        "openings": [asdict(opening) for opening in study.openings],
    }
    if study.choice is not None:
        results["choice"] = dict(study.choice)
    return results | {"selected": chosen_row(results), "verdict": verdict(results)}


def check_results(results: Mapping[str, Any]) -> None:
    """Compare results with `results.schema.json`, shipped beside this file; `RunError` names the first fault.

    >>> check_results({"schema": 2})
    Traceback (most recent call last):
    limbeck.core.errors.RunError: results.json is not as its schema says, at ...
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    fault = best_match(Draft202012Validator(_schema()).iter_errors(results))
    if fault is not None:
        raise RunError(f"results.json is not as its schema says, at {fault.json_path}: {fault.message}")


@cache
def _schema() -> Json:
    return json.loads((files("limbeck.evaluation") / "results.schema.json").read_text(encoding="utf-8"))


def _row(study: Study, row: RowRecord, metric: str) -> Json:
    source = scored(study.task, [seed.source_logits for seed in row.seeds], study.source_test_labels)
    target = scored(study.task, [seed.target_logits for seed in row.seeds], study.test_labels)
    seeds = [_seed(study, seed, metric) for seed in row.seeds]
    for i, seed in enumerate(seeds):
        seed["target"], seed["source"] = target[1][i], source[1][i]
    fixed = ("name", "kind", "title", "method", "labelled_per_class", "parameters", "bytes", "milliseconds_per_sample")
    return {
        **{key: getattr(row, key) for key in fixed},
        "reads": None if row.reads is None else asdict(row.reads),
        "train_seconds": float(np.mean([seed.train_seconds for seed in row.seeds])),
        **target[0],
        "source": source[0]["target"],
        "regret": summary([seed["regret"] for seed in seeds]),
        "seeds": seeds,
    }


def _seed(study: Study, seed: SeedRecord, metric: str) -> Json:
    oracle, lost = None, None
    if seed.history is not None and study.selection_labels is not None:
        history = seed.history
        known = study.selection_labels
        labels = known[some_of(len(known), history.logits.shape[1])]
        kept = None if seed.epoch is None else list(history.epochs).index(seed.epoch)
        found = regret(history.scores, history.logits, labels, study.task, metric, kept)
        oracle, lost = int(history.epochs[found.oracle]), _finite(found.regret)
    return {
        "seed": seed.seed,
        "epoch": seed.epoch,
        "oracle_epoch": oracle,
        "regret": lost,
        "validators": {name: _finite(score) for name, score in seed.validators.items()},
        "train_seconds": float(seed.train_seconds),
        "collapse": seed.collapse,
        "diagnostics": _diagnostics(seed.history),
    }


def _diagnostics(history: History | None) -> Json | None:
    """What an adaptive training told of itself, by evaluation."""
    if history is None or not history.diagnostics:
        return None
    told = {name: [round(float(value), 6) for value in values] for name, values in history.diagnostics.items()}
    return {"epochs": [int(epoch) for epoch in history.epochs], **told}


def _versus_baseline(study: Study, metric: str) -> list[Json | None]:
    """The paired tests of each row; the same resamples serve all rows."""
    labels = study.test_labels
    compared = [row for row in study.rows if row.kind != "teacher"]
    if labels is None or len(compared) < 2:
        return [None] * len(study.rows)
    logits = {row.name: torch.stack([seed.target_logits for seed in row.seeds]) for row in compared}
    scores = [sample_scores(value, labels, study.task) for value in logits.values()]
    point, drawn = bootstrap(scores, statistic_for(metric, labels))
    place = {name: i for i, name in enumerate(logits)}

    def versus(row: RowRecord) -> Json | None:
        if row.kind == "teacher" or row.name == study.baseline:
            return None
        pair = [place[row.name], place[study.baseline]]
        p_value = _mcnemar(logits[row.name], logits[study.baseline], labels) if study.task.is_classification else None
        return asdict(compare(point[pair], drawn[pair])) | {"mcnemar_p_value": p_value}

    return [versus(row) for row in study.rows]


def _mcnemar(a: Tensor, b: Tensor, labels: Tensor) -> float:
    true = labels.cpu().numpy()
    return mcnemar(vote(a) == true, vote(b) == true)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
