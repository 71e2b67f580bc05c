"""The rule by which labelled target samples judge a candidate, for classes and for values alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Judgement", "Way", "decide"]

Verdict = Literal["transfer", "transfer with adaptation", "do not transfer"]


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason in a sentence. sure: whether the interval behind it leaves out the opposite."""

    verdict: Verdict
    sure: bool
    reason: str


@dataclass(frozen=True)
class Way:
    """One way to use a candidate, in words; difference: by what it beats what the target has, with its interval."""

    words: str
    difference: float
    low: float
    high: float

    def told(self) -> str:
        points = [f"{100 * value:+.0f}" for value in (self.difference, self.low, self.high)]
        return f"{self.words}, a difference of {points[0]} points ({points[1]} to {points[2]})"


def decide(reference: str, ways: Sequence[Way], known: bool, chance: str, lost: str) -> Judgement:
    """The verdict from the ways to use a candidate, of which the first is to take its answers as they are.

    reference: what the ways are compared with, a sentence without its end. known: whether the answers are better than
    `chance`, which is named so. lost: a sentence on what the gap costs, empty where the answers are as good as at
    home.

    >>> decide("Alone it is right on 50%", [Way("its answers are right on 80%", 0.3, 0.1, 0.5)], True, "", "").verdict
    'transfer'
    """
    best = max(ways, key=lambda way: way.difference)
    reason = f"{reference}; {' and '.join(way.told() for way in ways)}."
    if best.difference < 0:
        return Judgement("do not transfer", all(way.high < 0 for way in ways), reason)
    if not known:
        advice = "keep the features, and learn a new head from the labels" if len(ways) > 1 else "adapt them"
        reason += f" That the answers are better than {chance} is not shown: {advice}."
        return Judgement("transfer with adaptation", best.low > 0, reason)
    if ways[0].difference >= 0 and not lost:
        return Judgement("transfer", best.low > 0, reason)
    return Judgement("transfer with adaptation", best.low > 0, f"{reason} {lost}".rstrip())
