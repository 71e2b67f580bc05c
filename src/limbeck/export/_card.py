"""The model card: what was learnt where, what was measured, and what was not. From the run's files alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limbeck.core.files import read_json
from limbeck.export._inputs import described

__all__ = ["card_text", "model_card"]

SHARES = {"accuracy", "balanced_accuracy", "macro_recall", "macro_f1", "ece"}
"""Metrics that are shown in per cent."""

OF_STEP = ("target", "per_class", "reliability", "seeds")
"""What a line of the compression has as a row has it."""

OF_CLASSES = ("per_class", "confusion", "reliability", "seeds")
"""What it has that the card's table of steps leaves out."""

LIMITS = {
    "table": "Numbers beyond 5 deviations of the source are cut, a missing one becomes the source's median, and a "
    "category that the source did not have counts as none of the known ones.",
    "text": "Words that the source's texts did not have are not seen.",
    "images": "Images of another size are resized and colours converted, which was not tested.",
    "vectors": "A number that lies far from what the source had is taken as it is.",
}
"""What each kind of preprocessing does with what it does not know."""


def model_card(manifest: Mapping[str, Any], preprocessing: Mapping[str, Any], run: Path | None) -> dict[str, Any]:
    """The card as JSON: data, gap, metrics, calibration, files, limits; None for what was not measured.

    manifest: what export.json holds. run: the run folder; None where there is none.
    """
    files = {name: _read(run, f"{name}.json") for name in ("results", "gap", "domains", "environment")}
    results = files["results"]
    row: Mapping[str, Any] = next((row for row in results.get("rows", ()) if row["name"] == manifest.get("row")), {})
    chain = _chain(manifest, results)
    if chain is not None:  # what was measured of the student after its steps
        row = {**row, **{key: chain["steps"][-1].get(key) for key in OF_STEP}, "versus_baseline": None}
    return {
        "name": manifest.get("name"),
        "row": row.get("title") or manifest.get("row"),
        "seed": manifest.get("seed"),
        "limbeck": manifest["limbeck"],
        "command": files["environment"].get("command"),
        "trained": files["environment"].get("started"),
        "task": manifest["task"],
        "reads": described(preprocessing),
        "data": _data(files["domains"]),
        "gap": files["gap"].get("sentence"),
        "metrics": _metrics(manifest, row),
        "versus_baseline": row.get("versus_baseline"),
        "calibration": _calibration(row),
        "verdict": results.get("verdict"),
        "compression": None if chain is None else _compression(chain, results["metric"]),
        "models": list(manifest["models"]),
        "limits": [*_collapse(manifest, results), *_limits(files, row, preprocessing["kind"])],
    }


def _chain(manifest: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any] | None:
    """The run's compression up to the student that was exported; None where it has no step behind it."""
    chains = (chain for chain in results.get("compression", ()) if chain["row"] == manifest.get("row"))
    chain, step = next(chains, None), manifest.get("step") or 0
    return None if chain is None or not step else {**chain, "steps": chain["steps"][: step + 1]}


def _compression(chain: Mapping[str, Any], metric: str) -> dict[str, Any]:
    lines = [chain["teacher"], *chain["steps"]]
    told = [line and {key: value for key, value in line.items() if key not in OF_CLASSES} for line in lines]
    return {"runtime": chain["runtime"], "metric": metric, "teacher": told[0], "steps": told[1:]}


def _read(run: Path | None, name: str) -> dict[str, Any]:
    return read_json(run / name) if run is not None and (run / name).is_file() else {}


def _data(domains: Mapping[str, Any]) -> dict[str, Any] | None:
    if not domains:
        return None
    target = domains["target"]
    return {
        "source": domains["source"],
        "target": {key: target[key] for key in ("name", "samples", "splits", "notes")},
        "labelled_per_class": target["labelled_per_class"],
    }


def _metrics(manifest: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any] | None:
    """On the target's test split: mean and deviation over the seeds, and of the seed that was exported."""
    if not row.get("target"):
        return None
    own: Mapping[str, Any] = next((seed["target"] for seed in row["seeds"] if seed["seed"] == manifest["seed"]), {})
    undefined = {"mean": None, "std": None}
    return {name: {**(value or undefined), "exported": own.get(name)} for name, value in row["target"].items()}


def _calibration(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if not row.get("target") or "ece" not in row["target"]:
        return None
    return {"ece": row["target"]["ece"], "reliability": row.get("reliability")}


def _limits(files: Mapping[str, Any], row: Mapping[str, Any], kind: str) -> list[str]:
    domains, results = files["domains"], files["results"]
    limits = []
    if not row or not row.get("target"):
        limits.append("It was not measured how right it is: there is no evaluation, or the target has no labels.")
    elif domains:
        target = domains["target"]
        limits.append(
            f"Measured on {target['splits']['test']} samples of {target['name']}. Nothing is known of other domains, "
            "nor of this one when it changes."
        )
    weakest = _weakest(row)
    if weakest is not None:
        recall = f"{100 * weakest['recall']['mean']:.0f} % of its {weakest['support']} samples were recognised"
        limits.append(f"Weakest class: {weakest['class']}, {recall}.")
    calibration = _calibration(row)
    if calibration is not None and calibration["ece"]["mean"] is not None:
        apart = 100 * calibration["ece"]["mean"]
        limits.append(f"Its probabilities are {apart:.1f} points away from its accuracy, on average over confidence.")
    if row.get("kind") == "upper_bound":
        limits.append("It was trained with target labels, and serves as an upper bound.")
    elif results.get("selected") not in (None, row.get("name")):
        limits.append(f"It is not the row that was chosen without target labels ({results['selected']}).")
    return [*limits, LIMITS[kind]]


def _collapse(manifest: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
    """The sentence about the training of the exported seed, where that collapsed."""
    seeds = (seed for row in results.get("rows", ()) if row["name"] == manifest.get("row") for seed in row["seeds"])
    return [seed["collapse"] for seed in seeds if seed["seed"] == manifest["seed"] and seed.get("collapse")]


def _weakest(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    known = [one for one in row.get("per_class") or () if one["support"] and one["recall"]["mean"] is not None]
    return min(known, key=lambda one: one["recall"]["mean"], default=None)


def card_text(card: Mapping[str, Any]) -> str:
    """The same card as Markdown."""
    lines = [f"# {card['name'] or 'A student'}: {card['row'] or 'network'}", ""]
    classes = ", ".join(card["task"]["classes"])
    lines += [f"Reads {card['reads']}; predicts {f'one of {classes}' if classes else 'a number'}.", ""]
    if card["verdict"]:
        lines += [card["verdict"], ""]
    lines += ["## Data", "", *_data_lines(card), "", "## Metrics, on the target's test split", ""]
    lines += _metric_lines(card["metrics"] or {}) or ["Not measured."]
    lines += ["", "## Calibration", "", *_calibration_lines(card["calibration"])]
    if card["compression"]:
        lines += ["", "## Compression", "", *_step_lines(card["compression"])]
    lines += ["", "## Files", "", *_model_lines(card["models"]), "", "## Limits", ""]
    lines += [f"- {limit}" for limit in card["limits"]]
    made = f"limbeck {card['limbeck']}, seed {card['seed']}"
    lines += ["", f"Made with {made}" + (f": `{card['command']}`." if card["command"] else ".")]
    return "\n".join(lines) + "\n"


def _data_lines(card: Mapping[str, Any]) -> list[str]:
    data = card["data"]
    if data is None:
        return ["Not known."]
    shown = [
        f"- {role}: {data[role]['name']}, {data[role]['samples']} samples"
        + "".join(f"; {note}" for note in data[role]["notes"])
        for role in ("source", "target")
    ]
    shown.append(f"- labelled target samples in training, per class: {data['labelled_per_class']}")
    return [*shown, f"- gap: {card['gap'] or 'not measured'}"]


def _metric_lines(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return []
    lines = ["| metric | mean ± deviation over seeds | this model |", "|---|---|---|"]
    for name, value in metrics.items():
        spread = f"{_number(name, value['mean'])} ± {_number(name, value['std'])}"
        lines.append(f"| {name} | {spread} | {_number(name, value['exported'])} |")
    return lines


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "not defined"
    return f"{100 * value:.1f} %" if name in SHARES else f"{value:.4g}"


def _calibration_lines(calibration: Mapping[str, Any] | None) -> list[str]:
    if calibration is None:
        return ["Not measured."]
    lines = ["| confidence | accuracy | share of the samples |", "|---|---|---|"]
    for part in calibration["reliability"] or ():
        if part["share"]:
            told = (f"{100 * part[name]:.0f} %" for name in ("confidence", "accuracy", "share"))
            lines.append(f"| {' | '.join(told)} |")
    return lines


def _step_lines(chain: Mapping[str, Any]) -> list[str]:
    metric = chain["metric"]
    lines = [
        f"| | {metric} | against the teacher | against as trained | same answer as then | bytes | ms at batch 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for step in (chain["teacher"], *chain["steps"]):
        if step is not None:
            score = None if step["target"] is None else step["target"][metric]["mean"]
            versus = (_versus(metric, step[f"versus_{other}"]) for other in ("teacher", "student"))
            told = [step["title"], _number(metric, score), *versus, _agreed(step["agreement"])]
            lines.append(f"| {' | '.join(told)} | {step['bytes']} | {step['latency']['1']['median']:.3g} |")
    return [*lines, "", "Means over seeds, 95 % intervals over test samples in brackets."]


def _versus(metric: str, versus: Mapping[str, float] | None) -> str:
    if versus is None:
        return ""
    factor = 100 if metric in SHARES else 1
    difference, low, high = (factor * versus[key] for key in ("difference", "low", "high"))
    return f"{difference:+.3g} [{low:+.3g}, {high:+.3g}]"


def _agreed(share: Mapping[str, float] | None) -> str:
    if share is None:
        return ""
    return f"{100 * share['mean']:.1f} % [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"


def _model_lines(models: list[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| file | bytes | largest difference from PyTorch | same answer | ms at batch 1, median (p95) | at batch 32 |",
        "|---|---|---|---|---|---|",
    ]
    for model in models:
        parity = model["parity"]
        times = (f"{parity['file'][size]['median']:.3g} ({parity['file'][size]['p95']:.3g})" for size in ("1", "32"))
        same = ""
        if parity["agreement"] is not None:
            low, high = parity["interval"]
            same = _agreed({"mean": parity["agreement"], "low": low, "high": high})
        lines.append(
            f"| {model['file']} | {model['bytes']} | {parity['difference']:.1g} on {parity['samples']} samples "
            f"| {same} | {' | '.join(times)} |"
        )
    return lines
