"""Which source and teacher to choose: each candidate in a run folder of its own, then all of them side by side."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

import limbeck
from limbeck.core import LimbeckError, RunError, UsageError
from limbeck.core.files import read_json, write_json
from limbeck.gap import GapSettings, Rating, rank_candidates
from limbeck.methods import DEFAULT
from limbeck.recipes._check import check_name
from limbeck.recipes._console import Console
from limbeck.recipes._context import open_context
from limbeck.recipes._folder import command_line, disk_faults, locked
from limbeck.recipes._load import load_plans
from limbeck.recipes._overrides import override
from limbeck.recipes._plan import Plan
from limbeck.recipes._rank_scores import score_candidate
from limbeck.recipes._rank_values import score_value_candidate
from limbeck.recipes._run import run_recipe
from limbeck.recipes._yaml import read_yaml

__all__ = ["RankError", "rank_recipe"]

SCHEMA = 1
STAGES = ("teacher",)
AVOIDED = "do not transfer"

NOT_HERE = {
    "source": "name it among the 'candidates'",
    "teachers": "name one 'teacher' for all, and others beside the data of a candidate",
    "matrix": "rank one target at a time",
}
"""Keys of a recipe that one to rank does not have."""


def rank_recipe(
    reference: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    runs: Path = Path("runs"),
    name: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> Path:
    """Rank the candidates of a recipe; returns the folder that holds rank.json and a run folder for each candidate.

    The recipe has `candidates` in place of `source`: a mapping of names to a data part, beside which a `teacher`
    of its own may stand. Without one it is the recipe's `teacher`, and without that the `student` network, trained
    on the candidate. What was done before is read, not done again, and a candidate's folder can be gone on with
    as a run. A candidate that fails does not stop the others: `RankError` names it when they are ranked.
    """
    content, own_name = _read(reference)
    cells, others = _candidates(content, overrides)
    plans = load_plans({**content, "name": own_name, "matrix": cells}, others)
    if name is not None:
        check_name(name, "the ranking")
    top, console = runs / (name or own_name), Console(quiet)
    scored: dict[str, Any] = {}
    failed: dict[str, Exception] = {}
    for place, plan in enumerate(plans, 1):
        candidate = str(plan.cell)
        console.say(f"{candidate}, candidate {place} of {len(plans)}")
        recipe = {**content, "name": candidate, **cells[candidate]}
        try:
            run_recipe(recipe, overrides=others, runs=top, name=candidate, stages=STAGES, fresh=fresh, quiet=quiet)
            scored[candidate] = _scored(plan, top / candidate, fresh, console)
        except Exception as error:
            failed[candidate] = error
            console.say(f"{candidate} failed, the others go on.")
    if scored:
        ranking = _ranking(own_name, plans[0], scored)
        check_ranking(ranking)
        write_json(top / "rank.json", ranking)
    if failed:
        raise _failed(failed, len(plans), top if scored else None)
    return top


def check_ranking(ranking: Mapping[str, Any]) -> None:
    """Compare a ranking with `rank.schema.json`, shipped beside this file; `RunError` names the first fault.

    >>> check_ranking({"schema": 2})
    Traceback (most recent call last):
    limbeck.core.errors.RunError: rank.json is not as its schema says, at ...
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    fault = best_match(Draft202012Validator(_schema()).iter_errors(ranking))
    if fault is not None:
        raise RunError(f"rank.json is not as its schema says, at {fault.json_path}: {fault.message}")


@cache
def _schema() -> dict[str, Any]:
    return json.loads((files("limbeck.recipes") / "rank.schema.json").read_text(encoding="utf-8"))


def _read(reference: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The recipe's text, and its name."""
    if isinstance(reference, Mapping):
        return dict(reference), str(reference.get("name") or "rank")
    path = Path(reference)
    if not path.is_file():
        raise UsageError(f"There is no recipe {str(reference)!r}. A recipe to rank is a YAML file with 'candidates'.")
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} is not YAML that can be read: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} must hold a mapping of keys such as target, candidates, student. It holds {content!r:.60}."
        )
    return content, str(content.get("name") or path.stem)


def _candidates(content: dict[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The changes that make each candidate's recipe, and the overrides of all; `content` becomes what they share."""
    for key, mend in NOT_HERE.items():
        if key in content:
            raise UsageError(f"A recipe to rank has no {key!r}: {mend}.")
    mine = [text for text in overrides if re.match(r"\s*candidates\s*[.=]", text)]
    if mine:
        content["candidates"] = copy.deepcopy(content.get("candidates"))
    for text in mine:
        override(content, text)
    named = content.pop("candidates", None)
    if not isinstance(named, Mapping) or not named:
        raise UsageError(
            "A recipe to rank needs 'candidates': a mapping of names to data parts, such as "
            f"{{clinic: {{csv: {{path: clinic.csv, label: sick}}}}}}. Got {named!r}."
        )
    teacher = content.pop("teacher", None)
    teacher = {"network": {"network": content.get("student")}} if teacher is None else teacher
    content.setdefault("rows", {"alone": DEFAULT})
    content.setdefault("seeds", 1)
    return {str(key): _cell(value, teacher) for key, value in named.items()}, [t for t in overrides if t not in mine]


def _cell(candidate: Any, teacher: Any) -> dict[str, Any]:
    """A candidate is a data part, with a teacher beside it where it brings one."""
    if not isinstance(candidate, Mapping):
        return {"source": candidate, "teachers": {"teacher": teacher}}
    source = {key: value for key, value in candidate.items() if key != "teacher"}
    return {"source": source, "teachers": {"teacher": candidate.get("teacher", teacher)}}


def _scored(plan: Plan, folder: Path, fresh: bool, console: Console) -> dict[str, Any]:
    """The candidate's scores, from its folder where they are there."""
    path = folder / "score.json"
    if path.exists() and not fresh:
        return read_json(path)
    with disk_faults(folder), locked(folder):
        context = open_context(plan, folder, console)
        console.say(f"scoring {plan.cell}")
        score = score_candidate if context.task.is_classification else score_value_candidate
        write_json(path, {**score(context), "target": context.target.name})
    return read_json(path)


def _ranking(name: str, plan: Plan, scored: Mapping[str, Any]) -> dict[str, Any]:
    """rank.json: the candidates, best first, those that are not worth it last."""
    settings: GapSettings = plan.make("gap").settings
    standings = rank_candidates(
        {candidate: [Rating(**score) for score in entry["scores"]] for candidate, entry in scored.items()}, settings
    )
    order = sorted(standings, key=lambda candidate: scored[candidate]["verdict"] == AVOIDED)
    entries = []
    for rank, candidate in enumerate(order, 1):
        entry, standing = dict(scored[candidate]), standings[candidate]
        scores = [_with_scale(score, standing.scaled.get(score["name"])) for score in entry.pop("scores")]
        entry.pop("target")
        combined = {"combined": standing.combined, "low": standing.low, "high": standing.high}
        entries.append({"name": candidate, "rank": rank, **combined, **entry, "scores": scores})
    return {
        "schema": SCHEMA,
        "name": name,
        "command": command_line(),
        "version": limbeck.__version__,
        "target": next(iter(scored.values()))["target"],
        "labelled_per_class": plan.make("split").labelled,
        "confidence": settings.confidence,
        "sentence": _sentence(entries),
        "candidates": entries,
    }


def _with_scale(score: dict[str, Any], scaled: tuple[float, float | None, float | None] | None) -> dict[str, Any]:
    return {**score, "scaled": None if scaled is None else dict(zip(("value", "low", "high"), scaled, strict=True))}


def _sentence(entries: Sequence[Mapping[str, Any]]) -> str:
    """Which candidate to take, in a sentence."""
    best = entries[0]
    if best["verdict"] == AVOIDED:
        return "None of the candidates is worth transferring from: train on what the target has."
    left = [entry["name"] for entry in entries if entry["verdict"] == AVOIDED]
    choice = f"The first choice is {best['name']}: {best['verdict']}{'' if best['sure'] else ', not sure'}."
    return f"{choice} Do not transfer from {', '.join(left)}." if left else choice


class RankError(RunError):
    """Some candidates could not be scored. ranked: the folder with the ranking of the others, None without any."""

    def __init__(self, told: str, ranked: Path | None):
        super().__init__(told)
        self.ranked = ranked


def _failed(failed: Mapping[str, Exception], count: int, ranked: Path | None) -> RankError:
    told = [
        f"  - {name}: {e if isinstance(e, LimbeckError) else f'{type(e).__name__}: {e}'}" for name, e in failed.items()
    ]
    rest = "nothing is ranked" if ranked is None else "the others are ranked"
    summary = RankError("\n".join([f"{len(failed)} of {count} candidates failed; {rest}:", *told]), ranked)
    summary.__cause__ = next(iter(failed.values()))
    if all(isinstance(error, UsageError) for error in failed.values()):
        summary.exit_code = UsageError.exit_code
    return summary
