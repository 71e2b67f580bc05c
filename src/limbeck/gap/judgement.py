"""Whether a candidate is worth transferring from: what is expected of it against what the target has by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.gap._decision import Judgement, Way, decide

__all__ = ["AtHome", "Judgement", "Labelled", "Unlabelled", "cross_validated", "domain_separation", "judge", "wilson"]

INVERSE_PENALTY = 0.1
"""scikit-learn's C of the simple classifier, on standardised features."""

FOLDS = 5

BEYOND_DOUBT = 3.0
"""So many standard errors above chance is no luck, where there are samples enough: one case in 740."""

NEAR_MAXIMUM, HARDLY = 1.8, 0.5
"""Proxy A-distances (0 to 2): from the first on the domains share next to nothing, below the second they hardly
differ. At 1.8 a linear classifier errs on one sample in twenty, at 0.5 on three in eight."""


@dataclass(frozen=True)
class Labelled:
    """What was right on the n labelled target samples.

    direct: the candidate's own answers. probed: a new head on its features, and alone: the same
    classifier on the target's own representation, both cross-validated over these samples, or `None`
    where that cannot be done. chance: what naming one class always is right on.
    """

    direct: Bool[np.ndarray, " n"]
    probed: Bool[np.ndarray, " n"] | None
    alone: Bool[np.ndarray, " n"] | None
    chance: float


@dataclass(frozen=True)
class Unlabelled:
    """What can be told without target labels.

    separation: the proxy A-distance of the domains, 0 to 2. returned: the share of `samples` of the source on which
    a classifier is right that learnt the candidate's guesses on the target. chance: what naming one class always is
    right on there.
    """

    separation: float
    returned: float
    samples: int
    chance: float


@dataclass(frozen=True)
class AtHome:
    """What a teacher makes of held-out samples of its own source.

    right: on which of the s samples. chance: what naming one class always is right on. auc: the mean area under the
    ROC curve of each class against the others, None where there is none; samples: of each class. balanced: the mean
    recall of the classes, which answers on as many target samples of each are compared with; the share of right
    answers where it is not given.
    """

    right: Bool[np.ndarray, " s"]
    chance: float
    auc: float | None = None
    samples: Sequence[int] = ()
    balanced: float | None = None

    @property
    def reached(self) -> float:
        """What its answers are compared with."""
        return float(self.right.mean()) if self.balanced is None else self.balanced

    @property
    def learnt(self) -> bool:
        """Whether it is beyond doubt that it has learnt something.

        Its answers are right more often than chance gives; or they order the samples better than it does, since where
        most samples are of one class, naming that one is hard to beat, and no sign of having learnt nothing.
        """
        if above_chance(float(self.right.mean()), len(self.right), self.chance):
            return True
        return self.auc is not None and self.auc > 0.5 + BEYOND_DOUBT * auc_error(self.samples)


def judge(source: AtHome, target: Labelled | Unlabelled, confidence: float = 0.95) -> Judgement:
    """The verdict on a candidate, whose teacher knows of its source what `source` says.

    *do not transfer*: the teacher is no better than chance on its own source (`AtHome.learnt`); or, with
    labels, both its answers and a new head on its features are expected (point estimates) to do worse than
    training on the labelled samples alone, or than a constant; or only the new head is, not beyond its interval,
    and the answers are no better than chance. Without labels: the domains can be told apart almost without fault,
    and what the candidate guesses on the target says nothing of the source.
    *transfer*: its answers are expected to do as well or better, and their interval reaches its accuracy on the
    source; without labels: the domains hardly differ. *transfer with adaptation*: all between.

    Intervals: Wilson's for shares; for differences `mean ± z · s / √n` over the paired samples. Cross-validation learns
    from fewer samples than there are, so it is a little hard on what it judges, on both sides alike.

    >>> right, half = np.ones(100, dtype=bool), np.arange(100) < 50
    >>> judge(AtHome(right, 0.1), Labelled(right, None, half, 0.1)).verdict
    'transfer'
    >>> judge(AtHome(right, 0.1), Labelled(half, None, right, 0.1)).verdict
    'do not transfer'
    """
    if not source.learnt:
        ordered = "" if source.auc is None else f", and its AUC is {source.auc:.2f}"
        reason = (
            f"Its teacher is right on {_share(source.right)} of {len(source.right)} held-out samples of its own "
            f"source, where always naming one class is right on {source.chance:.0%}{ordered}: that it has learnt "
            "something that could be transferred is not shown."
        )
        return Judgement("do not transfer", isinstance(target, Labelled), reason)
    if isinstance(target, Labelled):
        return _by_labels(source.reached, target, confidence)
    return _by_gap(target)


def auc_error(samples: Sequence[int]) -> float:
    """The standard error of the AUC of answers that say nothing: `√((n + m + 1) / 12nm)` (Mann & Whitney 1947).

    For several classes, each against the others, the mean of theirs; that of their mean AUC is not larger.
    samples: of each class; those without a sample, or with all of them, are left out. Infinite where none is left.

    >>> round(auc_error([10, 20]), 4)  # √(31 / 2400)
    0.1137
    """
    total = sum(samples)
    errors = [((total + 1) / (12 * n * (total - n))) ** 0.5 for n in samples if 0 < n < total]
    return sum(errors) / len(errors) if errors else float("inf")


def above_chance(share: float, n: int, chance: float, errors: float = BEYOND_DOUBT) -> bool:
    """Whether a share of n right answers is more than chance gives: `share > c + errors · √(c (1 − c) / n)`.

    >>> above_chance(0.66, 100, 0.5), above_chance(0.64, 100, 0.5)
    (True, False)
    """
    return share > chance + errors * (chance * (1 - chance) / n) ** 0.5


def wilson(right: Bool[np.ndarray, " n"], confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share (1927), which stays in [0, 1] and has a width for 0 and for n right answers.

    >>> [round(end, 3) for end in wilson(np.ones(10, dtype=bool))]
    [0.722, 1.0]
    """
    z, n, share = NormalDist().inv_cdf((1 + confidence) / 2), len(right), float(right.mean())
    centre, scale = share + z**2 / (2 * n), 1 + z**2 / n
    margin = z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return min(share, max(0.0, (centre - margin) / scale)), max(share, min(1.0, (centre + margin) / scale))


def cross_validated(
    features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], seed: int = 0
) -> Bool[np.ndarray, " n"] | None:
    """Whether a logistic regression, trained on the other folds, is right on each sample; None below two a class.

    At most five folds, by class; features are standardised. A fold less than all is what it learns from.

    >>> import torch
    >>> y = torch.tensor([0, 1]).repeat(5)
    >>> right = cross_validated(torch.eye(2)[y], y)
    >>> bool(right.all()), cross_validated(torch.eye(2), torch.tensor([0, 1]))
    (True, None)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, classes = features.detach().cpu().double().numpy(), labels.cpu().numpy()
    folds = min(FOLDS, int(np.unique(classes, return_counts=True)[1].min()))
    if folds < 2 or len(np.unique(classes)) < 2:
        return None
    if not np.isfinite(rows).all():
        raise UsageError("The features that a classifier is to learn from are not finite: fill or remove them first.")
    fold, right = np.empty(len(classes), dtype=np.int64), np.empty(len(classes), dtype=bool)
    for number in np.unique(classes):
        own = np.flatnonzero(classes == number)
        fold[generator(seed, "rank", "folds", int(number)).permutation(own)] = np.arange(len(own)) % folds
    for held_out in (fold == k for k in range(folds)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=1000))
        model.fit(rows[~held_out], classes[~held_out])
        right[held_out] = model.predict(rows[held_out]) == classes[held_out]
    return right


def domain_separation(source: Float[Tensor, "n d"], target: Float[Tensor, "m d"]) -> float:
    """The proxy A-distance of two samples (Ben-David et al. 2007): 0 for alike, 2 for told apart without fault.

    >>> import torch
    >>> x = torch.arange(20.0).view(20, 1)
    >>> domain_separation(x, x), domain_separation(x, x + 100)
    (0.0, 2.0)
    """
    from limbeck.distances.a_distance import ADistance

    return float(ADistance()(source, target))


def _by_labels(source_accuracy: float, target: Labelled, confidence: float) -> Judgement:
    alone = target.alone if target.alone is not None and target.alone.mean() > target.chance else None
    ways = [_way("its answers are", target.direct, target, alone, confidence)]
    if target.probed is not None:
        ways.append(_way("a new head on its features is", target.probed, target, alone, confidence))
    z = NormalDist().inv_cdf(confidence)  # one-sided; few samples: three standard errors would ask for too much
    known = above_chance(float(target.direct.mean()), len(target.direct), target.chance, z)
    falls = wilson(target.direct, confidence)[1] < source_accuracy
    lost = f"On its own source it is right on {source_accuracy:.0%}: the gap costs the rest." if falls else ""
    return decide(_reference(target, alone), ways, known, "chance", lost)


def _way(
    words: str, right: np.ndarray, target: Labelled, alone: Bool[np.ndarray, " n"] | None, confidence: float
) -> Way:
    words = f"{words} right on {_share(right)}"
    if alone is None:  # Wilson's interval has a width also where all are right, or none
        low, high = wilson(right, confidence)
        chance = target.chance
        return Way(words, float(right.mean()) - chance, low - chance, high - chance)
    gain = right.astype(float) - alone
    difference, z = float(gain.mean()), NormalDist().inv_cdf((1 + confidence) / 2)
    margin = z * float(gain.std(ddof=1)) / len(gain) ** 0.5
    return Way(words, difference, difference - margin, difference + margin)


def _reference(target: Labelled, alone: np.ndarray | None) -> str:
    samples = f"{len(target.direct)} labelled target samples"
    if alone is not None:
        return f"Trained on the {samples} alone, a simple classifier is right on {_share(alone)} (cross-validated)"
    if target.chance == 1:
        return f"All {samples} are of one class, and nothing can beat naming it always"
    why = "too few to train on" if target.alone is None else "training on them alone is no better"
    return f"Always naming one class is right on {target.chance:.0%} of the {samples} ({why})"


def _by_gap(target: Unlabelled) -> Judgement:
    back = (
        f"a classifier that learns its guesses on the target is right on {target.returned:.0%} of the source "
        f"(chance {target.chance:.0%})"
    )
    reason = (
        f"Without target labels this is a weak verdict: the A-distance is {target.separation:.2f} of 2, and {back}."
    )
    if target.separation >= NEAR_MAXIMUM and not above_chance(target.returned, target.samples, target.chance):
        return Judgement("do not transfer", False, reason)
    return Judgement("transfer" if target.separation < HARDLY else "transfer with adaptation", False, reason)


def _share(right: np.ndarray) -> str:
    return f"{right.mean():.0%}"
