"""Samples that both domains hold: their labels are known before the test."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from limbeck.core import Domain

__all__ = ["overlap"]

UNUSUAL = 0.01
"""So large a share of the test samples, beyond what is usual within the source, is told at least."""


def overlap(source: Domain, target: Domain) -> list[str]:
    """A sentence where the target's test samples equal the source's training samples more often than is usual.

    Coarse tables hold equal rows that are no copies of each other: what is usual is how many of the source's other
    samples equal one that trains, and more is told where it is so by two standard errors.
    """
    known = set(_marks(source, "train"))
    usual, met = (
        np.array([mark in known for mark in _marks(*held_out)])
        for held_out in ((source, "selection", "test"), (target, "test"))
    )
    if not len(usual) or not len(met):
        return []
    error = np.sqrt(np.concatenate([usual, met]).var() * (1 / len(usual) + 1 / len(met)))
    if met.mean() - usual.mean() < max(UNUSUAL, 2 * error):
        return []
    return [
        f"{met.sum()} of its {len(met)} test samples equal one that the source trains on, whose label is known: scores "
        "on the target are too good by that. Where it is not meant, remove them from one of both."
    ]


def _marks(domain: Domain, *splits: str) -> Iterator[int]:
    rows = np.concatenate([domain.splits[split] for split in splits])
    return (hash(domain.inputs[row].numpy().tobytes()) for row in rows.tolist())
