"""What goes wrong, and how it is said: who owns the value, what was expected, what came, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["LimbeckError", "RunError", "SealedLabelsError", "UsageError", "bad_value", "did_you_mean", "missing_extra"]


class LimbeckError(Exception):
    """Any failure whose message is meant for the user; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(LimbeckError, ValueError):
    """The request cannot be carried out as it was made: a recipe, an option, a file, a column."""

    exit_code = 2


class RunError(LimbeckError, RuntimeError):
    """The request was right and the work failed: a full disk, a diverged loss, a damaged file."""


class SealedLabelsError(LimbeckError, RuntimeError):
    """Something asked for labels of the target that nobody opened for it."""


def bad_value(name: str, owner: str, expected: str, got: object, mend: str = "") -> UsageError:
    """The one sentence for a bad value.

    >>> str(bad_value("temperature", "kl", "> 0", -1))
    "The 'temperature' of kl must be > 0. Got -1."
    """
    sentence = f"The {name!r} of {owner} must be {expected}. Got {got!r}."
    return UsageError(f"{sentence} {mend}".rstrip())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word, or the list of the known ones.

    >>> did_you_mean("temprature", ["temperature", "weight"])
    "Did you mean 'temperature'?"
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(known)}." if known else "There are none here."


def missing_extra(library: str, extra: str, needed_by: str) -> UsageError:
    """The sentence for an optional library that is not installed."""
    return UsageError(f"{needed_by} needs {library}, which is not installed. Run: pip install 'limbeck[{extra}]'")
