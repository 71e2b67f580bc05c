"""What the comparison says, in plain words, also when the answer is no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limbeck.core import plain
from limbeck.evaluation.statistics import mean_std

__all__ = ["advised_against", "chosen_row", "verdict"]

SIGNIFICANT = 0.05

OTHER_SIZE = 1.5
"""From a network so many times as large on, or as small, the verdict says what is compared."""

Json = Mapping[str, Any]


def chosen_row(results: Json) -> str | None:
    """The student row, apart from the baseline, with the highest mean of the label-free validator.

    No target label takes part. The first of equals; None where no row has the validator's score
    for all its seeds.

    >>> def row(name, score):
    ...     return {"name": name, "kind": "student", "seeds": [{"validators": {"entropy": score}}]}
    >>> chosen_row({"baseline": "a", "validator": "entropy", "rows": [row("a", -0.1), row("b", -0.3), row("c", -0.2)]})
    'c'
    """
    scores = {row["name"]: _validator_score(results, row) for row in _candidates(results)}
    known = {name: score for name, score in scores.items() if score is not None}
    return max(known, key=known.__getitem__) if known else None


def verdict(results: Json) -> str:
    """A few plain sentences: the row chosen without labels against the baseline, and how sure that is.

    Reads what `assemble` computed. A difference is called significant where the p-value of the
    paired bootstrap is below 0.05; one that not all training seeds show, or that is smaller than their
    spread, is said to be so. A collapsed training is told, and a network of another size.
    """
    rows = {row["name"]: row for row in results["rows"]}
    name = chosen_row(results)
    if name is None:
        return _alone(results, rows[results["baseline"]])
    if not results["target_labels_known"]:
        return _unproven(results, rows, rows[name])
    said = _comparison(results, rows, rows[name]), _sizes(rows[results["baseline"]], rows[name]), _collapsed(rows[name])
    return "".join(said) + _choice(results, rows[name])


def advised_against(results: Json) -> str | None:
    """The row chosen without labels, where the test showed that the baseline is better; None otherwise."""
    name = chosen_row(results)
    versus = next((row["versus_baseline"] for row in results["rows"] if row["name"] == name), None)
    if name is None or versus is None or versus["p_value"] >= SIGNIFICANT:
        return None
    return None if _sign(results) * versus["difference"] > 0 else name


def _sign(results: Json) -> int:
    return 1 if results["higher_is_better"] else -1


def _candidates(results: Json) -> list[Json]:
    return [row for row in results["rows"] if row["kind"] == "student" and row["name"] != results["baseline"]]


def _alone(results: Json, baseline: Json) -> str:
    where = "target" if results["target_labels_known"] else "source"
    if _candidates(results):
        why = f"No other row was scored by {_words(results['validator'])}"
    elif results.get("choice"):
        why = "The contest chose no other row"
    else:
        why = f"There is no other student row to be scored by {_words(results['validator'])}"
    return (
        f"{why}, so nothing is compared: {baseline['title']} reaches {_amount(results, baseline, where)} "
        f"{_metric(results)} on {results[where]}."
    )


def _unproven(results: Json, rows: Mapping[str, Json], row: Json) -> str:
    scores = {name: _validator_score(results, rows[name]) for name in (row["name"], results["baseline"])}
    shown = ", ".join(f"{name} {score:.3g}" for name, score in scores.items() if score is not None)
    by = f"{_words(results['validator'])} (higher is better: {shown})"
    own, other = scores.values()
    if len(_candidates(results)) > 1:
        why = f"It was chosen by {by}"
    elif other is not None and own is not None and other > own:
        why = f"It is the only row beside the baseline, which {by} would prefer"
    else:
        why = f"It is the only row beside the baseline, and {by} prefers it"
    return (
        f"Whether {row['title']} works on {results['target']} cannot be proven: the target has no labels. {why}. It "
        f"reaches {_amount(results, row, 'source')} {_metric(results)} on {results['source']}."
    )


def _comparison(results: Json, rows: Mapping[str, Json], row: Json) -> str:
    baseline, versus = rows[results["baseline"]], row["versus_baseline"]
    reached = (
        f"{row['title']}{_labels_used(row)} reaches {_amount(results, row)} {_metric(results)} on {results['target']}, "
        f"{baseline['title']}{_labels_used(baseline)} {_amount(results, baseline)}"
    )
    gain = _sign(results) * versus["difference"]
    change, low, high = (_change(results, versus[key]) for key in ("difference", "low", "high"))
    sure = f"95 % interval {low} to {high}, p = {versus['p_value']:.2g}"
    if versus["p_value"] >= SIGNIFICANT:
        shown = f"a difference of {change} may be chance ({sure}). No gain is shown."
        return f"{reached}: {shown}{_weak(results)}"
    doubt = _doubt(_by_seed(results, row, baseline), gain)
    if gain <= 0:
        shown = f"a significant loss ({change}; {sure}){doubt}. It does not help: keep the baseline."
        return f"{reached}: {shown}{_weak(results)}"
    return f"{reached}: a significant gain ({change}; {sure}){doubt}.{_closed(results, gain)}"


def _by_seed(results: Json, row: Json, baseline: Json) -> list[float]:
    """The gain over the baseline of each training seed that both have."""
    metric, sign = results["metric"], _sign(results)
    other = {seed["seed"]: seed["target"][metric] for seed in baseline["seeds"]}
    return [sign * (s["target"][metric] - other[s["seed"]]) for s in row["seeds"] if s["seed"] in other]


def _doubt(by_seed: list[float], gain: float) -> str:
    """The interval is over test samples; what it does not know is how trainings differ."""
    if len(by_seed) < 2:
        return ", though of one training seed"
    against = sum(each * gain < 0 for each in by_seed)
    if against:
        does = ("lose" if gain > 0 else "gain") + "s" * (against == 1)
        return f", though {against} of {len(by_seed)} training seeds {does}"
    return ", though not above the spread between training seeds" if abs(gain) <= mean_std(by_seed)[1] else ""


def _sizes(baseline: Json, row: Json) -> str:
    """What the gain may come from, where the network is another."""
    own, other = row["parameters"], baseline["parameters"]
    if None in (own, other) or 1 / OTHER_SIZE < own / other < OTHER_SIZE:
        return ""
    return f" Their networks differ: {own:,} parameters, those of {baseline['title']} {other:,}."


def _collapsed(row: Json) -> str:
    """That trainings of the row collapsed, which a score may not show."""
    told = [seed["collapse"] for seed in row["seeds"] if seed.get("collapse")]
    return f" In {len(told)} of {len(row['seeds'])} trainings it collapsed: {told[0]}" if told else ""


def _closed(results: Json, gain: float) -> str:
    """How much of the way from the baseline to the upper bound the gain goes."""
    bounds = _bounds(results)
    if not bounds:
        return ""
    bound = _best(results, bounds)
    gap = bound["versus_baseline"]["difference"] * _sign(results)
    named = f"({_amount(results, bound)})" if len(bounds) == 1 else f"{bound['title']} ({_amount(results, bound)})"
    if gap <= 0:
        return f" The upper bound {named} is not above the baseline, so there was no gap to close."
    if gain >= gap:
        return f" That is {'more than' if gain > gap else 'as much as'} the upper bound reaches {named}."
    return f" That closes {100 * gain / gap:.0f} % of the gap to the upper bound {named}."


def _weak(results: Json) -> str:
    """That the upper bound is none, where it lies clearly below the baseline."""
    bounds = _bounds(results)
    if not bounds:
        return ""
    bound = _best(results, bounds)
    versus = bound["versus_baseline"]
    if versus["p_value"] >= SIGNIFICANT or _sign(results) * versus["difference"] >= 0:
        return ""
    return (
        f" The upper bound ({_amount(results, bound)}) lies below the baseline: the target has too few labels, or the "
        "training was too short, to tell by it what could be reached."
    )


def _bounds(results: Json) -> list[Json]:
    return [row for row in results["rows"] if row["kind"] == "upper_bound"]


def _choice(results: Json, row: Json) -> str:
    """How the row was chosen, and which one the test labels would have chosen."""
    students = [other for other in results["rows"] if other["kind"] == "student"]
    if len(_candidates(results)) < 2:
        return ""
    best, metric = _best(results, students), results["metric"]
    chosen = f"{row['title']} was chosen without target labels, by {_words(results['validator'])}"
    if best["target"][metric]["mean"] == row["target"][metric]["mean"]:
        return f" {chosen}; on the test split it scored best too."
    return f" {chosen}; on the test split {best['title']} scored best ({_amount(results, best)})."


def _best(results: Json, rows: list[Json]) -> Json:
    return max(rows, key=lambda row: _sign(results) * row["target"][results["metric"]]["mean"])


def _validator_score(results: Json, row: Json) -> float | None:
    scores = [seed["validators"].get(results["validator"]) for seed in row["seeds"]]
    return None if None in scores else mean_std(scores)[0]


def _amount(results: Json, row: Json, where: str = "target") -> str:
    """The headline metric as mean ± deviation; one seed has no deviation to show."""
    value, several = row[where][results["metric"]], len(row["seeds"]) > 1
    if results["metric"] == "rmse":
        return plain(value["mean"], 4) + (f" ± {plain(value['std'], 2)}" if several else "")
    return f"{100 * value['mean']:.1f}" + (f" ± {100 * value['std']:.1f}" if several else "") + " %"


def _change(results: Json, value: float) -> str:
    # Adding 0 turns a rounded −0 into +0.
    shown = plain(value + 0.0, 3, "+") if results["metric"] == "rmse" else f"{round(100 * value, 1) + 0.0:+.1f} points"
    return shown.replace("-", "\N{MINUS SIGN}")


def _metric(results: Json) -> str:
    return {"rmse": "RMSE"}.get(results["metric"], _words(results["metric"]))


def _labels_used(row: Json) -> str:
    labels = row["labelled_per_class"]
    each = " a class" if "accuracy" in row["target"] else ""
    return f" (with {labels} target labels{each})" if labels else ""


def _words(name: str) -> str:
    return name.replace("_", " ")
