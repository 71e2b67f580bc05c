"""gap.json, with one sentence over all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.gap.settings import DEFAULTS, GapSettings

__all__ = ["differs", "gap_summary", "simes"]

NAMED = 3
"""So many shifted features are named in the sentence."""


def gap_summary(
    source: str,
    target: str,
    distances: Sequence[Mapping[str, Any]],
    features: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, Any] | None = None,
    settings: GapSettings = DEFAULTS,
) -> dict[str, Any]:
    """The whole gap.json, from the answers of `measure_distances`, `feature_shift` and `label_shift`.

    The sentence says whether the domains differ (Simes' test over the distances), how much, and where.

    >>> gap_summary("scan", "photo", [])["sentence"]
    'No distance between scan and photo was measured.'
    """
    parts = [_apart(source, target, distances, settings.alpha), _where(features), *_shares(labels)]
    if distances and not differs(distances, settings.alpha) and not any(entry["shifted"] for entry in features):
        parts.insert(1, "No gap has to be closed: plain distillation is enough.")
    return {
        "source": source,
        "target": target,
        "sentence": " ".join(filter(None, parts)),
        "distances": [dict(entry) for entry in distances],
        "features": [dict(entry) for entry in features],
        "labels": None if labels is None else dict(labels),
    }


def _shares(labels: Mapping[str, Any] | None) -> list[str]:
    if labels is None:
        return []
    beyond = labels.get("beyond")
    return [labels["sentence"], beyond["sentence"] if beyond else ""]


def simes(p_values: Sequence[float]) -> float:
    """One p-value for all (Simes 1986): right where tests agree rather than not, as distances of the same points do.

    >>> simes([0.02, 0.02, 0.02]), simes([0.02, 0.9, 0.9])
    (0.02, 0.06)
    """
    return min(p * len(p_values) / rank for rank, p in enumerate(sorted(p_values), 1))


def differs(distances: Sequence[Mapping[str, Any]], alpha: float) -> bool:
    """Whether the `distances` of gap.json show a difference, by Simes' test over all of them.

    >>> differs([{"p_value": 0.01}, {"p_value": 0.3}], 0.05)
    True
    """
    return simes([entry["p_value"] for entry in distances]) < alpha


def _apart(source: str, target: str, distances: Sequence[Mapping[str, Any]], alpha: float) -> str:
    if not distances:
        return f"No distance between {source} and {target} was measured."
    if not differs(distances, alpha):
        return f"No difference between {source} and {target} can be shown with these samples."
    found = [_in_space(space, distances, alpha) for space in dict.fromkeys(entry["space"] for entry in distances)]
    return f"{source} and {target} differ: {'; '.join(found)}."


def _in_space(space: str, distances: Sequence[Mapping[str, Any]], alpha: float) -> str:
    here = [entry for entry in distances if entry["space"] == space]
    beyond = [f"{entry['name']} {entry['value']:.3g}" for entry in here if entry["p_value"] < alpha]
    listed = f" ({', '.join(beyond)})" if beyond else ""
    return f"in {space}, {len(beyond)} of {len(here)} distances are beyond chance{listed}"


def _where(features: Sequence[Mapping[str, Any]]) -> str:
    if not features:
        return ""
    # Absent features come first, then those that moved most.
    shifted = sorted((f for f in features if f["shifted"]), key=lambda f: (f["psi"] is not None, -(f["psi"] or 0)))
    if not shifted:
        return f"None of the {len(features)} features is shifted by itself."
    how = ["absent" if f["psi"] is None else f"PSI {f['psi']:.2g}" for f in shifted[:NAMED]]
    named = [f"{f['name']} ({moved})" for f, moved in zip(shifted, how, strict=False)]
    verb = "are" if len(shifted) > 1 else "is"
    return f"{len(shifted)} of {len(features)} features {verb} shifted, most of all {', '.join(named)}."
