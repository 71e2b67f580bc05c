"""The proxy A-distance: can a classifier tell the two samples apart?"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import generator
from limbeck.distances._distance import Distance
from limbeck.distances._points import points

__all__ = ["ADistance"]

TOLERANCE = 1e-3


class ADistance(Distance):
    """How well a linear classifier tells the two samples apart: 0 is not at all, 2 without a fault.

    2(1 − 2ε), where ε is the balanced error (the mean of both samples' error rates, so that unequal
    sizes do not matter) of a logistic regression on points it was not trained on.

    Paper: Ben-David et al. 2007, section 4. As there, one half trains and the other tests, here both ways; more
    `folds` leave more points to train on, and take longer. The points are standardised over both samples.
    Range: [−2, 2], without unit. It is not clamped at 0: for equal distributions it lies around 0,
    on either side, and is exactly 0 for a sample and its own copy. It has no gradient.
    Errors: `UsageError` for fewer than two points in a sample, or unequal widths.

    >>> x = torch.arange(20.0).view(20, 1)
    >>> float(ADistance()(x, x)), float(ADistance()(x, x + 100))
    (0.0, 2.0)
    """

    differentiable: ClassVar[bool] = False

    def __init__(
        self, folds: Annotated[int, Ge(2)] = 2, inverse_penalty: Annotated[float, Gt(0)] = 0.01, seed: int = 0
    ):
        self.folds = folds
        self.inverse_penalty = inverse_penalty
        self.seed = seed

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        return proxy_a_distance(x, y, self.folds, self.inverse_penalty, self.seed)


def proxy_a_distance(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    folds: int = 2,
    inverse_penalty: float = 0.01,
    seed: int = 0,
) -> Float[Tensor, ""]:
    """2(1 − 2ε) with the cross-validated balanced error ε (Ben-David et al. 2007).

    `inverse_penalty` is scikit-learn's C. Fewer folds where a sample has fewer points.
    """
    from sklearn.linear_model import LogisticRegression

    x, y = points("a_distance", x, y, least=2)
    pooled = torch.cat([x, y]).detach()
    spread = pooled.std(0)
    standard = ((pooled - pooled.mean(0)) / torch.where(spread > 0, spread, 1.0)).cpu().numpy()
    labels = np.repeat([0, 1], [len(x), len(y)])
    folds = min(folds, len(x), len(y))
    # Equal sizes get equal folds, so a sample and its own copy share no point between training and test.
    fold = np.concatenate([generator(seed, "a_distance", n).permutation(n) % folds for n in (len(x), len(y))])
    wrong = np.empty(len(labels))
    for held_out in (fold == k for k in range(folds)):
        # The sign of the answer is settled long before the weights are.
        model = LogisticRegression(C=inverse_penalty, class_weight="balanced", tol=TOLERANCE, max_iter=1000)
        model.fit(standard[~held_out], labels[~held_out])
        wrong[held_out] = model.predict(standard[held_out]) != labels[held_out]
    error = (wrong[labels == 0].mean() + wrong[labels == 1].mean()) / 2
    return x.new_tensor(2 * (1 - 2 * error))
