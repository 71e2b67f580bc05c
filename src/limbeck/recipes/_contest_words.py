"""Why a contest chose what it chose, in a plain paragraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.methods import Evidence

__all__ = ["explained"]


def explained(evidence: Evidence, names: tuple[str, str], choice: Mapping[str, Any]) -> str:
    """The paragraph of a choice.

    names: of the source and the target. choice: the baseline, the winner, the candidates with their scores, best
    first, by which validators, what was left out, and the epochs and minutes of the contest.
    """
    return " ".join(
        sentence
        for sentence in (
            _decision(evidence, choice),
            _known(evidence, *names),
            _contest(choice) if choice["candidates"] else "",
            _left(choice["left_out"]),
        )
        if sentence
    )


def _decision(evidence: Evidence, choice: Mapping[str, Any]) -> str:
    winner, baseline = choice["winner"], choice["baseline"]
    if not choice["candidates"]:
        return f"There is nothing to choose from, so {baseline} stands alone."
    if winner != baseline:
        enough = "" if evidence.apart else ": nothing needs to be adapted, and plain distillation is enough"
        adapted = choice["adapted"]
        first = "" if adapted is None else f". Its teacher was adapted first, by {adapted['way']}"
        copied = choice["row"].get("start") == evidence.teacher is not None
        size = ". It goes on from the teacher's weights, and so has its network, not the recipe's student" * copied
        return f"Chosen: {winner}{enough}{first}{size}."
    best = choice["candidates"][0]["name"]
    if best != baseline:
        return f"Chosen: none. {best} is not better than the baseline, {baseline}, beyond chance: do not adapt."
    if not evidence.apart:
        return f"Chosen: none. Nothing needs to be adapted, and {baseline} is enough."
    return f"Chosen: none. The baseline, {baseline}, is the best of them: do not adapt."


def _known(evidence: Evidence, source: str, target: str) -> str:
    differ = "differ beyond chance" if evidence.apart else "do not differ beyond chance"
    if evidence.shares_alone:
        differ = "differ in their classes' shares, and in nothing else that can be shown"
    gives = "a teacher that gives " + " and ".join(sorted(evidence.provides)) if evidence.teacher else "no teacher"
    each = " a class" if evidence.task.is_classification else ""
    labels = f", {evidence.labelled} labelled target samples{each}" if evidence.labelled else ""
    free = ", and no sample of the source may be read" if evidence.source_free else ""
    return (
        f"{source} and {target} {differ}; there are {evidence.source:,} and {evidence.target:,} training samples "
        f"({evidence.kind}){labels}, {gives}{free}."
    )


def _contest(choice: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{found['name']} {found['score']:.2f}" for found in choice["candidates"])
    by = [name.replace("_", " ") for name in choice["by"]]
    how = f"the mean rank by {_listed(by)}" if len(by) > 1 else by[0]
    minutes = choice["minutes"]
    time = f"{60 * minutes:.0f} seconds" if minutes < 1 else f"{minutes:.1f} minutes"
    return (
        f"Each candidate was trained for {choice['epochs']} epochs with one seed, {time} in all, and scored without "
        f"target labels by {how} on the selection splits (higher is better): {scores}."
    )


def _left(left: Mapping[str, str]) -> str:
    told = [f"{name} ({why.rstrip('.')})" for name, why in left.items()]
    return f"Left out: {'; '.join(told)}." if told else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
